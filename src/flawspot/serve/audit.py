"""Checks that a record and its kept pictures are as a station has written them. docs/audit.md says what that proves."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flawspot.files import is_folder
from flawspot.progress import SILENT, Progress
from flawspot.serve.anchor import Anchor
from flawspot.serve.chain import Row, breaks
from flawspot.serve.record import SCHEMA, Record, RecordError
from flawspot.texts import visible

RECORD = "record.sqlite"
"""Name of the record in a station's folder."""
PICTURES, ARTIFACTS, DRIFT = "pictures", "artifacts", "drift"
"""Names of the folders beside it: of kept pictures, of artifacts with their states, and of drift tests."""
_BEFORE_ALL = -(2**63)
_ROWS = 1000
_PIECE = 2**20
_MOST_BREAKS = 10
_PICTURE = re.compile(r"([0-9a-f]{64})\.[A-Za-z0-9]+")
_LOOKS, _SECONDS_BETWEEN = 4, 1.0
"""How often, and how many seconds apart, missing pictures are looked for again. A station removes pictures shortly
after it records that."""


def keeps(station: Path, place: Path) -> bool:
    """Whether a station keeps its own files in a folder; both are resolved."""
    return any(place.is_relative_to(station / each) for each in (PICTURES, ARTIFACTS, DRIFT))


