"""Going through photographs before anything is learned from them, and bringing masks to the size of a map."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flawspot.data.near_duplicates import descriptor
from flawspot.errors import ImageError
from flawspot.progress import SILENT, Progress
from flawspot.runtime.prefetch import prefetch
from flawspot.runtime.reduced import read_photograph

_ANY_SIZE = 32


@dataclass(frozen=True)
class Checked:
    """Photographs that were all decoded once.

    Attributes:
        readable: those that can be read, in the order given.
        skipped: each other one with the reason, one line that names it; likewise.
        differ: whether there are two among the readable ones with different pixels.
        empty: whether each of the readable ones is of a single colour.
        descriptors: (N, D) float32 of the readable ones, see `flawspot.data.near_duplicates`.
    """

    readable: list[Path]
    skipped: list[tuple[Path, str]]
    differ: bool
    empty: bool
    descriptors: NDArray[np.float32]


def check_photographs(paths: Sequence[Path], *, strict: bool = False, progress: Progress = SILENT) -> Checked:
    """Decode every photograph and tell those that can be read from those that cannot.

    Raises:
        ImageError: with `strict`, the first photograph that cannot be read.
    """
    good: list[Path] = []
    skipped: list[tuple[Path, str]] = []
    pixels: set[int] = set()
    descriptors: list[NDArray[np.float32]] = []
    empty = True
    for path, seen in progress.track(prefetch(paths, _look), "checking photographs", len(paths)):
        if isinstance(seen, _Seen):
            good.append(path)
            pixels.add(seen.checksum)
            descriptors.append(seen.descriptor)
            empty = empty and seen.is_empty
        elif strict or not isinstance(seen, ImageError):
            raise seen
        else:
            skipped.append((path, str(seen)))
    return Checked(good, skipped, len(pixels) > 1, empty, np.array(descriptors))


@dataclass(frozen=True)
class _Seen:
    checksum: int
    is_empty: bool
    descriptor: NDArray[np.float32]


def _look(path: Path) -> _Seen:
    """Decode and let go: only whether it can be read is asked, and whether it is like the others."""
    photograph = read_photograph(path, _ANY_SIZE)
    pixels = photograph.pixels
    checksum = zlib.crc32(pixels.tobytes(), hash(photograph.size) & 0xFFFFFFFF)
    return _Seen(checksum, bool((pixels == pixels[0, 0]).all()), descriptor(pixels))


def resize_mask(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """(size, size) bool from (H, W): each pixel takes the value at its centre, as Pillow's NEAREST does."""
    height, width = mask.shape
    # Centre i + 1/2 lies in source pixel floor((i + 1/2) * length / size), here in integers and so without rounding.
    centres = 2 * np.arange(size, dtype=np.int64) + 1
    return mask[np.ix_(centres * height // (2 * size), centres * width // (2 * size))]
