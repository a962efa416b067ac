"""PaDiM (Defard et al., PaDiM: a Patch Distribution Modeling Framework, ICPR 2020; arXiv 2011.08785).

A Gaussian N(mu_ij, Sigma_ij) at every position of the finest tap's grid; the anomaly of x_ij is its Mahalanobis
distance ``sqrt((x - mu)^T Sigma^-1 (x - mu))`` (section III-C). With L L^T = Sigma that is ``|L^-1 (x - mu)|``, and
L^-1 is computed once in training.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.errors import ConfigurationError
from flawspot.features import FeatureSet
from flawspot.kernels.gaussian import PositionGaussians, whitening
from flawspot.manifest import Part
from flawspot.methods.base import SIGMA, Method, Upsample, embed
from flawspot.methods.registry import method
from flawspot.progress import SILENT, Progress


@method
@dataclass(kw_only=True)
class PaDiM(Method):
    """Mahalanobis distance to a Gaussian at each position. The parts must lie alike in every photograph.

    Attributes:
        channels: d, how many random channels of all taps are kept; None keeps a quarter, which is what the PaSTe paper
            keeps of MobileNetV2's 248 (62). The choice is fixed by the seed.
        ridge: added to the diagonal of each covariance, epsilon = 0.01 in the paper (equation 1).
        sigma: of the Gaussian over the map, in pixels of 224 (section IV-B).
        selected_: (d,) indices into the concatenated channels, ascending.
        mean_: (P, d) float32; P positions row by row.
        whitening_: (P, d, d) float32, lower triangular L^-1.
    """

    name: ClassVar[str] = "padim"
    source: ClassVar[str] = "Defard et al., ICPR 2020 (arXiv 2011.08785)"

    channels: int | None = None
    ridge: float = 0.01
    sigma: float = SIGMA

    selected_: NDArray[np.int64] = field(init=False, repr=False)
    mean_: NDArray[np.float32] = field(init=False, repr=False)
    whitening_: NDArray[np.float32] = field(init=False, repr=False)
    taps_: tuple[int, ...] = field(init=False, repr=False)
    grid_: int = field(init=False, repr=False)
    input_size_: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.channels is not None and self.channels < 1:
            raise ConfigurationError(f"channels must be at least 1, not {self.channels}")
        if self.ridge <= 0:
            raise ConfigurationError(f"ridge must be above 0, not {self.ridge:g}")

    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Mean and covariance at each position, accumulated over the images; then the inverse Cholesky factors."""
        self.taps_, self.grid_, self.input_size_ = features.taps, features.grid, features.input_size
        total = features.channels
        count = self.channels if self.channels is not None else max(total // 4, 1)
        if count > total:
            raise ConfigurationError(f"channels is {count}, but the layers {list(self.taps_)} have {total} in all")
        generator = np.random.default_rng(self.seed)
        self.selected_ = np.sort(generator.choice(total, count, replace=False))
        gaussians = PositionGaussians(self.grid_**2, count)
        batches = range(0, len(features), 16)
        for start in progress.track(batches, "fitting a Gaussian at each position"):
            maps = [torch.from_numpy(features.batch(tap, slice(start, start + 16))) for tap in self.taps_]
            embedded = embed(maps, pool=False, mode="nearest")[:, self.selected_]  # (B, d, G, G)
            gaussians.add(embedded.flatten(2).permute(2, 0, 1).numpy())  # (P, B, d)
        with progress.step("inverting the covariances"):
            self.mean_ = gaussians.mean().astype(np.float32)
            self.whitening_ = whitening(gaussians.covariance(self.ridge)).astype(np.float32)
        return self

    def head(self) -> nn.Module:
        """One small matrix-vector product at each position; the image score is the maximum of the smoothed map."""
        return PaDiMHead(self)

    def parts(self) -> list[Part]:
        """Means and whitening matrices, and the smoothing."""
        return [
            Part("means", self.mean_.nbytes, 0),
            Part("precision", self.whitening_.nbytes, self.whitening_.size),
            Upsample(self.grid_, self.input_size_, self.sigma).part(),
        ]


class PaDiMHead(nn.Module):
    """Feature maps -> anomaly map and score."""

    selected: Tensor
    mean: Tensor
    whitening: Tensor

    def __init__(self, fitted: PaDiM) -> None:
        super().__init__()
        self.taps = fitted.taps_
        self.register_buffer("selected", torch.from_numpy(fitted.selected_))
        self.register_buffer("mean", torch.from_numpy(fitted.mean_.T[..., None].copy()))  # (d, P, 1)
        self.register_buffer("whitening", torch.from_numpy(fitted.whitening_))  # (P, d, d)
        self.upsample = Upsample(fitted.grid_, fitted.input_size_, fitted.sigma)

    def forward(self, maps: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
        """{tap: (N, C, H, W)} -> (N, S, S), (N,)."""
        embedded = embed([maps[tap] for tap in self.taps], pool=False, mode="nearest")[:, self.selected]
        grid = embedded.shape[2]
        difference = embedded.flatten(2).permute(1, 2, 0) - self.mean  # (d, P, N)
        whitened = self.whitening @ difference.permute(1, 0, 2)  # (P, d, N)
        distance = whitened.square().sum(1).sqrt()  # (P, N)
        anomaly_map = self.upsample(distance.T.reshape(-1, grid, grid))
        return anomaly_map, anomaly_map.amax(dim=(1, 2))