@dataclass(frozen=True)
class Finding:
    """A difference from what the station wrote.

    Attributes:
        reason: what differs, in one line.
        row: number of the row where it shows, if any.
        picture: path of the picture, if any, relative to the folder of pictures.
    """

    reason: str
    row: int | None = None
    picture: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The finding as a JSON object."""
        return asdict(self)


def record_in(place: Path) -> Path:
    """The path of a record: `place` is a station's folder, or the record's file itself."""
    return place / RECORD if is_folder(place) else place


class RecordAudit:
    """Follows a record from its first row to its last. The station may keep writing meanwhile.

    Attributes:
        rows: how many rows were followed so far.
        head: the last of them, an anchor to be kept elsewhere.
    """

    def __init__(self, record: Record, anchors: Iterable[Anchor] = (), progress: Progress = SILENT) -> None:
        """`anchors` must be read before the record is, so that every row they name must be in it."""
        self.rows = 0
        self.head: Anchor | None = None
        self._record, self._progress = record, progress
        self._known: dict[int, set[str]] = {}
        for anchor in anchors:
            self._known.setdefault(anchor.number, set()).add(anchor.hash)

    def findings(self) -> Iterator[Finding]:
        """Yield everything that is wrong with the record, in the order of the rows.

        Raises:
            RecordError: it cannot be read.
        """
        yield from (Finding(reason) for reason in _other_tables(self._record.path))
        for _ in self._progress.track(range(1), "Checking the indices", 1):
            yield from (Finding(reason) for reason in _broken_indices(self._record.path))
        strange: list[Finding] = []
        for found in breaks(self._followed(strange)):
            yield Finding(found.reason, row=found.number)
        yield from strange
        last = 0 if self.head is None else self.head.number
        for number in sorted(self._known):
            gone = "the end was cut off" if number > last else "it was removed"
            yield Finding(f"row {number}, which an anchor names, is missing: {gone}", row=number)

    def _followed(self, strange: list[Finding]) -> Iterator[Row]:
        last = self._record.last
        total = None if last is None else last.number
        for row in self._progress.track(_every(self._record), "Following the chain", total):
            if row.number < 1:
                strange.append(Finding(f"row {row.number} was inserted: numbers begin at 1", row=row.number))
                continue
            self.rows += 1
            self.head = Anchor.of(row)
            known = self._known.pop(row.number, set())
            if known - {row.hash}:
                strange.append(Finding(f"row {row.number} is not the one that an anchor names", row=row.number))
            yield row


class PictureAudit:
    """Reads every kept picture, and counts those that are gone.

    Attributes:
        checked: how many were read.
        missing: how many pictures of results with ``kept`` are missing, each counted once.
        told: how many removed ones the record reports.
    """

    def __init__(self, record: Record, progress: Progress = SILENT) -> None:
        self.checked = self.missing = self.told = 0
        self._record, self._progress = record, progress
        self._folder = record.path.with_name(PICTURES)

    def findings(self) -> Iterator[Finding]:
        """Yield everything that is wrong with the pictures.

        Raises:
            RecordError: the record or the folder cannot be read.
        """
        for path in self._progress.track(self._files(), "Reading the kept pictures"):
            reason = self._reason(path)
            if reason is not None:
                yield Finding(reason, picture=visible(path.relative_to(self._folder).as_posix()))
        for look in range(_LOOKS):
            if look:
                time.sleep(_SECONDS_BETWEEN)
            there = {path.name[:64] for path in self._files()}
            self.missing, self.told = self._missing(there), self._removed()
            if self.missing <= self.told:
                return
        yield Finding(
            f"{self.missing} kept pictures are gone, and the record reports only {self.told} as removed: something "
            "other than the station has removed some"
        )

    def _files(self) -> list[Path]:
        """All files except those still being written, whose names begin with a dot."""
        try:
            return sorted(p for p in self._folder.rglob("*") if not p.is_dir() and not p.name.startswith("."))
        except OSError as error:
            raise RecordError(f"cannot read {self._folder}: {error.strerror or error}") from error

    def _reason(self, path: Path) -> str | None:
        named = _PICTURE.fullmatch(path.name)
        if named is None or path.parent != self._folder / path.name[:2] or path.is_symlink():
            return "is not a picture that the station has kept: its folder or name is different"
        digest = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while piece := file.read(_PIECE):
                    digest.update(piece)
        except FileNotFoundError:
            return None  # removed by the station meanwhile
        except OSError as error:
            return f"cannot be read: {error.strerror or error}"
        self.checked += 1
        return None if digest.hexdigest() == named[1] else "was changed: its bytes do not match the hash in its name"

    def _missing(self, there: set[str]) -> int:
        """How many pictures are missing although their rows say that they are kept."""
        kept = (
            "SELECT DISTINCT picture FROM rows WHERE picture IS NOT NULL AND kind = 'result' "
            "AND json_extract(body, '$.kept')"
        )
        return sum(picture not in there for (picture,) in _asked(self._record.path, kept))

    def _removed(self) -> int:
        removed = "SELECT TOTAL(json_extract(body, '$.pictures')) FROM rows WHERE kind = 'removed'"
        return int(next(_asked(self._record.path, removed))[0])


def _every(record: Record) -> Iterator[Row]:
    """All rows, including any inserted before the first. A value that is not text is shown as Python shows it."""
    number = _BEFORE_ALL
    while rows := record.after(number, limit=_ROWS):
        for row in rows:
            yield Row(row.number, *map(str, (row.time, row.kind, row.body, row.previous, row.hash)))
        number = rows[-1].number


def _other_tables(path: Path) -> Iterator[str]:
    """Differences in tables, indices and triggers, which could make a record answer wrongly."""
    # Tables of ANALYZE are allowed, as they affect no answer. SQLite's other internal names are checked too.
    query = "SELECT type, name, sql FROM sqlite_master WHERE name NOT IN ('sqlite_stat1', 'sqlite_stat4')"
    with sqlite3.connect(":memory:") as pattern:
        pattern.executescript(SCHEMA)
        wanted = set(pattern.execute(query))
    pattern.close()
    found = set(_asked(path, query))
    for kind, name in sorted({(str(each[0]), str(each[1])) for each in wanted ^ found}):
        yield f"the {kind} {visible(name)} of the file is not as the station made it"


def _broken_indices(path: Path) -> Iterator[str]:
    """Indices that lack rows or hold wrong ones. Searches would answer wrongly although the rows are unchanged."""
    try:
        found = [str(text) for (text,) in _asked(path, f"PRAGMA integrity_check({_MOST_BREAKS})")]
    except RecordError as error:  # for example a body that is not JSON, which is reported with its row
        found = [str(error)]
    if found != ["ok"]:
        yield f"the indices of the record do not fit its rows: {visible(found[0])}"


def _asked(path: Path, query: str) -> Iterator[tuple[Any, ...]]:
    """The answer to a query that only an audit makes. It cannot write."""
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            yield from database.execute(query)
        finally:
            database.close()
    except sqlite3.Error as error:
        raise RecordError(f"cannot read the record {path}: {error}") from error
