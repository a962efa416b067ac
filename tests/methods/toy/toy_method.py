"""A method of somebody else's, in one file: how far each position is from the mean good one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.methods.base import Method
from flawspot.methods.costs import FittingCosts, MemoryItem
from flawspot.methods.features import FeatureSet
from flawspot.methods.patches import join
from flawspot.methods.registry import method
from flawspot.methods.settings import setting
from flawspot.methods.shapes import Shapes
from flawspot.methods.smoothing import SIGMA, Upsample, upsampling_part
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Part


@method
@dataclass(kw_only=True)
class Toy(Method):
    """Distance to the mean at each position.

    Attributes:
        strength: what distances are multiplied with.
        channels: how many are kept, chosen by the seed;
            never more than there are.
        mean_: (d, G, G) of the good images.
    """

    name: ClassVar[str] = "toy"
    source: ClassVar[str] = "Nobody, 2026"

    strength: float = setting(1.0, above=0, high=10)
    channels: int = setting(12, low=1)

    selected_: NDArray[np.int64] = field(init=False, repr=False)
    mean_: NDArray[np.float32] = field(init=False, repr=False)

    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """One mean."""
        shapes = self.shapes_ = features.shapes
        self.selected_ = np.random.default_rng(self.seed).choice(shapes.channels, self.kept(shapes), replace=False)
        total = torch.zeros(1, shapes.channels, shapes.grid, shapes.grid)
        for index in progress.track(range(len(features)), "averaging"):
            one = slice(index, index + 1)
            total += join([torch.from_numpy(features.batch(tap, one)) for tap in shapes.taps], shapes.grid)
        self.mean_ = total[0, self.selected_].numpy() / len(features)
        return self

    def kept(self, shapes: Shapes) -> int:
        """How many channels are kept."""
        return min(self.channels, shapes.channels)

    def head(self) -> nn.Module:
        """A difference."""
        return ToyHead(self)

    def planned_parts(self, shapes: Shapes) -> list[Part]:
        """The mean and the smoothing."""
        size = self.kept(shapes) * shapes.positions
        return [Part("mean", 4 * size, size), upsampling_part(shapes.grid, shapes.input_size)]

    def training_costs(self, shapes: Shapes) -> FittingCosts:
        """One sum."""
        return FittingCosts((MemoryItem("sum", 4 * shapes.channels * shapes.positions),))


class ToyHead(nn.Module):
    """Feature maps -> anomaly map and score."""

    mean: Tensor
    selected: Tensor

    def __init__(self, fitted: Toy) -> None:
        super().__init__()
        shapes = fitted.shapes_
        self.taps, self.grid, self.strength = shapes.taps, shapes.grid, fitted.strength
        self.register_buffer("mean", torch.from_numpy(fitted.mean_))
        self.register_buffer("selected", torch.from_numpy(fitted.selected_))
        self.upsample = Upsample(shapes.grid, shapes.input_size, SIGMA)

    def forward(self, maps: Mapping[int, Tensor]) -> tuple[Tensor, Tensor]:
        """{tap: (N, C, H, W)} -> (N, S, S), (N,)."""
        difference = torch.index_select(join([maps[tap] for tap in self.taps], self.grid), 1, self.selected) - self.mean
        anomaly_map = self.upsample(self.strength * (difference * difference).sum(1).sqrt())
        return anomaly_map, anomaly_map.amax(dim=(1, 2))
