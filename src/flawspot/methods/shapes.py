"""What a method sees, without its numbers: everything about a detector that its costs follow from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flawspot.errors import ConfigurationError
from flawspot.runtime.manifest import PRECISIONS

SMALLEST_INPUT, LARGEST_INPUT = 32, 1024
"""Sides in pixels that photographs may be resized to."""


def check_input_size(size: int) -> None:
    """Refuse a side that photographs cannot be resized to.

    Raises:
        ConfigurationError: names the range.
    """
    if not SMALLEST_INPUT <= size <= LARGEST_INPUT:
        raise ConfigurationError(
            f"input size {size} is out of range: give {SMALLEST_INPUT} to {LARGEST_INPUT} pixels, 224 as a rule"
        )


@dataclass(frozen=True)
class Shapes:
    """The maps that a method is fitted on, by their shapes.

    Attributes:
        backbone: the name of the network that makes them.
        taps: the layers that the detector looks at, ascending.
        maps: {layer: (C, H, W)} of one photograph, for every layer that the method asks for in `Method.required`.
        input_size: side S of the square the photographs are resized to.
        images: how many photographs the method is fitted on.
    """

    backbone: str
    taps: tuple[int, ...]
    maps: Mapping[int, tuple[int, int, int]]
    input_size: int
    images: int

    @property
    def tap_channels(self) -> tuple[int, ...]:
        """Of each tap."""
        return tuple(self.maps[tap][0] for tap in self.taps)

    @property
    def tap_sides(self) -> tuple[int, ...]:
        """Of each tap's map."""
        return tuple(self.maps[tap][1] for tap in self.taps)

    @property
    def channels(self) -> int:
        """Of all taps together."""
        return sum(self.tap_channels)

    @property
    def grid(self) -> int:
        """The side of the finest tap's map."""
        return max(self.tap_sides)

    @property
    def positions(self) -> int:
        """P, of the finest tap's map."""
        return self.grid**2


def check_precision(precision: str) -> None:
    """Refuse what is no precision.

    Raises:
        ConfigurationError: the known ones are listed.
    """
    if precision not in PRECISIONS:
        raise ConfigurationError(f"unknown precision {precision!r}: the known ones are {', '.join(PRECISIONS)}")
