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

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flawspot.methods.jury.scales import OFFSET, WIDTH, Scale

RULES = ("fisher", "norm", "cauchy", "sum", "product", "maximum")
_LITTLE = 1e-6
_MOST_SURPRISE = 80.0
"""Nats from which on ``1 / p`` would leave float32."""


class Combination(nn.Module):
    """Combines maps of M members, (N, h, w) each, into one, (N, h, w), never below 0."""

    def __init__(self, rule: str, scales: list[Scale], weights: list[float], *, named: bool = False) -> None:
        """`named`: the scales are constants with names in the graph, which an update changes."""
        super().__init__()
        self.rule = rule
        self.weights = weights
        for number, scale in enumerate(scales):
            for name, value in zip((OFFSET, WIDTH), scale.by(rule), strict=True):
                if named:
                    self.register_buffer(f"{name}{number}", torch.tensor(value))
                else:
                    setattr(self, f"{name}{number}", value)

    def _scaled(self, number: int, anomaly_map: Tensor) -> Tensor:
        scaled: Tensor = (anomaly_map - getattr(self, f"{OFFSET}{number}")) / getattr(self, f"{WIDTH}{number}")
        return scaled

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Apply the rule; see the module's description."""
        scaled = [self._scaled(number, each) for number, each in enumerate(maps)]
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
