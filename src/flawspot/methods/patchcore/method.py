"""PatchCore (Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022; arXiv 2106.08265).

The memory bank M is a coreset of the patch features of all good images. The anomaly of patch q is its distance to the
nearest member, ``min_{m in M} |q - m|`` (section 3.3); the image score is the maximum of the smoothed map of these.

``quantization="product"`` is PatchCore-Lite (Stropeni et al., Efficient Visual Anomaly Detection at the Edge, 2026;
arXiv 2603.20288). The bank is stored as codes of a few bytes, which are compared through distance tables. The nearest
candidates are decoded and compared exactly. This is an approximation: distances are those to the decoded patches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.errors import ConfigurationError
from flawspot.methods.base import Method
from flawspot.methods.costs import BackboneCounts, FittingCosts, PaperCosts
from flawspot.methods.features import FeatureSet
from flawspot.methods.inside import Cells
from flawspot.methods.patchcore import costs
from flawspot.methods.patchcore.candidates import channel_scales, gather
from flawspot.methods.patchcore.coreset import farthest_first
from flawspot.methods.patchcore.hierarchical import HierarchicalSearch
from flawspot.methods.patchcore.nearest import NearestNeighbour
from flawspot.methods.patchcore.nested_bank import by_fineness, nests
from flawspot.methods.patchcore.product_quantizer import ProductQuantizer, subspaces, train_quantizer
from flawspot.methods.patchcore.stored_rows import PRECISIONS
from flawspot.methods.patches import pool
from flawspot.methods.registry import method
from flawspot.methods.settings import setting
from flawspot.methods.shapes import Shapes, Size
from flawspot.methods.smoothing import SIGMA, Upsample
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Part, Scalar

TYPICAL_IMAGES = 8
"""Number of training images on which the search's typical cost is counted."""
ROOM = 0.25
"""Free rows of a bank that can be updated, as a share of the used ones."""


