"""What CFA stores, computes and takes in training, told from shapes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from flawspot.methods.cfa.nearest_by_layer import ROWS
from flawspot.methods.costs import FLOAT, INDEX, BackboneCounts, FittingCosts, MemoryItem, PaperCosts
from flawspot.methods.shapes import Shapes
from flawspot.methods.smoothing import upsampling_part
from flawspot.runtime.manifest import Part

if TYPE_CHECKING:
    from flawspot.methods.cfa.method import CFA


HALF = 2
CENTRES = "centres"


def levels(shapes: Shapes) -> tuple[tuple[int, int], ...]:
    """(C_l, side) of each tap's maps."""
    return tuple(zip(shapes.tap_channels, shapes.tap_sides, strict=True))


def parts(method: CFA, shapes: Shapes) -> list[Part]:
    """Descriptor, centres with the distances to them, and the smoothing.

    With C channels in all, n of them at the finest resolution G x G, P = G^2: the centres are 4 P (C + 3) bytes (2
    P C + 12 P in half precision), the descriptor at most 4 C (C + 3), less what the rotation makes zero.
    Interpolation counts as two multiply-accumulates for each value and axis.
    """
    found = CentreCosts(
        levels(shapes), shapes.positions, method.nearest, HALF if method.precision == "float16" else FLOAT
    )
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
    coarse = [(channels, side) for channels, side in levels(shapes) if side != grid]
    pooled = sum(channels * side**2 for channels, side in levels(shapes))
    interpolating = sum(2 * (side + grid) * grid * c for _, side in coarse)
    own = sum(channels for channels, side in levels(shapes) if side == grid)
    members = own + 3 + sum(side for _, side in coarse)
    products = sum(side**2 for _, side in coarse) * positions
    searching = (
        positions**2 * members
        + sum((channels + grid) * side**2 * positions for channels, side in coarse)
        + positions * c * (c + 3) // batch  # the centres times the matrices, which change with every step
    )
    described = FLOAT * batch * positions * c
    compared = FLOAT * (products + min(ROWS, grid) * positions * (members + grid))
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
        epochs=method.epochs,
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
    """What a `NearestCentres` stores and computes for one photograph, from its shapes alone.

    Attributes:
        shapes: (C_l, side) of each map.
        count: M, how many centres.
        nearest: K, how many distances are returned.
        width: bytes of each of the centres' numbers.
    """

    shapes: Sequence[tuple[int, int]]
    count: int
    nearest: int
    width: int = FLOAT

    @property
    def sides(self) -> list[int]:
        """Of the resolutions, finest first."""
        return sorted({side for _, side in self.shapes}, reverse=True)

    @property
    def channels(self) -> list[int]:
        """Of each resolution."""
        return [sum(channels for channels, own in self.shapes if own == side) for side in self.sides]

    @property
    def reaches(self) -> list[int]:
        """Components of each resolution: its channels and those of all finer ones."""
        return list(accumulate(self.channels))

    def describing_macs(self) -> int:
        """Of the described patches: products at each resolution, interpolation (two for each value), coordinates."""
        grid, total = self.sides[0], 2 * self.sides[0] * self.reaches[-1]
        for side, channels, reach in zip(self.sides, self.channels, self.reaches, strict=True):
            total += side * side * channels * reach
            if side != grid:
                total += 2 * (side + grid) * grid * reach
        return total

    def comparing_macs(self) -> int:
        """Of the products with all centres, their interpolation (two for each value), and the K distances."""
        grid = self.sides[0]
        total = grid * grid * (self.reaches[0] * self.count + self.nearest * self.reaches[-1])
        for side, reach in zip(self.sides[1:], self.reaches[1:], strict=True):
            total += side * side * (reach - self.reaches[0]) * self.count + 2 * (side + grid) * grid * self.count
        return total + (2 * grid * self.count if len(self.sides) > 1 else 0)

    def describing_bytes(self) -> int:
        """Of the description: its products, its bias, the coordinates' vectors and their axis."""
        products = sum(c * r for c, r in zip(self.channels, self.reaches, strict=True))
        return 4 * (products + 3 * self.reaches[-1] + self.sides[0])

    def comparing_bytes(self) -> int:
        """Of the centres, their squared lengths and their products with the coordinates' vectors."""
        return self.count * (self.width * self.reaches[-1] + 3 * FLOAT)
