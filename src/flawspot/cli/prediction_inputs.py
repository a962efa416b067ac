"""Finds the photographs that a command line names, and reads them for the detector."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

import typer

from flawspot.errors import DataError, ImageError
from flawspot.extras import require
from flawspot.files import is_folder, special_kind
from flawspot.runtime.detector import Detector
from flawspot.runtime.feed import Shot, files, listed, streamed, unread, watched
from flawspot.runtime.listing import find_images
from flawspot.runtime.photographs import Photographs, find_photographs
from flawspot.runtime.prefetch import prefetch
from flawspot.runtime.reduced import Decoded
from flawspot.runtime.video import frames, is_live, is_video

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Feed:
    """The photographs to predict.

    Attributes:
        still: the existing files, in order, and the files that were left out.
        shots: one for each of these files.
        live: photographs that come later, one by one; None if there are none.
        endless: whether they only end by Ctrl-C.
    """

    still: Photographs
    shots: list[Shot]
    live: Iterator[Shot] | None
    endless: bool = False

    def readings(self, detector: Detector) -> Iterator[tuple[Shot, Decoded | Exception]]:
        """Yield each shot, decoded, or the error that prevented it.

        Files are decoded ahead. A live photograph is waited for only when nothing else is ready.
        """

        def read(shot: Shot) -> Decoded:
            if isinstance(shot.source, ImageError):
                raise shot.source
            return detector.read(shot.source)

        yield from prefetch(self.shots, read)
        yield from prefetch(self.live or (), read, workers=0)


def open_feed(images: Sequence[str], from_list: Path | None, every: int, watch: bool) -> Feed:
    """Find the photographs that a command line names.

    Raises:
        DataError: a folder has no images, or a pattern matches nothing.
        FlawspotError: a list cannot be read, or the package that reads films is missing.
        BadParameter: nothing is named, standard input is named twice, or something other than a folder is watched.
    """
    if not images and from_list is None:
        raise typer.BadParameter("give photographs, or --list FILE", param_hint="IMAGES")
    if images.count(STANDARD_INPUT) + (str(from_list) == STANDARD_INPUT) > 1:
        raise typer.BadParameter("standard input can be read only once", param_hint="-")
    films = [name for name in images if name != STANDARD_INPUT and is_video(name)]
    names = [name for name in images if name != STANDARD_INPUT and name not in films]
    folders = [Path(name) for name in names]
    if watch and not (folders and all(is_folder(folder) for folder in folders)):
        raise typer.BadParameter("give existing folders to watch", param_hint="--watch")
    if films:
        require("cv2", "reading a film or camera")
    # A watched folder may still be empty.
    named = [name for name in names if not watch or find_images(Path(name))]
    found = find_photographs(named) if named else Photographs((), 0)
    coming: list[Iterator[Shot]] = []
    if from_list is not None:
        coming.append(listed(_standard_input() if str(from_list) == STANDARD_INPUT else _opened(from_list)))
    if STANDARD_INPUT in images:
        coming.append(streamed(_standard_input()))
    coming += [_film(name, every) for name in films]
    if watch:
        coming.append(watched(folders, [*found.unread, *(path for path, _ in found.found)]))
    still = [unread(path, Path(path.name)) for path in found.unread] + files(found.found)
    endless = watch or any(is_live(name) for name in films)
    return Feed(found, still, chain(*coming) if coming else None, endless)


def _film(name: str, every: int) -> Iterator[Shot]:
    """The pictures of a film. One that cannot be opened counts as not inspected, and the others are still read."""
    try:
        yield from frames(name, every)
    except ImageError as error:
        yield Shot(name, Path(Path(name).name or "stream"), error)


def _standard_input() -> IO[bytes]:
    if sys.stdin is None or sys.stdin.closed:
        raise DataError("there is no standard input to read from")
    return sys.stdin.buffer


def _opened(path: Path) -> IO[bytes]:
    try:
        kind = special_kind(path)
        if kind is not None:  # a pipe or device, which may block for ever
            raise DataError(f"cannot read the list {path}: it is {kind}. Give a file, or - for standard input")
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the list {path}: {getattr(error, 'strerror', None) or error}") from None
