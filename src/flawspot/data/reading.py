"""Going through photographs before anything is learned from them, and bringing masks to the size of a map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ImageError
from flawspot.progress import SILENT, Progress
from flawspot.runtime.prefetch import prefetch
from flawspot.runtime.reduced import read_photograph

_ANY_SIZE = 32


def readable(
    paths: Sequence[Path], *, strict: bool = False, progress: Progress = SILENT
) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Decode every photograph and tell those that can be read from those that cannot.

    Returns:
        The readable ones, and each other one with the reason, one line that names it; both in the order of `paths`.

    Raises:
        ImageError: with `strict`, the first photograph that cannot be read.
    """
    good: list[Path] = []
    skipped: list[tuple[Path, str]] = []
    for path, error in progress.track(prefetch(paths, _check), "checking photographs", len(paths)):
        if error is None:
            good.append(path)
        elif strict or not isinstance(error, ImageError):
            raise error
        else:
            skipped.append((path, str(error)))
    return good, skipped


def _check(path: Path) -> None:
    """Decode and let go: only whether it can be read is asked."""
    read_photograph(path, _ANY_SIZE)


def resize_mask(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """(size, size) bool from (H, W): each pixel takes the value at its centre, as Pillow's NEAREST does."""
    height, width = mask.shape
    # Centre i + 1/2 lies in source pixel floor((i + 1/2) * length / size), here in integers and so without rounding.
    centres = 2 * np.arange(size, dtype=np.int64) + 1
    return mask[np.ix_(centres * height // (2 * size), centres * width // (2 * size))]
