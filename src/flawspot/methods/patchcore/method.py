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
"""Training images that the search's typical cost is counted on."""
ROOM = 0.25
"""What is kept free in a bank that is to be updated."""


@method
@dataclass(kw_only=True)
class PatchCore(Method):
    """Distance to the nearest patch of a memory bank.

        >>> flawspot.PatchCore(bank_size=2000).bank_size
        2000

    Where only a part of the photographs is looked at, the bank is of patches inside it, and so is the worst patch that
    `reweight` goes by.

    Attributes:
        bank_size: patches kept. The PaSTe paper keeps 30,000; a third of that is three times smaller and faster.
        bank_ratio: patches kept as a share of those they are selected from, in the place of `bank_size`; the PatchCore
            paper's default is 0.1.
        pool: patches that the coreset is selected from, drawn at random with the seed; None takes all. An approximation
            that bounds the memory of a fit on large photographs in many tiles: 4 C bytes for each.
        rotations: 2 selects the bank from the photographs and the same turned by a half, 4 from all quarter turns, for
            parts that lie in any direction; 1 as in the paper. The bank is no larger, and what is new in a turned
            photograph takes its share of it.
        standardize: ``channel`` divides each channel by its standard deviation over the patches that the bank is
            selected from, before selection and search, so that no channel counts more for its unit; None as in the
            paper. Channels that do not deviate are left as they are.
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
        scales_: (C,) float32, what each channel is multiplied with by `standardize`; None without.
        bank_: (M, C) float32, as selected, times `scales_`, not quantized.
        quantizer_: None without quantization.
        radius_: the largest distance of any patch that the bank was selected from to its nearest member; no two members
            are nearer to each other.
        room_: rows that are kept free for an update, as a share of those that are taken.
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
        """Check what the fields' ranges do not say.

        Raises:
            ConfigurationError: three rotations, which are no turns of a half or a quarter.
        """
        super().__post_init__()
        if self.rotations == 3:
            raise ConfigurationError("rotations must be 1, 2 or 4, not 3")

    def leave_room(self) -> None:
        """Keep a quarter of further rows free.

        Raises:
            ConfigurationError: the bank is one of codes, to which nothing can be added.
        """
        if self.quantization:
            raise ConfigurationError(f"a bank of codes cannot be updated: leave out quantization={self.quantization}")
        self.room_ = ROOM

    def turns(self) -> tuple[int, ...]:
        """A half, or every quarter."""
        return {1: (), 2: (2,), 4: (1, 2, 3)}[self.rotations]

    def candidates(self, shapes: Shapes) -> int:
        """How many patches the bank is selected from, where all of the photographs is looked at."""
        patches = shapes.images * shapes.positions * self.rotations
        return patches if self.pool is None else min(self.pool, patches)

    def kept(self, shapes: Shapes, candidates: int | None = None) -> int:
        """How many patches are kept; never more than they are selected from, as `candidates` tells unless given."""
        found = self.candidates(shapes) if candidates is None else candidates
        wanted = self.bank_size if self.bank_ratio is None else max(round(self.bank_ratio * found), 1)
        return min(wanted, found)

    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Pool the patches of all images and keep a farthest-first coreset of them."""
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
        """How far members are from each other, and every patch from one of them."""
        return {"radius": np.array([self.radius_, self.radius_])}

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
        grid_of = dict(zip(shapes.taps, shapes.tap_grids, strict=True))
        # Taps of one resolution are searched together.
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
        # The same product that the bank's patches went through, so that what repeats does so bit for bit.
        return {grid: each * self.get_buffer(f"scales_{number}") for number, (grid, each) in enumerate(found.items())}

    def first_cells(self, inside: Tensor | None) -> Tensor | None:
        """What the search wants to know of the pixels that are looked at."""
        if inside is None or not isinstance(self.search, HierarchicalSearch):
            return None
        cells: Tensor = self.cells[list(self.taps_of).index(self.search.first_grid)](inside)
        return cells

    def forward(self, maps: dict[int, Tensor], inside: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """{tap: (N, C, H, W)}, (N, h, w) -> (N, h, w), (N,)."""
        pooled = self.pooled(maps, inside)
        distance, slot = self.search(pooled, self.first_cells(inside))  # (N, P)
        if inside is not None:
            distance = distance * self.cells[0](inside).flatten(1)  # so that the worst patch is one that is looked at
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
