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
        mean_: (T, d, H, W) of the good images, for each of the T tiles
            that a photograph is cut into.
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
        features.check_inside()
        self.selected_ = np.random.default_rng(self.seed).choice(shapes.channels, self.kept(shapes), replace=False)
        total = torch.zeros(shapes.tiles, shapes.channels, *shapes.grid)
        for start in progress.track(range(0, len(features), shapes.tiles), "averaging"):
            one = slice(start, start + shapes.tiles)
            total += join([torch.from_numpy(features.batch(tap, one)) for tap in shapes.taps], shapes.grid)
        self.mean_ = total[:, self.selected_].numpy() * shapes.tiles / len(features)
        return self

    def kept(self, shapes: Shapes) -> int:
        """How many channels are kept."""
        return min(self.channels, shapes.channels)

    def head(self) -> nn.Module:
        """A difference."""
        return ToyHead(self)

    def planned_parts(self, shapes: Shapes) -> list[Part]:
        """The mean and the smoothing: bytes of all tiles, multiply-accumulates of one."""
        size = self.kept(shapes) * shapes.positions
        return [Part("mean", 4 * size * shapes.tiles, size), upsampling_part(shapes.grid, shapes.input_size)]

    def training_costs(self, shapes: Shapes) -> FittingCosts:
        """One sum."""
        return FittingCosts((MemoryItem("sum", 4 * shapes.channels * shapes.positions * shapes.tiles),))


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

    def forward(self, maps: Mapping[int, Tensor], inside: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """{tap: (N T, C, H, W)}, (N T, h, w) -> (N T, h, w), (N T,)."""
        selected = torch.index_select(join([maps[tap] for tap in self.taps], self.grid), 1, self.selected)
        difference = selected.reshape(-1, *self.mean.shape) - self.mean  # (N, T, d, H, W)
        distance = (difference * difference).sum(2).sqrt().flatten(0, 1)
        anomaly_map = self.upsample(self.strength * distance, inside)
        return anomaly_map, anomaly_map.amax(dim=(1, 2))
