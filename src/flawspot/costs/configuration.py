"""What a detector would cost, without training it: no photographs and no weights are needed."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from flawspot.costs.detector_costs import DetectorCosts
from flawspot.costs.folding import folded_numbers
from flawspot.costs.method_parts import method_parts, number_bytes
from flawspot.costs.paper_counting import paper_bytes, paper_macs
from flawspot.costs.plan import Plan, make_plan
from flawspot.costs.precision import part_memory
from flawspot.costs.student import planned_student
from flawspot.costs.training_costs import training_costs
from flawspot.methods.stfpm.method import STFPM
from flawspot.runtime.manifest import Manifest, Part, Scalar

__all__ = ["DetectorCosts", "artifact_costs", "configuration_costs", "plan_costs"]


def configuration_costs(
    *,
    backbone: str,
    layers: str | Sequence[int] | None = None,
    method: str = "paste",
    settings: Mapping[str, Scalar] | None = None,
    input_size: int = 224,
    images: int = 200,
    seed: int = 0,
) -> DetectorCosts:
    """Count what a detector costs before there is one.

    Args:
        backbone: its name.
        layers: a layer group's name, ``equiv:REFERENCE`` or block indices; None takes the method's own group.
        method: its name.
        settings: hyperparameters of the method by name.
        input_size: side of the photographs in pixels.
        images: how many the method is fitted on, those held out for threshold and epoch not among them. Bounds
            PatchCore's bank, and says how large the cache of features becomes.
        seed: of the method; no cost depends on it.

    Raises:
        ConfigurationError: an unknown name or setting, a value out of its range, or a combination that cannot be.
    """
    return plan_costs(
        make_plan(
            backbone=backbone,
            layers=layers,
            method=method,
            settings=settings,
            input_size=input_size,
            images=images,
            seed=seed,
        )
    )


def plan_costs(plan: Plan) -> DetectorCosts:
    """The costs of a plan."""
    size = sum(t.numel() * t.element_size() for t in plan.network.state_dict().values() if t.is_floating_point())
    return _costs(plan, (Part("backbone", size, plan.backbone_macs()), *method_parts(plan)))


def _costs(plan: Plan, parts: tuple[Part, ...]) -> DetectorCosts:
    folded = {"backbone": folded_numbers(plan.network)}
    if isinstance(plan.method, STFPM):
        folded["student"] = folded_numbers(planned_student(plan).blocks)
    return DetectorCosts(
        parts=parts,
        memory=part_memory(parts, folded, functools.partial(number_bytes, plan)),
        paper_bytes=paper_bytes(plan),
        paper_macs=paper_macs(plan),
        training=training_costs(plan),
    )


def artifact_costs(manifest: Manifest) -> DetectorCosts:
    """What a trained detector costs: the parts of its manifest, at their stored precision and as counted in training;
    the rest as it follows from its configuration.

    Raises:
        ConfigurationError: this flawspot does not know the detector's backbone, method or hyperparameters.
    """
    plan = make_plan(
        backbone=manifest.backbone.name,
        layers=manifest.backbone.taps,
        method=manifest.method,
        settings=manifest.hyperparameters,
        input_size=manifest.input_size,
        images=manifest.training.images,
        seed=manifest.seed,
    )
    return _costs(plan, manifest.parts)
