"""Chooses the kept pictures that an update learns from: parts that people called good, and a sample of the others."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from flawspot.errors import ConfigurationError, DataError, FlawspotError
from flawspot.serve.chain import Row
from flawspot.serve.confirmed import truth_of
from flawspot.serve.keeping import Pictures
from flawspot.serve.parts import ANOMALOUS, GOOD, NOT_INSPECTED
from flawspot.serve.record import HOLDING, Record, Wanted

DEFAULT_SAMPLE = 50
MOST_SAMPLE = 1000
MOST_SPOKEN = 2000
"""Most pictures with words that one update takes, newest first."""
_SAMPLED = 4711
"""Makes the draw independent of others with the same seed."""
FALSE_ALARM, CONFIRMED, UNSPOKEN = "false alarm", "confirmed", "unspoken"


@dataclass(frozen=True)
class Asked:
    """A request for an update.

    Attributes:
        by: the person who asks.
        since: only pictures of results since this time, in the form of rows; None: since the present artifact judges.
        sample: how many good pictures without words, 0 to `MOST_SAMPLE`.
        seed: seed of the sample and of the update.
    """

    by: str
    since: str | None = None
    sample: int = DEFAULT_SAMPLE
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ConfigurationError if a number is out of its range."""
        for name, value, most in (("sample", self.sample, MOST_SAMPLE), ("seed", self.seed, 2**32 - 1)):
            if type(value) is not int or not 0 <= value <= most:
                raise ConfigurationError(f"{name} is {str(value)[:20]}: give a whole number from 0 to {most}")


@dataclass
class Chosen:
    """The pictures of an update, and counts of those left out.

    Attributes:
        results: the numbers of their results, ascending.
        false_alarms, confirmed, sampled: how many were taken for which reason.
        kept_good: how many kept pictures of good parts without words the sample was drawn from.
        not_kept: how many pictures with words are no longer kept.
        changed: how many have other bytes than the judged ones.
        contradicted: how many show a part that is defective or on hold according to another result of the same picture.
        beyond: how many pictures with words were above `MOST_SPOKEN`.
        barred: how many were called good last, but are of a part on hold or were called a missed defect before.
    """

    results: tuple[int, ...] = ()
    false_alarms: int = 0
    confirmed: int = 0
    sampled: int = 0
    kept_good: int = 0
    not_kept: int = 0
    changed: int = 0
    contradicted: int = 0
    beyond: int = 0
    barred: int = 0

    def counts(self) -> dict[str, int]:
        """Everything except the numbers of the results."""
        return {name: value for name, value in asdict(self).items() if name != "results"}


def choose(
    record: Record,
    pictures: Pictures,
    detector: str,
    since: str,
    asked: Asked,
    folder: Path,
    stopping: threading.Event,
) -> Chosen:
    """Put the pictures of an update in a folder, named by the numbers of their results.

    Each picture is taken once. A picture that people called a missed defect in any result is never taken, nor one of a
    part on hold.

    Args:
        record: the record of the station.
        pictures: its kept pictures.
        detector: the detector whose results are used.
        since: start time, in the form of rows.
        asked: the request, with the size and seed of the sample.
        folder: the folder to create. It must be on the disk of `pictures`, because pictures are linked rather than
            copied.
        stopping: set to end the work.

    Raises:
        DataError: there is no such picture.
        FlawspotError: the folder cannot be written, the record cannot be read, or `stopping` was set.
    """
    chosen = Chosen()
    placing = _Placing(record, pictures, folder, chosen, stopping)
    spoken = _spoken(record, Wanted(detector=detector, since=since, word="any"), chosen, stopping)
    for picture, (number, kind) in spoken.items():
        placing.take(number, picture, kind)
    good = sorted(
        (number, picture)
        for picture, number in _unspoken(record, pictures, detector, since, stopping).items()
        if picture not in spoken
    )
    chosen.kept_good = len(good)
    for index in np.random.default_rng([asked.seed, _SAMPLED]).permutation(len(good)).tolist():
        if chosen.sampled >= asked.sample:
            break
        number, picture = good[index]
        placing.take(number, picture, UNSPOKEN)
    chosen.results = tuple(sorted(placing.numbers))
    if not chosen.results:
        raise DataError(_none_of(chosen))
    return chosen


