"""The costs of a detector in one object. It needs no torch, so a device can use it too."""

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
        parts: by name, the backbone first, then those of the method; bytes at float32. The network that PaSTe's teacher
            and student share is counted once, in the backbone.
        memory: memory of the same parts at other precisions, and with batch norms folded.
        paper_bytes: memory as the PaSTe paper counts it; None for methods that the paper does not have.
        paper_macs: multiply-accumulates as the paper counts them; None for methods that it does not have, and for
            PaDiM, whose figure could not be derived.
        training: costs of fitting; None for methods whose training costs are unknown.
    """

    parts: tuple[Part, ...]
    memory: tuple[PartMemory, ...]
    paper_bytes: int | None
    paper_macs: int | None
    training: TrainingCosts | None

    @property
    def bytes(self) -> int:
        """Bytes of all parts at float32."""
        return sum(part.bytes for part in self.parts)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all parts for one photograph, search and distances included."""
        return sum(part.macs for part in self.parts)

    def as_dict(self) -> dict[str, Any]:
        """The costs as plain values for JSON."""
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
    """The costs in a trained detector's manifest, and nothing else."""
    return DetectorCosts(manifest.parts, part_memory(manifest.parts, {}, lambda _: BYTES["float32"]), None, None, None)
