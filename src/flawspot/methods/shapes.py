"""The shapes of a method's features, without their numbers: everything that a detector's costs depend on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flawspot.errors import ConfigurationError
from flawspot.runtime.manifest import PRECISIONS

SMALLEST_INPUT, LARGEST_INPUT = 32, 1024
"""Limits in pixels for the sides of a network's input, which is a resized photograph or a tile."""


Size = tuple[int, int]
"""Height and width, in pixels or in cells of a grid."""


def as_size(size: int | Sequence[int]) -> Size:
    """Height and width of a size given as both, or as the side of a square.

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
        ConfigurationError: it is out of range; the message names the range.
    """
    if not all(SMALLEST_INPUT <= side <= LARGEST_INPUT for side in as_size(size)):
        shown = size if isinstance(size, int) else " x ".join(map(str, size))
        raise ConfigurationError(
            f"input size {shown} is out of range: give {SMALLEST_INPUT} to {LARGEST_INPUT} pixels, usually 224"
        )


@dataclass(frozen=True)
class Shapes:
    """The shapes of the maps that a method is fitted on.

    Attributes:
        backbone: the name of the network that makes them.
        taps: the layers that the detector compares, ascending.
        maps: {layer: (C, H, W)} of one photograph or tile, for every layer in `Method.required`.
        input_size: size of the network's input in pixels: a resized photograph, or a tile.
        images: the number of these maps that the method is fitted on; each tile counts as one.
        tiles: T, the number of tiles of a photograph; 1 for whole photographs.
        copies: number of varied copies of each photograph among the images (`flawspot.data.varying`).
    """

    backbone: str
    taps: tuple[int, ...]
    maps: Mapping[int, tuple[int, int, int]]
    input_size: Size
    images: int
    tiles: int = 1
    copies: int = 0

    @property
    def tap_channels(self) -> tuple[int, ...]:
        """Channels of each tap."""
        return tuple(self.maps[tap][0] for tap in self.taps)

    @property
    def tap_grids(self) -> tuple[Size, ...]:
        """Height and width of each tap's map."""
        return tuple(self.maps[tap][1:] for tap in self.taps)

    @property
    def channels(self) -> int:
        """Channels of all taps together."""
        return sum(self.tap_channels)

    @property
    def grid(self) -> Size:
        """Height and width of the finest tap's map, which has the most positions."""
        return max(self.tap_grids, key=math.prod)

    @property
    def positions(self) -> int:
        """P, the positions of the finest tap's map, in one photograph or tile."""
        return math.prod(self.grid)


def check_precision(precision: str) -> None:
    """Refuse an unknown precision.

    Raises:
        ConfigurationError: the known ones are listed.
    """
    if precision not in PRECISIONS:
        raise ConfigurationError(f"unknown precision {precision!r}: the known ones are {', '.join(PRECISIONS)}")
