"""The pictures that a station keeps, named by the SHA-256 of their bytes, up to an age and a total size."""

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
"""Suffix by the first bytes of a file. Other files are kept as ``.bin``."""


@dataclass(frozen=True)
class Keeping:
    """Which pictures are kept, and for how long.

    Attributes:
        days: days after which a picture is removed.
        gigabytes: the most GB (10^9 bytes) for all of them. The oldest are removed first.
        one_good_in: one picture in so many is kept of good parts, chosen by the picture's own hash; 0 keeps none. All
            pictures of anomalous and of not inspected parts are kept, and all with words on them.
        recent: the number of last pictures of each detector that stay for the page and for trials of candidates.
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
        """Whether a picture is kept longer than the recent ones."""
        if verdict != GOOD:
            return True
        return self.one_good_in > 0 and int(picture[:8], 16) % self.one_good_in == 0


class Pictures:
    """The folder of kept pictures: ``ab/abcdef....png``. Thread-safe."""

    def __init__(self, folder: Path, record: Record, keeping: Keeping) -> None:
        self.folder, self.record, self.keeping = folder, record, keeping
        self._recent: dict[str, collections.deque[str]] = collections.defaultdict(collections.deque)
        self._lock = threading.Lock()
        for row in reversed(record.results(limit=keeping.recent)):
            self._remember(row)

    def save(self, picture: str, content: bytes, *, lasting: bool = False) -> Path:
        """Write a picture's bytes, unless the file exists.

        Args:
            picture: SHA-256 of the bytes.
            content: the bytes.
            lasting: sync the file to the disk before returning, as its row is synced. Otherwise a power cut could leave
                an empty file, which an audit would report as changed.

        Raises:
            FlawspotError: the bytes cannot be written.
        """
        there = self.find(picture)
        if there is not None and there.stat().st_size == len(content):
            return there
        suffix = next((kind for begin, kind in SUFFIXES.items() if content.startswith(begin)), ".bin")
        path = self.folder / picture[:2] / f"{picture}{suffix}"
        write_bytes(path, content, lasting=lasting)
        return path

    def find(self, picture: str) -> Path | None:
        """The file of a picture; None if there is none or `picture` is not a SHA-256."""
        if not _NAME.fullmatch(picture):
            return None
        paths = (self.folder / picture[:2] / f"{picture}{suffix}" for suffix in (*SUFFIXES.values(), ".bin"))
        return next((path for path in paths if path.is_file()), None)

    def judged(self, row: Row) -> None:
        """Note a recorded result, and remove the oldest of the recent pictures unless it is to be kept."""
        for picture in self._remember(row):
            if not self.record.keeps(picture):
                self._remove(picture)

    def recent(self, detector: str) -> list[str]:
        """The last pictures of a detector, oldest first. Their files may be gone if nothing was kept."""
        with self._lock:
            return list(self._recent[detector])

    def sweep(self) -> int:
        """Remove pictures that are too old, too many, or not to be kept. Returns how many were removed.

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
            if reason != "share":  # removal of good pictures is the rule, and `kept` in their rows says it
                # Recorded first, so that no picture is removed without a row.
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
    """Time, size and path of each file. Files may vanish meanwhile, as the line goes on."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            state = path.stat()
            yield state.st_mtime, state.st_size, path
