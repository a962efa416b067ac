"""What a detector costs, in one object. No torch: a device may look at it too."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flawspot.costs.precision import BYTES, PartMemory, part_memory
from flawspot.runtime.manifest import Manifest, Part

if TYPE_CHECKING:
    from flawspot.costs.training_costs import TrainingCosts


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


def stored_costs(manifest: Manifest) -> DetectorCosts:
    """What a trained detector says of itself, and nothing else."""
    return DetectorCosts(manifest.parts, part_memory(manifest.parts, {}, lambda _: BYTES["float32"]), None, None, None)
