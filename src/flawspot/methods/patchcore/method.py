"""PatchCore (Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022; arXiv 2106.08265).

The memory bank M is a coreset of the patch features of all good images. The anomaly of patch q is its distance to the
nearest member, ``min_{m in M} |q - m|`` (section 3.3); the image score is the maximum of the smoothed map of these.

``quantization="product"`` is PatchCore-Lite (Stropeni et al., Efficient Visual Anomaly Detection at the Edge, 2026;
arXiv 2603.20288): the bank is kept as codes of a few bytes, compared through distance tables, and the nearest
candidates are decoded and compared exactly. An approximation: distances are those to the decoded patches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.errors import ConfigurationError
from flawspot.methods.base import SIGMA, Method, Upsample, embed
from flawspot.methods.features import FeatureSet
from flawspot.methods.patchcore.coreset import farthest_first
from flawspot.methods.patchcore.hierarchical import HierarchicalSearch
from flawspot.methods.patchcore.nearest import NearestNeighbour
from flawspot.methods.patchcore.nested_bank import nests
from flawspot.methods.patchcore.product_quantizer import ProductQuantizer, subspaces, train_quantizer
from flawspot.methods.registry import method
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Part

TYPICAL_IMAGES = 8
"""Training images that the search's typical cost is counted on."""


@method
@dataclass(kw_only=True)
class PatchCore(Method):
    """Distance to the nearest patch of a memory bank.

    Attributes:
        bank_size: patches kept. The PaSTe paper keeps 30,000; a third of that is three times smaller and faster.
        bank_ratio: patches kept as a share of all, in the place of `bank_size`; the PatchCore paper's default is 0.1.
        quantization: None keeps the patches as they are; ``product`` keeps codes of `subspaces` bytes (PatchCore-Lite).
        subspaces, bits: m and the bits of a code, 8 and 8 in the PatchCore-Lite paper. No subspace crosses from one
            layer to another, so there is at least one for each.
        reweight: weigh the photograph by how crowded the bank is around its worst patch's nearest member (equation 7);
            the factor, in 0..1, scales the whole map, so that the score stays the map's maximum.
        neighbours: b of equation 7, the paper's default 9.
        sigma: of the Gaussian over the map, in pixels of 224 (section 3.3).
        bank_: (M, C) float32, as selected, not quantized.
        quantizer_: None without quantization.
        unproved_: mean number of cells of a training image that each round of the search but the first looks at; see
            `flawspot.methods.patchcore.hierarchical`. Empty where layers do not nest and the whole bank is compared.
    """

    name: ClassVar[str] = "patchcore"
    source: ClassVar[str] = "Roth et al., CVPR 2022 (arXiv 2106.08265)"

    bank_size: int = 10_000
    bank_ratio: float | None = None
    quantization: str | None = None
    subspaces: int = 8
    bits: int = 8
    reweight: bool = False
    neighbours: int = 9
    sigma: float = SIGMA

    bank_: NDArray[np.float32] = field(init=False, repr=False)
    quantizer_: ProductQuantizer | None = field(init=False, repr=False)
    unproved_: list[float] = field(init=False, repr=False)
    taps_: tuple[int, ...] = field(init=False, repr=False)
    channels_: dict[int, int] = field(init=False, repr=False)
    grids_: dict[int, int] = field(init=False, repr=False)
    input_size_: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.bank_size < 1:
            raise ConfigurationError(f"bank_size must be at least 1, not {self.bank_size}")
        if self.bank_ratio is not None and not 0 < self.bank_ratio <= 1:
            raise ConfigurationError(f"bank_ratio must be above 0 and at most 1, not {self.bank_ratio:g}")
        if self.quantization not in (None, "product"):
            raise ConfigurationError(f"quantization must be product or none, not {self.quantization!r}")
        if self.subspaces < 1:
            raise ConfigurationError(f"subspaces must be at least 1, not {self.subspaces}")
        if not 1 <= self.bits <= 8:
            raise ConfigurationError(f"bits must be 1 to 8, not {self.bits}")
        if self.neighbours < 1:
            raise ConfigurationError(f"neighbours must be at least 1, not {self.neighbours}")

    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Pool the patches of all images and keep a farthest-first coreset of them."""
        self.taps_, self.input_size_ = features.taps, features.input_size
        self.channels_ = {tap: features.shape(tap)[0] for tap in self.taps_}
        self.grids_ = {tap: features.shape(tap)[1] for tap in self.taps_}
        positions = features.grid**2
        patches = np.empty((len(features) * positions, features.channels), np.float32)
        for start in range(0, len(features), 16):
            batch = [torch.from_numpy(features.batch(tap, slice(start, start + 16))) for tap in self.taps_]
            embedded = embed(batch, pool=True, mode="nearest")  # (B, C, G, G)
            rows = embedded.permute(0, 2, 3, 1).reshape(-1, embedded.shape[1])  # (B * G * G, C)
            patches[start * positions : start * positions + len(rows)] = rows.numpy()
        count = self.bank_size if self.bank_ratio is None else max(round(self.bank_ratio * len(patches)), 1)
        coreset = farthest_first(patches, count, seed=self.seed, progress=progress)
        self.bank_ = patches[coreset.indices]
        del patches
        self.quantizer_ = None
        if self.quantization:
            with progress.step("quantizing the bank"):
                columns = subspaces(list(self.channels_.values()), self.subspaces)
                self.quantizer_ = train_quantizer(self.bank_, columns, bits=self.bits, seed=self.seed)
        head = PatchCoreHead(self)
        self.unproved_ = []
        if isinstance(head.search, HierarchicalSearch):
            typical = np.linspace(0, len(features) - 1, min(TYPICAL_IMAGES, len(features))).astype(np.int64)
            maps = {tap: torch.from_numpy(features.batch(tap, typical)) for tap in self.taps_}
            with torch.no_grad():
                counts = head.search.unproved(head.pooled(maps))
            self.unproved_ = [count / len(typical) for count in counts]
        return self

    def head(self) -> nn.Module:
        """Nearest neighbour of every patch; the image score is the smoothed map's maximum."""
        return PatchCoreHead(self)

    def parts(self) -> list[Part]:
        """The bank with its search as it is on good images, and the smoothing."""
        head = PatchCoreHead(self)
        macs = head.search.macs(self.unproved_) if isinstance(head.search, HierarchicalSearch) else head.search.macs()
        if self.reweight:
            macs += head.search.member_macs() + head.neighbours * self.bank_.shape[1]
        stored = sum(t.numel() * t.element_size() for t in head.search.state_dict().values())
        return [Part("memory bank", stored, round(macs)), head.upsample.part()]


