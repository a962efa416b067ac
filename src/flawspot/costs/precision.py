"""Memory of a detector's parts at other precisions, and with the batch norms folded into the convolutions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from flawspot.manifest import Part

BYTES = {"float32": 4, "float16": 2, "int8": 1}


@dataclass(frozen=True)
class PartMemory:
    """One part's memory in bytes.

    Attributes:
        name: of the part.
        numbers: how many are stored.
        folded: how many are left when each batch norm is folded into the convolution before it, as ONNX Runtime and
            every compiler for small devices do; the same as `numbers` where there is no batch norm.
    """

    name: str
    numbers: int
    folded: int

    def bytes(self, precision: str, *, folded: bool = False) -> int:
        """At ``float32``, ``float16`` or ``int8``. The scales of int8, a few hundred numbers, are not counted."""
        return (self.folded if folded else self.numbers) * BYTES[precision]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON: the numbers, and the bytes at each precision."""
        return {
            **dataclasses.asdict(self),
            **{precision: self.bytes(precision) for precision in BYTES},
            **{f"{precision}_folded": self.bytes(precision, folded=True) for precision in BYTES},
        }


def part_memory(parts: Sequence[Part], networks: dict[str, nn.Module]) -> tuple[PartMemory, ...]:
    """The memory of float32 `parts`.

    Args:
        parts: as the method and `configuration_costs` tell them.
        networks: those of the parts that are networks, by the part's name.
    """
    memory = []
    for part in parts:
        numbers = part.bytes // BYTES["float32"]
        folded = folded_numbers(networks[part.name]) if part.name in networks else numbers
        memory.append(PartMemory(part.name, numbers, folded))
    return tuple(memory)


def folded_numbers(network: nn.Module) -> int:
    """How many numbers `network` has once every batch norm's four a channel have become one bias."""
    return sum(
        module.num_features
        if isinstance(module, nn.BatchNorm2d)
        else sum(p.numel() for p in module.parameters(recurse=False))
        + sum(b.numel() for b in module.buffers(recurse=False) if b.is_floating_point())
        for module in network.modules()
    )
