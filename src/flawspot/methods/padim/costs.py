"""PaDiM's storage, computation and training costs, from shapes alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flawspot.methods.costs import DOUBLE, FLOAT, BackboneCounts, FittingCosts, MemoryItem, PaperCosts
from flawspot.methods.padim.bands import band_numbers
from flawspot.methods.padim.gaussian import POSITIONS
from flawspot.methods.padim.selection import PROJECTIONS
from flawspot.methods.shapes import Shapes
from flawspot.methods.smoothing import upsampling_part
from flawspot.runtime.manifest import Part

if TYPE_CHECKING:
    from flawspot.methods.padim.method import PaDiM

INVERSES, PROJECTION = "inverse covariances", "projection"
_INVERSES_ONCE = "precision"
"""Name of the whitening part in older artifacts."""
BATCH = 16
"""Images, or their tiles, added at once."""


def rows_at_once(shapes: Shapes) -> int:
    """Number of rows added at once: about `BATCH`, and whole photographs."""
    return max(BATCH // shapes.tiles, 1) * shapes.tiles


def parts(method: PaDiM, shapes: Shapes) -> list[Part]:
    """Means, whitening and smoothing: the storage of all tiles, and the computation of one."""
    once, tiles = shapes.positions * method.kept(shapes), shapes.tiles
    found = [Part("means", FLOAT * tiles * once, 0)]
    if method.covariance == "full":
        size = shapes.positions * band_numbers(method.kept(shapes))
        found.append(Part(INVERSES, width(method, INVERSES) * tiles * size, size + once))
    else:
        found.append(Part("deviations", width(method, "deviations") * tiles * once, 2 * once))
    if method.covariance == "low_rank":
        size = once * method.rank
        found.append(Part("factors", width(method, "factors") * tiles * size, 2 * size))
    if method.selection in PROJECTIONS:
        products = sum(c * math.prod(g) for c, g in zip(shapes.tap_channels, shapes.tap_grids, strict=True))
        kept = method.kept(shapes)
        found.append(Part(PROJECTION, width(method, PROJECTION) * shapes.channels * kept, products * kept))
    return [*found, upsampling_part(shapes.grid, shapes.input_size)]


def width(method: PaDiM, part: str) -> int:
    """Bytes of one number."""
    half = method.precision == "float16" and part in (INVERSES, _INVERSES_ONCE, "deviations", "factors", PROJECTION)
    return FLOAT // 2 if half else FLOAT


def fitting(method: PaDiM, shapes: Shapes) -> FittingCosts:
    """Memory of one batch, of all sums, and of the matrices of some positions."""
    d, positions = method.kept(shapes), shapes.tiles * shapes.positions
    whole = method.covariance != "diagonal"
    squares = band_numbers(d) if whole else d
    return FittingCosts(
        (
            # Repeated, by position, shifted, turned.
            MemoryItem("batch", 4 * FLOAT * min(rows_at_once(shapes), shapes.images) * shapes.positions * d),
            MemoryItem("sums", DOUBLE * positions * (squares + d)),
            # Of some positions at a time: covariances, their factors, the factors' inverses, and one on its way.
            MemoryItem("inversion", 4 * DOUBLE * min(POSITIONS, positions) * d * d if whole else 0),
            MemoryItem("selection", _selecting(method, shapes)),
            MemoryItem("result", sum(part.bytes for part in parts(method, shapes))),
        )
    )


def _selecting(method: PaDiM, shapes: Shapes) -> int:
    """Bytes for choosing the kept numbers: one map and its sums, or the sums of each position."""
    if method.selection == "components":
        return 2 * FLOAT * shapes.positions * shapes.channels + 4 * DOUBLE * shapes.channels**2
    if method.selection == "variance":
        finest = max(c * math.prod(g) for c, g in zip(shapes.tap_channels, shapes.tap_grids, strict=True))
        return 3 * DOUBLE * shapes.tiles * finest
    return 0


def of_paper(method: PaDiM, shapes: Shapes, backbone: BackboneCounts) -> PaperCosts:
    """d x d + d numbers at each position. The paper's count of multiply-accumulates could not be derived; it mentions a
    cubic cost for each photograph."""
    d = method.kept(shapes)
    return PaperCosts(
        bytes=FLOAT * (shapes.tiles * shapes.positions * (d * d + d) + backbone.numbers),
        supposed_macs=backbone.macs + shapes.positions * (d**3 // 3 + d * d),
        notes={
            "inference_mmac": "the paper's way could not be derived, computed: a Cholesky factorization at each "
            "position and photograph; honest: once, in training"
        },
    )
