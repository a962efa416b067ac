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
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.methods.base import Method
from flawspot.methods.costs import BackboneCounts, FittingCosts, PaperCosts
from flawspot.methods.features import FeatureSet
from flawspot.methods.patchcore import costs
from flawspot.methods.patchcore.coreset import farthest_first
from flawspot.methods.patchcore.hierarchical import HierarchicalSearch
from flawspot.methods.patchcore.nearest import NearestNeighbour
from flawspot.methods.patchcore.nested_bank import nests
from flawspot.methods.patchcore.product_quantizer import ProductQuantizer, subspaces, train_quantizer
from flawspot.methods.patchcore.stored_rows import PRECISIONS
from flawspot.methods.patches import join, pool
from flawspot.methods.registry import method
from flawspot.methods.settings import setting
from flawspot.methods.shapes import Shapes
from flawspot.methods.smoothing import SIGMA, Upsample
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Part, Scalar

BATCH = 16
"""Images pooled at once."""
TYPICAL_IMAGES = 8
"""Training images that the search's typical cost is counted on."""


@method
@dataclass(kw_only=True)
class PatchCore(Method):
    """Distance to the nearest patch of a memory bank.

        >>> flawspot.PatchCore(bank_size=2000).bank_size
        2000

    Attributes:
        bank_size: patches kept. The PaSTe paper keeps 30,000; a third of that is three times smaller and faster.
        bank_ratio: patches kept as a share of all, in the place of `bank_size`; the PatchCore paper's default is 0.1.
        quantization: None keeps the patches as they are; ``product`` keeps codes of `subspaces` bytes (PatchCore-Lite).
        subspaces: bytes of a quantized patch, m; 8 in the PatchCore-Lite paper. No subspace crosses from one layer to
            another, so there is at least one for each.
        bits: of a code, 8 in the PatchCore-Lite paper; 2^bits centroids are kept for each subspace.
        precision: of a bank that is not quantized: ``float32``, ``float16``, or ``int8`` with a step for each channel.
            Distances are exact to the patches as they are kept.
        reweight: weigh the photograph by how crowded the bank is around its worst patch's nearest member (equation 7);
            the factor, in 0..1, scales the whole map, so that the score stays the map's maximum.
        neighbours: b of equation 7, the nearest member itself among them; the paper's default 9.
        sigma: of the Gaussian over the map, in pixels of 224 (section 3.3).
        bank_: (M, C) float32, as selected, not quantized.
        quantizer_: None without quantization.
        unproved_: mean number of cells of a training image that each round of the search but the first looks at; see
            `flawspot.methods.patchcore.hierarchical`. Empty where layers do not nest and the whole bank is compared.
    """

    name: ClassVar[str] = "patchcore"
    source: ClassVar[str] = "Roth et al., CVPR 2022 (arXiv 2106.08265)"

    planned_at_most: ClassVar[bool] = True
    refits_quickly: ClassVar[bool] = True
    int8_settings: ClassVar[Mapping[str, Scalar]] = {"precision": "int8"}

    bank_size: int = setting(10_000, low=1)
    bank_ratio: float | None = setting(None, above=0, high=1)
    quantization: str | None = setting(None, choices=["product"])
    subspaces: int = setting(8, low=1)
    bits: int = setting(8, low=1, high=8)
    precision: str = setting("float32", choices=PRECISIONS)
    reweight: bool = False
    neighbours: int = setting(9, low=2)
    sigma: float = setting(SIGMA, low=0, high=224)

    bank_: NDArray[np.float32] = field(init=False, repr=False)
    quantizer_: ProductQuantizer | None = field(init=False, repr=False)
    unproved_: list[float] = field(init=False, repr=False)

    def kept(self, shapes: Shapes) -> int:
        """How many patches are kept; never more than there are."""
        patches = shapes.images * shapes.positions
        wanted = self.bank_size if self.bank_ratio is None else max(round(self.bank_ratio * patches), 1)
        return min(wanted, patches)

    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Pool the patches of all images and keep a farthest-first coreset of them."""
        shapes = self.shapes_ = features.shapes
        patches = np.empty((len(features) * shapes.positions, shapes.channels), np.float32)
        for start in progress.track(range(0, len(features), BATCH), "gathering patches"):
            batch = [torch.from_numpy(features.batch(tap, slice(start, start + BATCH))) for tap in shapes.taps]
            joined = join([pool(maps) for maps in batch], shapes.grid)  # (B, C, G, G)
            rows = joined.permute(0, 2, 3, 1).reshape(-1, shapes.channels)  # (B * P, C)
            patches[start * shapes.positions :][: len(rows)] = rows.numpy()
        count = self.kept(shapes)
        coreset = farthest_first(patches, count, seed=self.seed, progress=progress)
        self.bank_ = patches[coreset.indices]
        del patches
        self.quantizer_ = None
        if self.quantization:
            with progress.step("quantizing the bank"):
                columns = subspaces(list(shapes.tap_channels), self.subspaces)
                self.quantizer_ = train_quantizer(self.bank_, columns, bits=self.bits, seed=self.seed)
        head = PatchCoreHead(self)
        self.unproved_ = []
        if isinstance(head.search, HierarchicalSearch):
            typical = np.linspace(0, len(features) - 1, min(TYPICAL_IMAGES, len(features))).astype(np.int64)
            maps = {tap: torch.from_numpy(features.batch(tap, typical)) for tap in shapes.taps}
            with torch.no_grad():
                counts = head.search.unproved(head.pooled(maps))
            self.unproved_ = [count / len(typical) for count in counts]
        return self

    def head(self) -> nn.Module:
        """Nearest neighbour of every patch; the image score is the smoothed map's maximum."""
        return PatchCoreHead(self)

    def parts(self) -> list[Part]:
        """The bank with its search as it is on good images, and the smoothing."""
        return costs.parts(self, PatchCoreHead(self))

    def planned_parts(self, shapes: Shapes) -> list[Part]:
        """The same for a bank that shares nothing and is searched whole."""
        return costs.planned_parts(self, shapes)

    def stored_width(self, part: str) -> int | None:
        """None for a bank that is quantized or rounded."""
        kept = self.quantization is None and self.precision == "float32"
        return super().stored_width(part) if kept or part != costs.BANK else None

    def training_costs(self, shapes: Shapes) -> FittingCosts:
        """The patches of all images, and what their selection takes."""
        return costs.fitting(self, shapes)

    def paper_costs(self, shapes: Shapes, backbone: BackboneCounts) -> PaperCosts:
        """The search of the bank is not counted."""
        return costs.of_paper(self, shapes, backbone)


