"""The scale of a member's map on good photographs that it has not learned from; see `flawspot.methods.jury.combining`.

It needs no torch, because an update computes scales anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import TrainingError

TAIL = 0.01
"""Share of good pixels in the tail."""
MOST_PIXELS = 1 << 24
"""Most pixels of a map for computing its scale: those of 334 photographs of 224 x 224. If there are more, every second
or third is used."""
COMBINATION, OFFSET, WIDTH = "combination.", "offset_", "width_"
"""Names of the constants in a head that is to be updated: the module's, and its own before a member's number."""
_OF_SURPRISE = ("fisher", "norm", "cauchy")
"""Rules that combine surprises; the others combine z."""


@dataclass(frozen=True)
class Scale:
    """The scale of a member's map on good photographs that it has not learned from.

    Attributes:
        mean, deviation: mean and deviation of its pixels.
        centre, width: c and b of its surprise.
    """

    mean: float
    deviation: float
    centre: float
    width: float

    def by(self, rule: str) -> tuple[float, float]:
        """What a rule subtracts from the map, and what it divides by."""
        return (self.centre, self.width) if rule in _OF_SURPRISE else (self.mean, self.deviation)


def stride_over(pixels: int) -> int:
    """Every how many of so many pixels are used, so that they are at most `MOST_PIXELS`."""
    return max(-(-pixels // MOST_PIXELS), 1)


def scale_of(values: NDArray[np.float32], name: str) -> Scale:
    """Compute the scale of a member.

    Args:
        values: (n,) values of its map on inspected pixels.
        name: name of the member.

    Raises:
        TrainingError: all values are equal.
    """
    wide = values.astype(np.float64)
    mean, deviation = float(wide.mean()), float(wide.std())
    start = float(np.quantile(wide, 1 - TAIL))
    beyond = wide[wide > start]
    width = float((beyond - start).mean()) if len(beyond) else 0.0
    if not (deviation > 0 and width > 0 and math.isfinite(deviation)):
        raise TrainingError(f"the map of {name} is the same everywhere on good photographs: leave it out of the jury")
    return Scale(mean, deviation, start - width * math.log(1 / TAIL - 1), width)
