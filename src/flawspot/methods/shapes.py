"""What a method sees, without its numbers: everything about a detector that its costs follow from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flawspot.errors import ConfigurationError
from flawspot.runtime.manifest import PRECISIONS

SMALLEST_INPUT, LARGEST_INPUT = 32, 1024
"""Sides in pixels of what a network sees, a photograph resized to that or a tile of one."""


Size = tuple[int, int]
"""Height and width, in pixels or in cells of a grid."""


def as_size(size: int | Sequence[int]) -> Size:
    """Height and width of what is given as both, or as the one side of a square.

    Raises:
        ConfigurationError: it is neither one number nor two.
    """
    if not isinstance(size, Sequence):
        return size, size
    if len(size) != 2:
        raise ConfigurationError(f"an input size is one side or height and width, not {len(size)} numbers")
    return size[0], size[1]


def check_input_size(size: int | Size) -> None:
    """Refuse a size that photographs, or their tiles, cannot be resized to.

    Args:
        size: height and width in pixels, or the side of a square.

    Raises:
        ConfigurationError: names the range.
    """
    if not all(SMALLEST_INPUT <= side <= LARGEST_INPUT for side in as_size(size)):
        shown = size if isinstance(size, int) else " x ".join(map(str, size))
        raise ConfigurationError(
            f"input size {shown} is out of range: give {SMALLEST_INPUT} to {LARGEST_INPUT} pixels, 224 as a rule"
        )


@dataclass(frozen=True)
class Shapes:
    """The maps that a method is fitted on, by their shapes.

    Attributes:
        backbone: the name of the network that makes them.
        taps: the layers that the detector looks at, ascending.
        maps: {layer: (C, H, W)} of one photograph or tile, for every layer the method asks for in `Method.required`.
        input_size: what the network sees, in pixels: a photograph resized to that, or a tile of one.
        images: how many of these maps the method is fitted on; each tile counts as one.
        tiles: T, into how many a photograph is cut; 1 for photographs that are seen whole.
    """

    backbone: str
    taps: tuple[int, ...]
    maps: Mapping[int, tuple[int, int, int]]
    input_size: Size
    images: int
    tiles: int = 1

    @property
    def tap_channels(self) -> tuple[int, ...]:
        """Of each tap."""
        return tuple(self.maps[tap][0] for tap in self.taps)

    @property
    def tap_grids(self) -> tuple[Size, ...]:
        """Height and width of each tap's map."""
        return tuple(self.maps[tap][1:] for tap in self.taps)

    @property
    def channels(self) -> int:
        """Of all taps together."""
        return sum(self.tap_channels)

    @property
    def grid(self) -> Size:
        """Height and width of the finest tap's map, the one of the most positions."""
        return max(self.tap_grids, key=math.prod)

    @property
    def positions(self) -> int:
        """P, of the finest tap's map: of one photograph, or of one tile."""
        return math.prod(self.grid)


def check_precision(precision: str) -> None:
    """Refuse what is no precision.

    Raises:
        ConfigurationError: the known ones are listed.
    """
    if precision not in PRECISIONS:
        raise ConfigurationError(f"unknown precision {precision!r}: the known ones are {', '.join(PRECISIONS)}")
