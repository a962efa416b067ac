"""Computes what a detector would cost, without training it, and without photographs or weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from flawspot.backbones.block_list import INPUT
from flawspot.backbones.macs import module_bytes
from flawspot.costs.detector_costs import DetectorCosts
from flawspot.costs.folding import folded_numbers, parts_at
from flawspot.costs.plan import Plan, make_plan
from flawspot.costs.precision import part_memory
from flawspot.costs.training_costs import TrainingCosts
from flawspot.data.tolerances import Given
from flawspot.errors import ConfigurationError
from flawspot.methods import DEFAULT_METHOD
from flawspot.methods.costs import FLOAT, MemoryItem, PaperCosts
from flawspot.methods.shapes import Size
from flawspot.runtime.manifest import Manifest, Part, Scalar

__all__ = ["DetectorCosts", "artifact_costs", "configuration_costs", "plan_costs"]


def configuration_costs(
    *,
    backbone: str,
    layers: str | Sequence[int] | None = None,
    method: str = DEFAULT_METHOD,
    settings: Mapping[str, Scalar] | None = None,
    input_size: int | Size = 224,
    tiles: int = 1,
    images: int = 200,
    seed: int = 0,
    precision: str = "float32",
    tolerate: Given = None,
) -> DetectorCosts:
    """Count the costs of a detector before training.

    Args:
        backbone: its name.
        layers: a layer group's name, ``equiv:REFERENCE`` or block indices; None takes the method's own group.
        method: its name.
        settings: hyperparameters of the method by name.
        input_size: height and width in pixels of the network's input, or the side of a square: the size of resized
            photographs, or of their tiles.
        tiles: number of tiles of each photograph. Multiply-accumulates are those of all tiles.
        images: number of photographs that the method is fitted on, without those held out for threshold and epoch. It
            bounds PatchCore's bank and determines the size of the feature cache.
        seed: seed of the method. No cost depends on it.
        precision: number format of the networks, ``float32`` or ``int8``.
        tolerate: variations that are not defects, as for `flawspot.train`. Varied copies of each photograph are learned
            from too, so training costs more. In figures "of one image", each copy counts as an image.

    Raises:
        ConfigurationError: an unknown name or setting, a value out of its range, or an impossible combination.
    """
    return plan_costs(
        make_plan(
            backbone=backbone,
            layers=layers,
            method=method,
            settings=settings,
            input_size=input_size,
            tiles=tiles,
            images=images,
            seed=seed,
            precision=precision,
            tolerate=tolerate,
        )
    )


def plan_costs(plan: Plan) -> DetectorCosts:
    """The costs of a plan.

    Raises:
        ConfigurationError: the method's costs are only known after the fit.
    """
    parts = plan.method.planned_parts(plan.shapes)
    if parts is None:
        raise ConfigurationError(
            f"the costs of {plan.method.name} are known once it is fitted: train it and run `flawspot costs` on the "
            "artifact"
        )
    of_tile = (Part("backbone", module_bytes(plan.network), plan.backbone.macs), *parts)
    return _costs(plan, tuple(dataclasses.replace(part, macs=plan.shapes.tiles * part.macs) for part in of_tile))


def _costs(plan: Plan, in_float: tuple[Part, ...], fitted: tuple[Part, ...] = ()) -> DetectorCosts:
    """Memory of a plan's parts with its networks in float32, or of the parts that a detector was `fitted` with."""
    networks = {"backbone": plan.network, **plan.method.planned_networks(plan.shapes)}
    parts = fitted or parts_at(in_float, networks, plan.precision)
    paper = plan.method.paper_costs(plan.shapes, plan.backbone) or PaperCosts()
    return DetectorCosts(
        parts=parts,
        memory=part_memory(
            in_float, {name: folded_numbers(network) for name, network in networks.items()}, plan.method.stored_width
        ),
        paper_bytes=paper.bytes,
        paper_macs=None if paper.macs is None else plan.shapes.tiles * paper.macs,
        training=_training(plan, paper),
    )


def _training(plan: Plan, paper: PaperCosts) -> TrainingCosts | None:
    found = plan.method.training_costs(plan.shapes)
    if found is None:
        return None
    tiles, lying = plan.shapes.tiles, 1 + len(plan.method.turns())
    cache = lying * plan.shapes.images * sum(FLOAT * math.prod(plan.shapes.maps[layer]) for layer in plan.required)
    return TrainingCosts(
        backbone_macs=lying * tiles * plan.backbone.macs,
        forward_macs=tiles * found.forward_macs,
        backward_input_macs=tiles * found.backward_input_macs,
        backward_weight_macs=tiles * found.backward_weight_macs,
        epochs=found.epochs,
        batch_size=found.batch_size,
        cached_layers=plan.required,
        cache_bytes=cache,
        ram_paper=paper.training_ram,
        items=(MemoryItem("cached features", cache, per_image=True), *_pasted(plan), *found.items),
        selection_macs=tiles * found.selection_macs,
        copies=plan.shapes.copies,
    )


def _pasted(plan: Plan) -> list[MemoryItem]:
    """Memory for photographs with defects, which are held all the time, whichever method uses them."""
    wanted = plan.method.pasted_photographs()
    if not wanted:
        return []
    one = sum(math.prod(plan.shapes.maps[layer]) for layer in plan.required if layer != INPUT)
    return [
        MemoryItem("features of pasted defects", FLOAT * wanted * one),
        MemoryItem("where the defects are", wanted * math.prod(plan.shapes.input_size)),
    ]


def artifact_costs(manifest: Manifest) -> DetectorCosts:
    """The costs of a trained detector. Its parts are from its manifest, at their stored precision and as counted in
    training. The rest is computed from its configuration.

    Raises:
        ConfigurationError: this flawspot does not know the detector's backbone, method, hyperparameters or tolerance.
    """
    tolerated = manifest.calibration.tolerated
    plan = make_plan(
        backbone=manifest.backbone.name,
        layers=manifest.backbone.taps,
        method=manifest.method,
        settings=manifest.hyperparameters,
        input_size=manifest.view.size,
        tiles=manifest.view.tiles,
        images=manifest.training.images,
        seed=manifest.seed,
        precision=manifest.precision,
        tolerate=None if tolerated is None else {**tolerated.severities, "copies": tolerated.copies},
    )
    if manifest.precision == "float32":
        return _costs(plan, manifest.parts)
    planned = {part.name: part for part in plan_costs(dataclasses.replace(plan, precision="float32")).parts}
    networks = {"backbone", *plan.method.planned_networks(plan.shapes)}
    in_float = (planned[part.name] if part.name in networks else part for part in manifest.parts)
    return _costs(plan, tuple(in_float), manifest.parts)