def _spoken(record: Record, wanted: Wanted, chosen: Chosen, stopping: threading.Event) -> dict[str, tuple[int, str]]:
    """Pictures that people called good in any way, newest first: the number of their result, and which way."""
    found: dict[str, tuple[int, str]] = {}
    for row in record.each_result(wanted):
        _go_on(stopping)
        words = record.words_on(row.number)
        picture, kind = row.content["picture"], kind_of(row, words)
        if picture is None or picture in found or kind not in (FALSE_ALARM, CONFIRMED):
            truth = truth_of(row, words) if kind is None and picture is not None else None
            chosen.barred += truth is not None and not truth.defective
            continue
        if len(found) < MOST_SPOKEN:
            found[picture] = (row.number, kind)
        else:
            chosen.beyond += 1
    return found


def _unspoken(
    record: Record, pictures: Pictures, detector: str, since: str, stopping: threading.Event
) -> dict[str, int]:
    """Pictures of good results without words: those kept by their own hash, and the recent ones."""
    found: dict[str, int] = {}
    for row in record.kept_good(detector, since):
        _go_on(stopping)
        picture = str(row.content["picture"])
        if pictures.find(picture) is not None:
            found[picture] = row.number
    for picture in pictures.recent(detector):
        for row in record.of_picture(picture):
            own = row.content["detector"] == detector and row.time >= since
            if own and kind_of(row, record.words_on(row.number)) == UNSPOKEN and pictures.find(picture) is not None:
                found.setdefault(picture, row.number)
    return found


def kind_of(row: Row, words: list[Row]) -> str | None:
    """Why a result's picture may be learned from: a false alarm, confirmed as good, or good without words.

    Args:
        row: the row of the result.
        words: the words on it, oldest first.

    Returns:
        One of `FALSE_ALARM`, `CONFIRMED` and `UNSPOKEN`; None if it may not be learned from.
    """
    verdict = row.content["verdict"]
    if verdict == NOT_INSPECTED or _bars(row, words):
        return None
    if truth_of(row, words) is not None:
        return FALSE_ALARM if verdict == ANOMALOUS else CONFIRMED
    return UNSPOKEN if verdict == GOOD and not words else None


def _bars(row: Row, words: list[Row]) -> bool:
    """Whether these words put the part on hold, call it defective, or ever called it a missed defect."""
    said = [str(word.content["word"]) for word in words]
    held = next((word for word in reversed(said) if word in HOLDING), None) == "hold"
    truth = truth_of(row, words)
    return held or "missed defect" in said or (truth is not None and truth.defective)


class _Placing:
    """Puts pictures in the folder and counts them."""

    def __init__(
        self, record: Record, pictures: Pictures, folder: Path, chosen: Chosen, stopping: threading.Event
    ) -> None:
        self.numbers: list[int] = []
        self._record, self._pictures, self._folder = record, pictures, folder
        self._chosen, self._stopping = chosen, stopping
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise FlawspotError(f"cannot make {folder}: {error.strerror or error}; free some space") from error

    def take(self, number: int, picture: str, kind: str) -> None:
        """Take the picture of a result, unless it must be left out."""
        _go_on(self._stopping)
        chosen = self._chosen
        if any(_bars(each, self._record.words_on(each.number)) for each in self._record.of_picture(picture)):
            chosen.contradicted += 1
            return
        bytes_are = self._place(picture, number)
        if bytes_are is None:
            chosen.not_kept += kind != UNSPOKEN
        elif bytes_are != picture:
            chosen.changed += 1
        else:
            self.numbers.append(number)
            chosen.false_alarms += kind == FALSE_ALARM
            chosen.confirmed += kind == CONFIRMED
            chosen.sampled += kind == UNSPOKEN

    def _place(self, picture: str, number: int) -> str | None:
        """Put a picture in the folder and return its SHA-256; a wrong file is removed again. None: it is not kept."""
        path = self._pictures.find(picture)
        if path is None:
            return None
        place = self._folder / f"{number:08}{path.suffix}"
        try:
            with contextlib.suppress(OSError):
                os.link(path, place)
            if not place.exists():  # a file system without links
                shutil.copyfile(path, place)
            with place.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != picture:
                place.unlink()
        except FileNotFoundError:  # old pictures may be removed meanwhile
            return None
        except OSError as error:
            raise FlawspotError(f"cannot write {place}: {error.strerror or error}; free some space") from error
        return found


def _go_on(stopping: threading.Event) -> None:
    if stopping.is_set():
        raise FlawspotError("the station was ended")


def _none_of(chosen: Chosen) -> str:
    told = (
        (chosen.not_kept, "no longer kept"),
        (chosen.changed, "changed"),
        (chosen.contradicted, "contradicted"),
        (chosen.barred, "on hold or called a missed defect before"),
    )
    left = ", ".join(f"{count} {what}" for count, what in told if count)
    return (
        f"there is no picture to learn from{f' ({left})' if left else ''}: mark parts as a false "
        "alarm or confirmed as good, or ask for an earlier `since`"
    )
