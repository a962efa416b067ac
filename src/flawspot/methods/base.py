"""What a method is: fit on features of good images, then a head from feature maps to an anomaly map and a score."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flawspot.methods.features import FeatureSet
from flawspot.methods.smoothing import upsampling_matrix
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Part, Scalar

SIGMA = 4.0
"""Standard deviation of the Gaussian over the map, in pixels of a 224-pixel map; scaled with other input sizes."""


@dataclass(kw_only=True)
class Method(ABC):
    """A way to tell anomalous from good, given the feature maps of a frozen backbone.

    A subclass is a dataclass whose fields are its hyperparameters; attributes learned in `fit` end in ``_``.

    Attributes:
        seed: of every random choice.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    """The paper the method is from."""
    default_layers: ClassVar[str] = "equiv"
    validation_fraction: ClassVar[float] = 0.0
    """The share of the good images that `fit` wants held out to choose its epoch."""

    seed: int = 0

    def required(self, taps: tuple[int, ...], backbone: str) -> tuple[int, ...]:
        """The layers whose outputs `fit` and the head need, ascending; the taps unless a method says otherwise.

        Raises:
            ConfigurationError: the method cannot work with these taps.
        """
        return taps

    @abstractmethod
    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Learn from the features of good images. Sets the learned attributes and returns itself.

        Args:
            features: of the images to learn from.
            validation: of other good images, to choose the epoch by; None for methods without `validation_fraction`.
            progress: told of epochs and other long loops.

        Raises:
            DataError: too few images.
            TrainingError: the training diverged.
        """

    @abstractmethod
    def head(self) -> nn.Module:
        """The fitted head: ``forward({layer: (N, C, H, W)}) -> (anomaly_map (N, S, S), score (N,))``, both float32.

        It is exported into the artifact's graph behind the backbone.
        """

    @abstractmethod
    def parts(self) -> list[Part]:
        """What the fitted head stores and computes for one image, by named part."""

    def hyperparameters(self) -> dict[str, Scalar]:
        """Every field by name but the seed."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.init and field.name != "seed"
        }


def embed(maps: Sequence[Tensor], *, pool: bool, mode: str) -> Tensor:
    """Concatenate the taps on the finest grid.

    Args:
        maps: (N, C_k, H_k, W_k) each.
        pool: average each over 3 x 3 first, as PatchCore and CFA do; beyond the border are zeros.
        mode: how coarse maps come to the finest grid: ``nearest`` repeats them, ``bilinear`` interpolates.

    Returns:
        (N, sum of C_k, G, G) with G the largest side.
    """
    grid = max(m.shape[2] for m in maps)
    resized = []
    for features in maps:
        if pool:
            features = F.avg_pool2d(features, 3, stride=1, padding=1)
        if features.shape[2] != grid:
            align = None if mode == "nearest" else False
            features = F.interpolate(features, size=(grid, grid), mode=mode, align_corners=align)
        resized.append(features)
    return torch.cat(resized, dim=1)


def training_device() -> torch.device:
    """Where what learns is trained: the GPU if torch has one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Upsample(nn.Module):
    """(N, G, G) -> (N, S, S): bilinear, then a Gaussian of `sigma` (in pixels of 224); see `methods.smoothing`."""

    matrix: Tensor

    def __init__(self, grid: int, size: int, sigma: float = 0.0) -> None:
        super().__init__()
        matrix = upsampling_matrix(grid, size, sigma * size / 224)
        self.register_buffer("matrix", torch.from_numpy(matrix).float())

    def forward(self, maps: Tensor) -> Tensor:
        """Two small matrix products."""
        return self.matrix @ maps @ self.matrix.T

    def part(self, name: str = "smoothing") -> Part:
        """Its matrix and its multiply-accumulates for one map."""
        size, grid = self.matrix.shape
        return Part(name, self.matrix.numel() * 4, size * grid * grid + size * size * grid)
