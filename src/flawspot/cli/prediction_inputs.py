"""From what a command line names to photographs on their way to the detector."""

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
    """What is to be predicted.

    Attributes:
        still: files that are there, in order, with what was passed over beside them.
        shots: of these, and of what lies among them and is not read.
        live: what comes afterwards, one by one; None where nothing does.
        endless: whether that has no end but Ctrl-C.
    """

    still: Photographs
    shots: list[Shot]
    live: Iterator[Shot] | None
    endless: bool = False

    def readings(self, detector: Detector) -> Iterator[tuple[Shot, Decoded | Exception]]:
        """Each shot, decoded, or why it cannot be; files are decoded ahead, and nothing that comes live is waited for
        while there is something to tell."""

        def read(shot: Shot) -> Decoded:
            if isinstance(shot.source, ImageError):
                raise shot.source
            return detector.read(shot.source)

        yield from prefetch(self.shots, read)
        yield from prefetch(self.live or (), read, workers=0)


def open_feed(images: Sequence[str], from_list: Path | None, every: int, watch: bool) -> Feed:
    """Find what a command line names.

    Raises:
        DataError: a folder without images, or a pattern that matches nothing.
        FlawspotError: a list that cannot be read, or a film without the package that reads it.
        BadParameter: nothing is named, standard input twice, or something else than folders is to be watched.
    """
    if not images and from_list is None:
        raise typer.BadParameter("give photographs, or --list FILE", param_hint="IMAGES")
    if images.count(STANDARD_INPUT) + (str(from_list) == STANDARD_INPUT) > 1:
        raise typer.BadParameter("standard input can be read once only", param_hint="-")
    films = [name for name in images if name != STANDARD_INPUT and is_video(name)]
    names = [name for name in images if name != STANDARD_INPUT and name not in films]
    folders = [Path(name) for name in names]
    if watch and not (folders and all(is_folder(folder) for folder in folders)):
        raise typer.BadParameter("give folders to watch, which are there", param_hint="--watch")
    if films:
        require("cv2", "reading a film or camera")
    # A folder that is watched may be empty as yet.
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
    """One that cannot be opened is one that was not inspected, and no reason to leave out the others."""
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
        if kind is not None:  # which may keep us waiting for ever
            raise DataError(f"cannot read the list {path}: it is {kind}. Give a file, or - for standard input")
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the list {path}: {getattr(error, 'strerror', None) or error}") from None
