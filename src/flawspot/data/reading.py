"""Decodes and measures all photographs before training, and resizes masks to maps."""

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
"""Deviation in grey levels up to which a photograph has a single colour; it is only rounding."""


@dataclass(frozen=True)
class Checked:
    """Photographs after they were all decoded once.

    Attributes:
        readable: those that can be read, in the order given.
        looks: the measures of each of these.
        skipped: the other ones, each with the reason in one line that names it, in the order given.
    """

    readable: list[Path]
    looks: list[Look]
    skipped: list[tuple[Path, str]]

    @property
    def differ(self) -> bool:
        """Whether two of the readable ones have different pixels."""
        return len({seen.checksum for seen in self.looks}) > 1

    @property
    def empty(self) -> bool:
        """Whether each of the readable ones has a single colour."""
        return all(seen.deviation < _FLAT for seen in self.looks)


def check_photographs(paths: Sequence[Path], *, strict: bool = False, progress: Progress = SILENT) -> Checked:
    """Decode every photograph, and separate the readable from the unreadable ones.

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
    """Resize (H, W) to `size` (height, width). Each pixel takes the value at its centre, as Pillow's NEAREST does."""
    height, width = values.shape
    # Centre i + 1/2 is in source pixel floor((i + 1/2) * length / size), computed in integers and so without rounding.
    down, across = (2 * np.arange(side, dtype=np.int64) + 1 for side in size)
    return values[np.ix_(down * height // (2 * size[0]), across * width // (2 * size[1]))]
