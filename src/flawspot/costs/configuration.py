"""What a detector would cost, without training it: no photographs and no weights are needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flawspot.costs.method_parts import method_parts
from flawspot.costs.paper_counting import paper_bytes, paper_macs
from flawspot.costs.plan import Plan, make_plan
from flawspot.costs.precision import PartMemory, part_memory
from flawspot.costs.student import planned_student
from flawspot.costs.training_costs import TrainingCosts, training_costs
from flawspot.manifest import Part, Scalar
from flawspot.methods.stfpm import STFPM


@dataclass(frozen=True)
class DetectorCosts:
    """What a detector stores and computes.

    Attributes:
        parts: by name, the backbone first, then those of the method; bytes at float32. What PaSTe's teacher and student
            share is counted once, in the backbone.
        memory: of the same parts at other precisions, and with batch norms folded.
        paper_bytes: as the PaSTe paper counts memory; None for methods it does not have.
        paper_macs: as it counts multiply-accumulates; None likewise, and for PaDiM, whose figure could not be derived.
        training: what fitting takes; None for methods whose training is not known.
    """

    parts: tuple[Part, ...]
    memory: tuple[PartMemory, ...]
    paper_bytes: int | None
    paper_macs: int | None
    training: TrainingCosts | None

    @property
    def bytes(self) -> int:
        """Of all parts, at float32."""
        return sum(part.bytes for part in self.parts)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all parts for one photograph, search and distances included."""
        return sum(part.macs for part in self.parts)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {
            "parts": [dataclasses.asdict(part) for part in self.parts],
            "bytes": self.bytes,
            "macs": self.macs,
            "memory": [memory.as_dict() for memory in self.memory],
            "paper_bytes": self.paper_bytes,
            "paper_macs": self.paper_macs,
            "training": None if self.training is None else self.training.as_dict(),
        }


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
    parts = (Part("backbone", size, plan.backbone_macs()), *method_parts(plan))
    networks = {"backbone": plan.network}
    if isinstance(plan.method, STFPM):
        networks["student"] = planned_student(plan).blocks
    return DetectorCosts(
        parts=parts,
        memory=part_memory(parts, dict(networks)),
        paper_bytes=paper_bytes(plan),
        paper_macs=paper_macs(plan),
        training=training_costs(plan),
    )
