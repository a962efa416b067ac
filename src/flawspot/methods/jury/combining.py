"""Combines the members' maps into one.

Each map is first converted to a common scale, by its values x on good photographs that no member has learned from:

- *z*, ``(x - mean) / deviation``;
- *surprise*, ``-log p``: p is the share of good pixels with at least this value. Above u, which a share of `TAIL`
  exceeds, values are modelled to fall off exponentially with their mean excess b over u, the maximum-likelihood fit
  of such a tail (Pickands, Statistical inference using extreme order statistics, Annals of Statistics 1975, with
  shape 0). Above and below u it is one smooth function, ``softplus((x - c) / b)``: -log of a logistic tail with
  p(u) = `TAIL`.

Rules, for weights w of the members:

- ``fisher``: ``sum of w surprise`` (Fisher, Statistical Methods for Research Workers, 1932, section 21.1: the statistic
  of independent tests of one hypothesis is -2 times the sum of log p);
- ``norm``: ``root of the sum of w surprise^2``, between that and the maximum: a confident member counts a little more;
- ``cauchy``: ``log of the mean of w / p``, up to a constant and for small p the Cauchy combination (Liu and Xie, JASA
  2020, equation 2), which holds for members that depend on each other; nearly their maximum;
- ``sum``: ``sum of w z``, where above 0; ``product``: ``product of softplus(z)^w``; ``maximum``: the largest z.

No rule was chosen by real defects.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.errors import TrainingError

RULES = ("fisher", "norm", "cauchy", "sum", "product", "maximum")
TAIL = 0.01
"""Share of good pixels in the tail."""
_LITTLE = 1e-6
_MOST_SURPRISE = 80.0
"""Nats from which on ``1 / p`` would leave float32."""


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


class Combination(nn.Module):
    """Combines maps of M members, (N, h, w) each, into one, (N, h, w), never below 0."""

    def __init__(self, rule: str, scales: list[Scale], weights: list[float]) -> None:
        super().__init__()
        self.rule = rule
        of_surprise = rule in ("fisher", "norm", "cauchy")
        self.offsets = [scale.centre if of_surprise else scale.mean for scale in scales]
        self.widths = [scale.width if of_surprise else scale.deviation for scale in scales]
        self.weights = weights

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Apply the rule; see the module's description."""
        scaled = [(each - offset) / width for each, offset, width in zip(maps, self.offsets, self.widths, strict=True)]
        if self.rule == "maximum":
            largest = scaled[0]
            for each in scaled[1:]:
                largest = torch.maximum(largest, each)
            return torch.relu(largest)
        if self.rule == "sum":
            return torch.relu(self._summed(scaled))
        surprises = [F.softplus(each) for each in scaled]
        if self.rule == "fisher":
            return self._summed(surprises)
        if self.rule == "norm":
            return torch.sqrt(self._summed([each * each for each in surprises]))
        if self.rule == "product":
            return torch.exp(self._summed([torch.log(each + _LITTLE) for each in surprises]))
        inverses = [torch.exp(each.clamp(max=_MOST_SURPRISE)) for each in surprises]
        return torch.log(self._summed(inverses) / sum(self.weights)).clamp(min=0)

    def _summed(self, terms: list[Tensor]) -> Tensor:
        total = self.weights[0] * terms[0]
        for weight, term in zip(self.weights[1:], terms[1:], strict=True):
            total = total + weight * term
        return total