@method
@dataclass(kw_only=True)
class PatchCore(Method):
    """Distance to the nearest patch of a memory bank.

        >>> flawspot.PatchCore(bank_size=2000).bank_size
        2000

    If only a part of the photographs is inspected, the bank has only patches inside it, and so does the choice of the
    worst patch for `reweight`.

    Attributes:
        bank_size: number of patches in the memory bank. The PaSTe paper keeps 30,000; a third of that is three times
            smaller and faster.
        bank_ratio: size of the memory bank as a share of the candidate patches, instead of `bank_size`; the PatchCore
            paper's default is 0.1.
        pool: number of candidate patches for the coreset, drawn at random with the seed; None takes all. This is an
            approximation. It bounds the memory of a fit on large photographs in many tiles: 4 C bytes for each.
        rotations: 1 as in the paper. 2 selects the bank from the photographs and their half turns, 4 from all quarter
            turns, for parts in any orientation. The bank has the same size; turned patches take their share of it.
        standardize: ``channel`` divides each channel by its standard deviation over the candidate patches, before
            selection and search, so that no channel dominates by its unit. Channels without deviation are unchanged.
            None as in the paper.
        quantization: None stores the patches; ``product`` stores codes of `subspaces` bytes (PatchCore-Lite).
        subspaces: bytes of a quantized patch, m; 8 in the PatchCore-Lite paper. A subspace never spans two layers, so
            there is at least one for each layer.
        bits: bits of a code, 8 in the PatchCore-Lite paper; 2^bits centroids are stored for each subspace.
        precision: precision of a bank that is not quantized: ``float32``, ``float16``, or ``int8`` with a step for each
            channel. Distances to the stored patches are exact.
        reweight: weight the photograph by the density of the bank around the nearest member of its worst patch
            (equation 7). The factor, in 0..1, scales the whole map, so that the score stays the map's maximum.
        neighbours: b of equation 7, including the nearest member itself; the paper's default is 9.
        sigma: standard deviation of the Gaussian over the map, in pixels of 224 (section 3.3).
        scales_: (C,) float32, factor of each channel by `standardize`; None without it.
        bank_: (M, C) float32, the selected patches times `scales_`, not quantized.
        quantizer_: the quantizer; None without quantization.
        radius_: the largest distance of a candidate patch to its nearest member. No two members are nearer to each
            other than that.
        room_: free rows for an update, as a share of the used ones.
        unproved_: mean number of cells of a training image in each round of the search after the first; see
            `flawspot.methods.patchcore.hierarchical`. Empty if layers do not nest, so that the whole bank is compared.
    """

    name: ClassVar[str] = "patchcore"
    source: ClassVar[str] = "Roth et al., CVPR 2022 (arXiv 2106.08265)"

    planned_at_most: ClassVar[bool] = True
    refits_quickly: ClassVar[bool] = True
    int8_settings: ClassVar[Mapping[str, Scalar]] = {"precision": "int8"}

    bank_size: int = setting(10_000, low=1)
    bank_ratio: float | None = setting(None, above=0, high=1)
    pool: int | None = setting(None, low=1)
    rotations: int = setting(1, low=1, high=4)
    standardize: str | None = setting(None, choices=["channel"])
    quantization: str | None = setting(None, choices=["product"])
    subspaces: int = setting(8, low=1)
    bits: int = setting(8, low=1, high=8)
    precision: str = setting("float32", choices=PRECISIONS)
    reweight: bool = False
    neighbours: int = setting(9, low=2)
    sigma: float = setting(SIGMA, low=0, high=224)

    scales_: NDArray[np.float32] | None = field(init=False, repr=False)
    bank_: NDArray[np.float32] = field(init=False, repr=False)
    quantizer_: ProductQuantizer | None = field(init=False, repr=False)
    radius_: float = field(init=False, repr=False)
    room_: float = field(default=0.0, init=False, repr=False)
    unproved_: list[float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check conditions that the fields' ranges do not cover.

        Raises:
            ConfigurationError: three rotations, which are neither half nor quarter turns.
        """
        super().__post_init__()
        if self.rotations == 3:
            raise ConfigurationError("rotations must be 1, 2 or 4, not 3")

    def leave_room(self) -> None:
        """Reserve free rows, a quarter of the used ones.

        Raises:
            ConfigurationError: the bank is product-quantized, so that nothing can be added to it.
        """
        if self.quantization:
            raise ConfigurationError(f"a bank of codes cannot be updated: leave out quantization={self.quantization}")
        self.room_ = ROOM

    def turns(self) -> tuple[int, ...]:
        """The turns of the photographs: none, a half turn, or every quarter turn."""
        return {1: (), 2: (2,), 4: (1, 2, 3)}[self.rotations]

    def candidates(self, shapes: Shapes) -> int:
        """Number of candidate patches for the bank, if the whole photographs are inspected."""
        patches = shapes.images * shapes.positions * self.rotations
        return patches if self.pool is None else min(self.pool, patches)

    def kept(self, shapes: Shapes, candidates: int | None = None) -> int:
        """Number of patches in the bank, at most the number of candidates, which `candidates` gives by default."""
        found = self.candidates(shapes) if candidates is None else candidates
        wanted = self.bank_size if self.bank_ratio is None else max(round(self.bank_ratio * found), 1)
        return min(wanted, found)

    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Pool the patches of all images and select a farthest-first coreset of them."""
        shapes = self.shapes_ = features.shapes
        patches = gather([features, *(features.turned[turn] for turn in self.turns())], self.pool, self.seed, progress)
        self.scales_ = channel_scales(patches) if self.standardize else None
        if self.scales_ is not None:
            patches *= self.scales_
        coreset = farthest_first(patches, self.kept(shapes, len(patches)), seed=self.seed, progress=progress)
        self.bank_, self.radius_ = patches[coreset.indices], coreset.radius
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
            pixels = features.pixels(typical)
            inside = None if pixels is None else torch.from_numpy(pixels.astype(np.float32))
            with torch.no_grad():
                counts = head.search.unproved(head.pooled(maps, inside), head.first_cells(inside))
            self.unproved_ = [count / len(typical) for count in counts]
        return self

    def learned(self) -> Mapping[str, NDArray[Any]]:
        """The separation of the members, and the covering radius of the bank."""
        return {"radius": np.array([self.radius_, self.radius_])}

    def head(self) -> nn.Module:
        """Nearest neighbour of every patch; the image score is the smoothed map's maximum."""
        return PatchCoreHead(self)

    def parts(self) -> list[Part]:
        """The bank with its search on typical good images, and the smoothing."""
        return costs.parts(self, PatchCoreHead(self))

    def planned_parts(self, shapes: Shapes) -> list[Part]:
        """Upper bounds: a bank without shared features that is searched as a whole."""
        return costs.planned_parts(self, shapes)

    def stored_width(self, part: str) -> int | None:
        """Bytes of a number; None for a bank that is quantized or rounded."""
        kept = self.quantization is None and self.precision == "float32"
        return super().stored_width(part) if kept or part != costs.BANK else None

    def training_costs(self, shapes: Shapes) -> FittingCosts:
        """The patches of all images, and the costs of their selection."""
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
        grid_of = dict(zip(shapes.taps, shapes.tap_grids, strict=True))
        # Taps of the same resolution are searched together.
        self.taps_of = {grid: [t for t in shapes.taps if grid_of[t] == grid] for grid in by_fineness(shapes.tap_grids)}
        self.cells = nn.ModuleList(Cells(grid, shapes.input_size) for grid in self.taps_of)
        self.grid = shapes.grid
        self.scaled = fitted.scales_ is not None
        if fitted.scales_ is not None:
            of_tap = np.split(fitted.scales_, np.cumsum(shapes.tap_channels)[:-1])
            scales_of = dict(zip(shapes.taps, of_tap, strict=True))
            for number, taps in enumerate(self.taps_of.values()):
                own = np.concatenate([scales_of[tap] for tap in taps])
                self.register_buffer(f"scales_{number}", torch.from_numpy(own).reshape(1, -1, 1, 1))
        if nests(shapes.tap_grids):
            channels, grids = shapes.tap_channels, shapes.tap_grids
            self.search = HierarchicalSearch(
                fitted.bank_, channels, grids, fitted.quantizer_, fitted.precision, room=fitted.room_
            )
        else:
            self.search = NearestNeighbour(
                fitted.bank_, list(self.taps_of), fitted.quantizer_, fitted.precision, room=fitted.room_
            )
        self.upsample = Upsample(self.grid, shapes.input_size, fitted.sigma)

    def pooled(self, maps: Mapping[int, Tensor], inside: Tensor | None = None) -> dict[Size, Tensor]:
        """{tap: (N, C, H, W)} -> {grid: (N, C, H, W)}: averaged over 3 x 3 patches, at each tap's own resolution, and
        standardised."""
        looked_at = [None if inside is None else cells(inside) for cells in self.cells]
        found = {
            grid: torch.cat([pool(maps[tap], own) for tap in taps], dim=1)
            for (grid, taps), own in zip(self.taps_of.items(), looked_at, strict=True)
        }
        if not self.scaled:
            return found
        # The same product as for the bank's patches, so that repeated features are equal bit for bit.
        return {grid: each * self.get_buffer(f"scales_{number}") for number, (grid, each) in enumerate(found.items())}

    def first_cells(self, inside: Tensor | None) -> Tensor | None:
        """The inspected cells of the search's first coarse level, from the inspected pixels."""
        if inside is None or not isinstance(self.search, HierarchicalSearch):
            return None
        cells: Tensor = self.cells[list(self.taps_of).index(self.search.first_grid)](inside)
        return cells

    def forward(self, maps: dict[int, Tensor], inside: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """{tap: (N, C, H, W)}, (N, h, w) -> (N, h, w), (N,)."""
        pooled = self.pooled(maps, inside)
        distance, slot = self.search(pooled, self.first_cells(inside))  # (N, P)
        if inside is not None:
            distance = distance * self.cells[0](inside).flatten(1)  # so that the worst patch is an inspected one
        if self.reweight:
            distance = distance * self._factor(pooled, distance, slot)[:, None]
        anomaly_map = self.upsample(distance.reshape(-1, *self.grid), inside)
        return anomaly_map, anomaly_map.amax(dim=(1, 2))

    def _factor(self, pooled: Mapping[Size, Tensor], distance: Tensor, slot: Tensor) -> Tensor:
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
