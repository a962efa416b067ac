"""PatchCore's storage, computation and training costs: planned from shapes, and exact once there is a bank."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flawspot.backbones.macs import module_bytes
from flawspot.methods.costs import FLOAT, BackboneCounts, FittingCosts, MemoryItem, PaperCosts
from flawspot.methods.patchcore.coreset import SELECTION_BYTES
from flawspot.methods.patchcore.hierarchical import HierarchicalSearch
from flawspot.methods.patchcore.nested_bank import nests
from flawspot.methods.patchcore.product_quantizer import subspaces
from flawspot.methods.shapes import Shapes
from flawspot.methods.smoothing import upsampling_part
from flawspot.runtime.manifest import Part

if TYPE_CHECKING:
    from flawspot.methods.patchcore.method import PatchCore, PatchCoreHead

BANK, SCALES = "memory bank", "channel scales"
_WIDTHS = {"float32": FLOAT, "float16": 2, "int8": 1}


def parts(method: PatchCore, head: PatchCoreHead) -> list[Part]:
    """The bank with its search on typical good images, and the smoothing."""
    search, shapes = head.search, method.shapes_
    macs = search.macs(method.unproved_) if isinstance(search, HierarchicalSearch) else search.macs()
    if method.reweight:
        macs += _reweighting(search.member_macs(), head.neighbours, shapes)
    return _all_parts(method, shapes, Part(BANK, module_bytes(search), round(macs)))


def planned_parts(method: PatchCore, shapes: Shapes) -> list[Part]:
    """Upper bounds: no two patches share their coarse features, and the search compares with the whole bank."""
    size = method.kept(shapes)
    levels = len(set(shapes.tap_grids)) if nests(shapes.tap_grids) else 1
    if method.quantization:
        # Codes, and the centroids with their norms. There are at most as many centroids as patches.
        columns = subspaces(list(shapes.tap_channels), method.subspaces)
        centroids = min(2**method.bits, size) * (shapes.channels + len(columns))
        stored = size * len(columns) + FLOAT * centroids
    else:
        # Each row has a norm, and with 8 bits each channel has a step.
        stored = size * (_WIDTHS[method.precision] * shapes.channels + FLOAT * levels)
        stored += FLOAT * shapes.channels if method.precision == "int8" else 0
    parents = FLOAT * size * max(levels - 2, 0)
    macs = shapes.positions * size * shapes.channels
    if method.precision != "float32":
        macs += size * shapes.channels  # decoding
    if method.reweight:
        macs += round(_reweighting(size * shapes.channels, min(method.neighbours, size), shapes))
    return _all_parts(method, shapes, Part(BANK, stored + parents + FLOAT * shapes.channels, macs))


def _all_parts(method: PatchCore, shapes: Shapes, bank: Part) -> list[Part]:
    """The bank, the standardisation (one product for each channel at its own resolution), and the smoothing."""
    grids = map(math.prod, shapes.tap_grids)
    products = sum(channels * places for channels, places in zip(shapes.tap_channels, grids, strict=True))
    scales = [Part(SCALES, FLOAT * shapes.channels, products)] if method.standardize else []
    return [bank, *scales, upsampling_part(shapes.grid, shapes.input_size)]


def _reweighting(member_macs: float, neighbours: int, shapes: Shapes) -> float:
    """Multiply-accumulates of equation 7: the nearest member of the worst patch is compared with all members, and the
    patch with that member's nearest neighbours."""
    return member_macs + neighbours * shapes.channels


def fitting(method: PatchCore, shapes: Shapes) -> FittingCosts:
    """The candidate patches, the costs of their selection, and the bank."""
    patches, size = method.candidates(shapes), method.kept(shapes)
    # The size of a pool does not depend on the number of images.
    every = patches == shapes.images * shapes.positions * method.rotations
    # A share of all patches grows with the number of images, and so does a bank of all patches.
    grows = every and (method.bank_ratio is not None or size == patches)
    return FittingCosts(
        (
            MemoryItem("patches of all images", FLOAT * patches * shapes.channels, per_image=every),
            MemoryItem("coreset selection", SELECTION_BYTES * patches, per_image=every),
            MemoryItem(BANK, FLOAT * size * shapes.channels, per_image=grows),
        ),
        # Every patch is compared with every member of the bank.
        selection_macs=patches * size * shapes.channels // shapes.images,
    )


def of_paper(method: PatchCore, shapes: Shapes, backbone: BackboneCounts) -> PaperCosts:
    """The search of the bank is not counted."""
    return PaperCosts(
        bytes=FLOAT * (method.kept(shapes) * shapes.channels + backbone.numbers),
        macs=backbone.macs,
        notes={"inference_mmac": "honest: with a full search of the bank"},
    )
