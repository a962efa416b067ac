"""What PatchCore stores, computes and takes in training: from shapes alone, and as it is once there is a bank."""

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
    """The bank with its search as it is on good images, and the smoothing."""
    search, shapes = head.search, method.shapes_
    macs = search.macs(method.unproved_) if isinstance(search, HierarchicalSearch) else search.macs()
    if method.reweight:
        macs += _reweighting(search.member_macs(), head.neighbours, shapes)
    return _all_parts(method, shapes, Part(BANK, module_bytes(search), round(macs)))


def planned_parts(method: PatchCore, shapes: Shapes) -> list[Part]:
    """At most: as if no two patches shared their coarse features, and with a search that looks at all of the bank."""
    size = method.kept(shapes)
    levels = len(set(shapes.tap_grids)) if nests(shapes.tap_grids) else 1
    if method.quantization:
        # Codes, and the centroids with their norms; no more of these than patches.
        columns = subspaces(list(shapes.tap_channels), method.subspaces)
        centroids = min(2**method.bits, size) * (shapes.channels + len(columns))
        stored = size * len(columns) + FLOAT * centroids
    else:
        # Each row has a norm, and each channel of 8 bits a step.
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
    """The bank, what standardises channels, one product each at its own resolution, and the smoothing."""
    grids = map(math.prod, shapes.tap_grids)
    products = sum(channels * places for channels, places in zip(shapes.tap_channels, grids, strict=True))
    scales = [Part(SCALES, FLOAT * shapes.channels, products)] if method.standardize else []
    return [bank, *scales, upsampling_part(shapes.grid, shapes.input_size)]


def _reweighting(member_macs: float, neighbours: int, shapes: Shapes) -> float:
    """Of equation 7: the worst patch's nearest member against all members, and the patch against that one's nearest."""
    return member_macs + neighbours * shapes.channels


def fitting(method: PatchCore, shapes: Shapes) -> FittingCosts:
    """All patches that the bank is selected from, what their selection takes, and the bank."""
    patches, size = method.candidates(shapes), method.kept(shapes)
    # Patches of a pool are so many however many images there are.
    every = patches == shapes.images * shapes.positions * method.rotations
    # A share of all patches grows with them; so does a bank that holds every one.
    grows = every and (method.bank_ratio is not None or size == patches)
    return FittingCosts(
        (
            MemoryItem("patches of all images", FLOAT * patches * shapes.channels, per_image=every),
            MemoryItem("coreset selection", SELECTION_BYTES * patches, per_image=every),
            MemoryItem(BANK, FLOAT * size * shapes.channels, per_image=grows),
        ),
        # Every patch is compared with every one that is kept.
        selection_macs=patches * size * shapes.channels // shapes.images,
    )


def of_paper(method: PatchCore, shapes: Shapes, backbone: BackboneCounts) -> PaperCosts:
    """The search of the bank is not counted."""
    return PaperCosts(
        bytes=FLOAT * (method.kept(shapes) * shapes.channels + backbone.numbers),
        macs=backbone.macs,
        notes={"inference_mmac": "honest: with a full search of the bank"},
    )