class PatchCoreHead(nn.Module):
    """Feature maps -> anomaly map and score."""

    search: HierarchicalSearch | NearestNeighbour

    def __init__(self, fitted: PatchCore) -> None:
        super().__init__()
        self.reweight, self.neighbours = fitted.reweight, min(fitted.neighbours, len(fitted.bank_))
        shapes = fitted.shapes_
        sides = dict(zip(shapes.taps, shapes.tap_sides, strict=True))
        # Taps of one resolution are searched together.
        self.taps_of = {
            side: [t for t in shapes.taps if sides[t] == side] for side in sorted(set(sides.values()))[::-1]
        }
        self.grid = shapes.grid
        if nests(shapes.tap_sides):
            channels, grids = shapes.tap_channels, shapes.tap_sides
            self.search = HierarchicalSearch(fitted.bank_, channels, grids, fitted.quantizer_, fitted.precision)
        else:
            self.search = NearestNeighbour(fitted.bank_, list(self.taps_of), fitted.quantizer_, fitted.precision)
        self.upsample = Upsample(self.grid, shapes.input_size, fitted.sigma)

    def pooled(self, maps: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """{tap: (N, C, g, g)} -> {grid: (N, C, g, g)}: averaged over 3 x 3 patches, at each tap's own resolution."""
        return {grid: torch.cat([pool(maps[tap]) for tap in taps], dim=1) for grid, taps in self.taps_of.items()}

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
