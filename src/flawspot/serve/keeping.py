"""The pictures that a station keeps: by the SHA-256 of their bytes, for a while, within a size."""

from __future__ import annotations

import collections
import contextlib
import math
import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flawspot.errors import ConfigurationError, FlawspotError
from flawspot.files import write_bytes
from flawspot.serve.chain import Row
from flawspot.serve.parts import GOOD
from flawspot.serve.record import Record

_NAME = re.compile(r"[0-9a-f]{64}")
_SECONDS_A_DAY = 86_400
SUFFIXES = {
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"RIFF": ".webp",
}
"""By how a file begins; what begins otherwise is kept as ``.bin``."""


@dataclass(frozen=True)
class Keeping:
    """Which pictures are kept, and how long.

    Attributes:
        days: after which a picture is removed.
        gigabytes: that all of them may take; the oldest go first. 10^9 bytes each.
        one_good_in: of good parts one picture in so many is kept, chosen by the picture's own hash; 0 keeps none. Those
            of anomalous parts and of parts that were not inspected are all kept, and those that people have spoken of.
        recent: the last ones of each detector, which stay for the page and for trying another artifact on them.
    """

    days: float = 90.0
    gigabytes: float = 20.0
    one_good_in: int = 20
    recent: int = 100

    def __post_init__(self) -> None:
        for name, value, least in (
            ("days", self.days, 0.0),
            ("gigabytes", self.gigabytes, 0.0),
            ("one_good_in", self.one_good_in, -1),
            ("recent", self.recent, 23),
        ):
            if not least < value < math.inf:
                raise ConfigurationError(f"keeping: {name} is {value}: give a number above {least:g}")

    def keeps(self, picture: str, verdict: str) -> bool:
        """Whether a picture stays beyond the recent ones."""
        if verdict != GOOD:
            return True
        return self.one_good_in > 0 and int(picture[:8], 16) % self.one_good_in == 0


class Pictures:
    """The folder of kept pictures: ``ab/abcdef....png``. Used by any threads."""

    def __init__(self, folder: Path, record: Record, keeping: Keeping) -> None:
        self.folder, self.record, self.keeping = folder, record, keeping
        self._recent: dict[str, collections.deque[str]] = collections.defaultdict(collections.deque)
        self._lock = threading.Lock()
        for row in reversed(record.results(limit=keeping.recent)):
            self._remember(row)

    def save(self, picture: str, content: bytes, *, lasting: bool = False) -> Path:
        """Write a picture's bytes, unless they are there.

        Args:
            picture: SHA-256 of the bytes.
            content: the bytes.
            lasting: they are on the disk when this returns, as the row is that says so: else a power cut leaves an
                empty file, which an audit takes for one that somebody has changed.

        Raises:
            FlawspotError: they cannot be written.
        """
        there = self.find(picture)
        if there is not None and there.stat().st_size == len(content):
            return there
        suffix = next((kind for begin, kind in SUFFIXES.items() if content.startswith(begin)), ".bin")
        path = self.folder / picture[:2] / f"{picture}{suffix}"
        write_bytes(path, content, lasting=lasting)
        return path

    def find(self, picture: str) -> Path | None:
        """The file of a picture; None where there is none, or `picture` is no SHA-256."""
        if not _NAME.fullmatch(picture):
            return None
        paths = (self.folder / picture[:2] / f"{picture}{suffix}" for suffix in (*SUFFIXES.values(), ".bin"))
        return next((path for path in paths if path.is_file()), None)

    def judged(self, row: Row) -> None:
        """A result was recorded: let go of the oldest of the recent pictures, unless something keeps it."""
        for picture in self._remember(row):
            if not self.record.keeps(picture):
                self._remove(picture)

    def recent(self, detector: str) -> list[str]:
        """The last pictures of a detector, the oldest first; they may be gone where nothing was kept."""
        with self._lock:
            return list(self._recent[detector])

    def sweep(self) -> int:
        """Remove what is too old, too much, or kept by nothing; returns how many pictures went.

        Raises:
            FlawspotError: the record cannot be read or written.
        """
        found = sorted(_stated(self.folder.glob("??/*.*")))
        with self._lock:
            recent = {picture for pictures in self._recent.values() for picture in pictures}
        oldest = time.time() - self.keeping.days * _SECONDS_A_DAY
        total, gone = sum(size for _, size, _ in found), dict[str, list[Path]]()
        for written, size, path in found:
            if not _NAME.fullmatch(path.stem) or (path.stem in recent and total <= self.keeping.gigabytes * 1e9):
                continue
            reason = None
            if written < oldest:
                reason = "age"
            elif total > self.keeping.gigabytes * 1e9:
                reason = "size"
            elif written < time.time() - 3600 and not self.record.keeps(path.stem):
                reason = "share"
            if reason is not None:
                total -= size
                gone.setdefault(reason, []).append(path)
        for reason, paths in gone.items():
            if reason != "share":  # that good pictures go is the rule, told by `kept` in their rows
                # Before they go, so that none is ever gone untold.
                self.record.add("removed", {"pictures": len(paths), "because": reason})
            for path in paths:
                path.unlink(missing_ok=True)
        return sum(map(len, gone.values()))

    def _remember(self, row: Row) -> list[str]:
        content = row.content
        picture, detector = content.get("picture"), str(content.get("detector"))
        if picture is None:
            return []
        with self._lock:
            recent = self._recent[detector]
            recent.append(picture)
            gone = [recent.popleft() for _ in range(len(recent) - self.keeping.recent)]
            return [each for each in gone if not any(each in others for others in self._recent.values())]

    def _remove(self, picture: str) -> None:
        path = self.find(picture)
        if path is not None:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise FlawspotError(f"cannot remove {path}: {error.strerror or error}") from error


def _stated(paths: Iterable[Path]) -> Iterator[tuple[float, int, Path]]:
    """When they were written, and their sizes; the line goes on meanwhile, and some are gone again."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            state = path.stat()
            yield state.st_mtime, state.st_size, path