class PatchCoreHead(nn.Module):
    """Feature maps -> anomaly map and score."""

    search: HierarchicalSearch | NearestNeighbour

    def __init__(self, fitted: PatchCore) -> None:
        super().__init__()
        self.reweight, self.neighbours = fitted.reweight, min(fitted.neighbours, len(fitted.bank_))
        taps, grids = fitted.taps_, fitted.grids_
        # Taps of one resolution are searched together.
        self.taps_of = {grid: [tap for tap in taps if grids[tap] == grid] for grid in sorted(set(grids.values()))[::-1]}
        self.grid = max(self.taps_of)
        if nests(list(grids.values())):
            channels = [fitted.channels_[tap] for tap in taps]
            self.search = HierarchicalSearch(fitted.bank_, channels, [grids[tap] for tap in taps], fitted.quantizer_)
        else:
            self.search = NearestNeighbour(fitted.bank_, list(self.taps_of), fitted.quantizer_)
        self.upsample = Upsample(self.grid, fitted.input_size_, fitted.sigma)

    def pooled(self, maps: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """{tap: (N, C, g, g)} -> {grid: (N, C, g, g)}: averaged over 3 x 3 patches, at each tap's own resolution."""
        return {
            grid: torch.cat([F.avg_pool2d(maps[tap], 3, stride=1, padding=1) for tap in taps], dim=1)
            for grid, taps in self.taps_of.items()
        }

    def forward(self, maps: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
        """{tap: (N, C, H, W)} -> (N, S, S), (N,)."""
        pooled = self.pooled(maps)
        distance, slot = self.search(pooled)  # (N, G * G)
        if self.reweight:
            distance = distance * self._factor(pooled, distance, slot)[:, None]
        anomaly_map = self.upsample(distance.reshape(-1, self.grid, self.grid))
        return anomaly_map, anomaly_map.amax(dim=(1, 2))

    def _factor(self, pooled: Mapping[int, Tensor], distance: Tensor, slot: Tensor) -> Tensor:
        """(N,) of equation 7, ``1 - exp|q - m*| / sum_{m in N_b(m*)} exp|q - m|`` at the worst patch q, N_b(m*) with
        m* itself."""
        farthest, worst = distance.max(dim=1)  # (N,)
        nearest = slot.gather(1, worst[:, None])[:, 0]  # (N,)
        query = self.search.query_vectors(pooled, worst)  # (N, C)
        to_member = self.search.distances_to_all(self.search.vectors(nearest))  # (N, slots), less a constant
        around = to_member.topk(self.neighbours, dim=1, largest=False).indices  # (N, b)
        neighbours = self.search.vectors(around.reshape(-1)).reshape(*around.shape, -1)  # (N, b, C)
        distances = (query[:, None] - neighbours).square().sum(2).sqrt()  # (N, b)
        return 1 - torch.exp(farthest - distances.logsumexp(1))
