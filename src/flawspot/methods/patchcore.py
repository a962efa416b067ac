"""PatchCore (Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022; arXiv 2106.08265).

The memory bank M is a coreset of the patch features of all good images. The anomaly of patch q is its distance to the
nearest member, ``min_{m in M} |q - m|`` (section 3.3).
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
from flawspot.kernels.coreset import farthest_first
from flawspot.kernels.nearest import NearestNeighbour
from flawspot.manifest import Part
from flawspot.methods.base import SIGMA, Method, Upsample, embed
from flawspot.methods.registry import method
from flawspot.progress import SILENT, Progress


@method
@dataclass(kw_only=True)
class PatchCore(Method):
    """Distance to the nearest patch of a memory bank.

    Attributes:
        bank_size: patches kept. The PaSTe paper keeps 30,000; a third of that is three times smaller and faster.
        bank_ratio: patches kept as a share of all, in the place of `bank_size`; the PatchCore paper's default is 0.1.
        reweight: weigh the image score by how crowded the bank is around the nearest member (equation 7).
        neighbours: b of equation 7, the paper's default 9.
        sigma: of the Gaussian over the map, in pixels of 224 (section 3.3).
        bank_: (M, C) float32.
    """

    name: ClassVar[str] = "patchcore"
    source: ClassVar[str] = "Roth et al., CVPR 2022 (arXiv 2106.08265)"

    bank_size: int = 10_000
    bank_ratio: float | None = None
    reweight: bool = False
    neighbours: int = 9
    sigma: float = SIGMA

    bank_: NDArray[np.float32] = field(init=False, repr=False)
    taps_: tuple[int, ...] = field(init=False, repr=False)
    grid_: int = field(init=False, repr=False)
    input_size_: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.bank_size < 1:
            raise ConfigurationError(f"bank_size must be at least 1, not {self.bank_size}")
        if self.bank_ratio is not None and not 0 < self.bank_ratio <= 1:
            raise ConfigurationError(f"bank_ratio must be above 0 and at most 1, not {self.bank_ratio:g}")
        if self.neighbours < 1:
            raise ConfigurationError(f"neighbours must be at least 1, not {self.neighbours}")

    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Pool the patches of all images and keep a farthest-first coreset of them."""
        self.taps_, self.grid_, self.input_size_ = features.taps, features.grid, features.input_size
        positions = self.grid_**2
        patches = np.empty((len(features) * positions, features.channels), np.float32)
        for start in range(0, len(features), 16):
            batch = [torch.from_numpy(features.batch(tap, slice(start, start + 16))) for tap in self.taps_]
            embedded = embed(batch, pool=True, mode="nearest")  # (B, C, G, G)
            rows = embedded.permute(0, 2, 3, 1).reshape(-1, embedded.shape[1])  # (B * G * G, C)
            patches[start * positions : start * positions + len(rows)] = rows.numpy()
        count = self.bank_size if self.bank_ratio is None else max(round(self.bank_ratio * len(patches)), 1)
        coreset = farthest_first(patches, count, seed=self.seed, progress=progress)
        self.bank_ = patches[coreset.indices]
        return self

    def head(self) -> nn.Module:
        """Nearest neighbour of every patch; the image score is the largest distance."""
        return PatchCoreHead(self)

    def parts(self) -> list[Part]:
        """The bank with its search, and the smoothing."""
        size, channels = self.bank_.shape
        bank = Part("memory bank", self.bank_.nbytes, self.grid_**2 * size * channels)
        return [bank, Upsample(self.grid_, self.input_size_, self.sigma).part()]


class PatchCoreHead(nn.Module):
    """Feature maps -> anomaly map and score."""

    def __init__(self, fitted: PatchCore) -> None:
        super().__init__()
        self.taps, self.reweight = fitted.taps_, fitted.reweight
        self.neighbours = min(fitted.neighbours, len(fitted.bank_))
        self.search = NearestNeighbour(torch.from_numpy(fitted.bank_))
        self.upsample = Upsample(fitted.grid_, fitted.input_size_, fitted.sigma)

    def forward(self, maps: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
        """{tap: (N, C, H, W)} -> (N, S, S), (N,)."""
        patches = embed([maps[tap] for tap in self.taps], pool=True, mode="nearest")  # (N, C, G, G)
        channels, grid = patches.shape[1:3]
        queries = patches.permute(0, 2, 3, 1).reshape(-1, channels)  # (N * G * G, C)
        distance, index = self.search(queries)
        distance = distance.reshape(-1, grid * grid)  # (N, G * G)
        score, worst = distance.max(dim=1)
        if self.reweight:
            queries = queries.reshape(-1, grid * grid, channels)
            rows = torch.arange(queries.shape[0], device=queries.device)
            nearest = index.reshape(-1, grid * grid)[rows, worst]  # (N,)
            score = self._reweighted(score, queries[rows, worst], nearest)
        return self.upsample(distance.reshape(-1, grid, grid)), score

    def _reweighted(self, score: Tensor, query: Tensor, nearest: Tensor) -> Tensor:
        """Equation 7: ``(1 - exp|q - m*| / sum_{m in N_b(m*)} exp|q - m|) |q - m*|``, N_b(m*) with m* itself."""
        bank = self.search.bank
        member = bank[nearest]  # (N, C)
        to_member = (bank * bank).sum(1) - 2 * member @ bank.T  # (N, M), less a constant of each row
        around = to_member.topk(self.neighbours, dim=1, largest=False).indices  # (N, b)
        distances = (query[:, None] - bank[around]).square().sum(2).sqrt()  # (N, b)
        return (1 - torch.exp(score - distances.logsumexp(1))) * score
