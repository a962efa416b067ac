"""Photographs as a line brings them: files, names in a list, pictures in a stream, a growing folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from flawspot.errors import ImageError
from flawspot.runtime.listing import IMAGE_SUFFIXES, UNFINISHED_SUFFIXES, list_files, unread_reason
from flawspot.runtime.marks import is_marked
from flawspot.runtime.picture_stream import split_pictures

POLL_SECONDS = 0.5
"""Seconds between two looks at a growing folder. A file is taken if it has not changed between them."""


@dataclass(frozen=True)
class Shot:
    """One photograph on its way to the detector.

    Attributes:
        name: the file, film or camera that it comes from, as given.
        relative: path of its picture below a folder of pictures, without the suffix.
        source: the input of `Detector.read`; or the reason why there is none.
        frame: its number in a film, or in a stream from 1; None for a file.
    """

    name: str
    relative: Path
    source: Path | bytes | NDArray[Any] | ImageError
    frame: int | None = None

    @property
    def title(self) -> str:
        """Its name as people read it, with the frame's number if it is from a film."""
        return self.name if self.frame is None else f"{self.name} frame {self.frame}"


def files(found: Iterable[tuple[Path, Path]]) -> list[Shot]:
    """Shots of photographs with their paths below the folder in which they were found."""
    return [Shot(str(path), relative, path) for path, relative in found]


def unread(path: Path, relative: Path) -> Shot:
    """A shot for a file of an unread kind, with the reason why it is not judged."""
    return Shot(str(path), relative, ImageError(unread_reason(path)))


def listed(lines: Iterable[bytes]) -> Iterator[Shot]:
    """Shots for names, one a line, as they come. Empty lines are skipped."""
    for line in lines:
        name = os.fsdecode(line.rstrip(b"\r\n"))
        if name:
            yield Shot(name, Path(Path(name).name or name), Path(name))


def streamed(stream: IO[bytes], name: str = "-") -> Iterator[Shot]:
    """Shots for pictures that follow each other in a stream; see `split_pictures`."""
    for number, picture in enumerate(split_pictures(stream), 1):
        yield Shot(name, Path(f"stdin_{number:06}.jpg"), picture, number)


def watched(folders: Sequence[Path], seen: Iterable[Path] = (), *, poll: float = POLL_SECONDS) -> Iterator[Shot]:
    """Endlessly yield the photographs that come into `folders`. A file that is rewritten comes again. Files of unread
    kinds come too, with the reason.

    Args:
        folders: folders to watch, with their subfolders. Pictures that flawspot drew are skipped.
        seen: existing files that are not wanted.
        poll: seconds between two looks.

    Raises:
        ImageError: a folder cannot be listed.
    """
    taken = {path: state_of(path) for path in seen}
    before: dict[Path, tuple[int, int] | None] = {}
    while True:
        now = {path: (folder, state_of(path)) for folder in folders for path in _arrived(folder)}
        for path, (folder, state) in now.items():
            if state is not None and state[0] and state != taken.get(path) and before.get(path) == state:
                taken[path] = state
                relative = path.relative_to(folder)
                is_image = path.suffix.lower() in IMAGE_SUFFIXES
                yield Shot(str(path), relative, path) if is_image else unread(path, relative)
        before = {path: state for path, (_, state) in now.items()}
        time.sleep(poll)


def _arrived(folder: Path) -> list[Path]:
    """Files that may be photographs. A file that is still being written under another name comes later under its
    own."""
    listing = list_files(folder)
    images = [path for path in listing.images if not is_marked(path)]
    return images + [path for path in listing.unread if path.suffix.lower() not in UNFINISHED_SUFFIXES]


def state_of(path: Path) -> tuple[int, int] | None:
    """Size and time of a file, which show whether it is still being written."""
    try:
        found = path.stat()
    except OSError:  # gone
        return None
    return found.st_size, found.st_mtime_ns
