"""CFA's storage, computation and training costs, from shapes alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from flawspot.methods.cfa.nearest_by_layer import ROWS
from flawspot.methods.costs import FLOAT, INDEX, BackboneCounts, FittingCosts, MemoryItem, PaperCosts
from flawspot.methods.shapes import Shapes, Size
from flawspot.methods.smoothing import upsampling_part
from flawspot.runtime.manifest import Part

if TYPE_CHECKING:
    from flawspot.methods.cfa.method import CFA


HALF = 2
CENTRES = "centres"


def levels(shapes: Shapes) -> tuple[tuple[int, Size], ...]:
    """(C_l, (H_l, W_l)) of each tap's maps."""
    return tuple(zip(shapes.tap_channels, shapes.tap_grids, strict=True))


def parts(method: CFA, shapes: Shapes, centres: int | None = None) -> list[Part]:
    """Descriptor, centres with the distances to them, and the smoothing.

    There are C channels in total, n of them at the finest resolution of P positions. Each position has a centre, unless
    only a part of the photographs is inspected; then there are `centres` centres. The centres take 4 P (C + 3) bytes
    (2 P C + 12 P in half precision). The descriptor takes at most 4 C (C + 3) bytes, minus the zeros of the rotation.
    Interpolation counts as two multiply-accumulates for each value and axis.
    """
    width = HALF if method.precision == "float16" else FLOAT
    found = CentreCosts(levels(shapes), shapes.positions if centres is None else centres, method.nearest, width)
    return [
        Part("descriptor", found.describing_bytes(), found.describing_macs()),
        Part(CENTRES, found.comparing_bytes(), found.comparing_macs()),
        upsampling_part(shapes.grid, shapes.input_size),
    ]


def fitting(method: CFA, shapes: Shapes) -> FittingCosts:
    """Descriptions at each tap's own resolution, and the search of `flawspot.methods.cfa.nearest_by_layer`."""
    c, positions, grid = shapes.channels, shapes.positions, shapes.grid
    batch = min(method.batch_size, shapes.images)
    few = method.nearest + method.repelled
    coarse = [(channels, each) for channels, each in levels(shapes) if each != grid]
    pooled = sum(channels * height * width for channels, (height, width) in levels(shapes))
    interpolating = sum(_interpolating(each, grid) * c for _, each in coarse)
    own = sum(channels for channels, each in levels(shapes) if each == grid)
    members = own + 3 + sum(width for _, (_, width) in coarse)
    products = sum(height * width for _, (height, width) in coarse) * positions
    searching = (
        positions**2 * members
        + sum((channels + grid[0]) * height * width * positions for channels, (height, width) in coarse)
        + positions * c * (c + 3) // batch  # the products of the centres with the matrices, which change in every step
    )
    described = FLOAT * batch * positions * c
    compared = FLOAT * (products + min(ROWS, grid[0]) * positions * (members + grid[1]))
    return FittingCosts(
        items=(
            MemoryItem("pooled features", FLOAT * shapes.images * pooled, per_image=True),
            MemoryItem("batch", FLOAT * batch * pooled),
            MemoryItem("centres", 2 * FLOAT * positions * c),  # themselves, and times the matrices
            MemoryItem("search", compared + INDEX * batch * positions * few),
            MemoryItem("descriptors", 2 * described),  # and a summand
            MemoryItem("gradients on their way", 2 * described),
            # AdamW with amsgrad: three.
            MemoryItem("weights, gradients, optimizer", FLOAT * (c * c + c + 2 * c + 1) * (1 + 1 + 3)),
        ),
        forward_macs=pooled * c + interpolating + searching + positions * few * c,
        backward_input_macs=positions * few * c + interpolating,  # of the distances; the features are not trained
        backward_weight_macs=pooled * c,
        epochs=method.passes(shapes.copies),
        batch_size=batch,
    )


def of_paper(method: CFA, shapes: Shapes, backbone: BackboneCounts) -> PaperCosts:
    """The descriptor, a 1x1 convolution with bias of the channels and two coordinates, is stored twice."""
    c, positions = shapes.channels, shapes.positions
    descriptor = (c + 2) * c + c
    return PaperCosts(
        bytes=FLOAT * (positions * c + 2 * descriptor + backbone.numbers),
        macs=backbone.macs + positions * (c + 2) * c + positions * positions * c,
        training_ram=2 * FLOAT * positions * c,  # of the convolution's output, value and gradient
        notes={"memory_mb": "honest: descriptor stored once"},
    )


@dataclass(frozen=True)
class CentreCosts:
    """Storage and computation of a `NearestCentres` for one photograph, from its shapes alone.

    Attributes:
        shapes: (C_l, (H_l, W_l)) of each map.
        count: M, number of centres.
        nearest: K, number of returned distances.
        width: bytes of each number of the centres.
    """

    shapes: Sequence[tuple[int, Size]]
    count: int
    nearest: int
    width: int = FLOAT

    @property
    def grids(self) -> list[Size]:
        """Grids of the resolutions, finest first."""
        return sorted({grid for _, grid in self.shapes}, key=math.prod, reverse=True)

    @property
    def channels(self) -> list[int]:
        """Number of channels of each resolution."""
        return [sum(channels for channels, own in self.shapes if own == grid) for grid in self.grids]

    @property
    def reaches(self) -> list[int]:
        """Components of each resolution: its channels and those of all finer ones."""
        return list(accumulate(self.channels))

    def describing_macs(self) -> int:
        """Multiply-accumulates of the description: products at each resolution, interpolation (two for each value), and
        coordinates."""
        finest = self.grids[0]
        total = sum(finest) * self.reaches[-1]
        for grid, channels, reach in zip(self.grids, self.channels, self.reaches, strict=True):
            total += math.prod(grid) * channels * reach
            if grid != finest:
                total += _interpolating(grid, finest) * reach
        return total

    def comparing_macs(self) -> int:
        """Multiply-accumulates of the products with all centres, their interpolation (two for each value), and the K
        distances."""
        finest = self.grids[0]
        total = math.prod(finest) * (self.reaches[0] * self.count + self.nearest * self.reaches[-1])
        for level, (grid, reach) in enumerate(zip(self.grids[1:], self.reaches[1:], strict=True)):
            total += math.prod(grid) * (reach - self.reaches[0]) * self.count
            # All but the first are interpolated along the other axis first.
            turned = (grid[::-1], finest[::-1]) if level else (grid, finest)
            total += _interpolating(*turned) * self.count
        return total + (sum(finest) * self.count if len(self.grids) > 1 else 0)

    def describing_bytes(self) -> int:
        """Bytes of the description: matrices, bias, the coordinates' vectors and their axes (one for a square)."""
        products = sum(c * r for c, r in zip(self.channels, self.reaches, strict=True))
        height, width = self.grids[0]
        return FLOAT * (products + 3 * self.reaches[-1] + (height if height == width else height + width))

    def comparing_bytes(self) -> int:
        """Bytes of the centres, their squared lengths and their products with the coordinates' vectors."""
        return self.count * (self.width * self.reaches[-1] + 3 * FLOAT)


def _interpolating(grid: Sequence[int], finest: Sequence[int]) -> int:
    """Multiply-accumulates for one channel, along the first axis first: two for each value."""
    return 2 * (grid[1] + finest[1]) * finest[0]
