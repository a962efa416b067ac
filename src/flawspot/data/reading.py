"""Going through photographs before anything is learned from them, and bringing masks to the size of a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from flawspot.data.looking import Look, look
from flawspot.errors import ImageError
from flawspot.progress import SILENT, Progress
from flawspot.runtime.prefetch import prefetch

Value = TypeVar("Value", bound=np.generic)

_FLAT = 1e-3
"""Grey levels of deviation, and of nothing else than rounding."""


@dataclass(frozen=True)
class Checked:
    """Photographs that were all decoded once.

    Attributes:
        readable: those that can be read, in the order given.
        looks: what each of these looks like.
        skipped: each other one with the reason, one line that names it; likewise.
    """

    readable: list[Path]
    looks: list[Look]
    skipped: list[tuple[Path, str]]

    @property
    def differ(self) -> bool:
        """Whether there are two among the readable ones with different pixels."""
        return len({seen.checksum for seen in self.looks}) > 1

    @property
    def empty(self) -> bool:
        """Whether each of the readable ones is of a single colour."""
        return all(seen.deviation < _FLAT for seen in self.looks)


def check_photographs(paths: Sequence[Path], *, strict: bool = False, progress: Progress = SILENT) -> Checked:
    """Decode every photograph and tell those that can be read from those that cannot.

    Raises:
        ImageError: with `strict`, the first photograph that cannot be read.
    """
    checked = Checked([], [], [])
    for path, seen in progress.track(prefetch(paths, look), "checking photographs", len(paths)):
        if isinstance(seen, Look):
            checked.readable.append(path)
            checked.looks.append(seen)
        elif strict or not isinstance(seen, ImageError):
            raise seen
        else:
            checked.skipped.append((path, str(seen)))
    return checked


def at_centres(values: NDArray[Value], size: tuple[int, int]) -> NDArray[Value]:
    """(height, width) of `size` from (H, W): each pixel takes the value at its centre, as Pillow's NEAREST does."""
    height, width = values.shape
    # Centre i + 1/2 lies in source pixel floor((i + 1/2) * length / size), here in integers and so without rounding.
    down, across = (2 * np.arange(side, dtype=np.int64) + 1 for side in size)
    return values[np.ix_(down * height // (2 * size[0]), across * width // (2 * size[1]))]
