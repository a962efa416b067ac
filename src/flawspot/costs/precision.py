"""Memory of a detector's parts at other precisions, and with the batch norms folded into the convolutions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flawspot.runtime.manifest import Part

BYTES = {"float32": 4, "float16": 2, "int8": 1}


@dataclass(frozen=True)
class PartMemory:
    """One part's memory in bytes.

    Attributes:
        name: of the part.
        numbers: the number of stored numbers.
        folded: how many remain when each batch norm is folded into the preceding convolution, as ONNX Runtime and every
            compiler for small devices do. Equal to `numbers` if there is no batch norm.
        fixed: bytes of codes, which have only one precision.
    """

    name: str
    numbers: int
    folded: int
    fixed: int = 0

    def bytes(self, precision: str, *, folded: bool = False) -> int:
        """Bytes at ``float32``, ``float16`` or ``int8``. The scales of int8, a few hundred numbers, are not counted."""
        return (self.folded if folded else self.numbers) * BYTES[precision] + self.fixed

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON: the numbers, and the bytes at each precision."""
        return {
            **dataclasses.asdict(self),
            **{precision: self.bytes(precision) for precision in BYTES},
            **{f"{precision}_folded": self.bytes(precision, folded=True) for precision in BYTES},
        }


def part_memory(
    parts: Sequence[Part], folded: Mapping[str, int], width: Callable[[str], int | None]
) -> tuple[PartMemory, ...]:
    """The memory of `parts`.

    Args:
        parts: the parts from the method and `configuration_costs`.
        folded: by the part's name, how many numbers of a network remain after folding.
        width: by the part's name, the bytes of one stored number; None for codes.
    """
    memory = []
    for part in parts:
        stored = width(part.name)
        if stored is None:
            memory.append(PartMemory(part.name, 0, 0, fixed=part.bytes))
        else:
            numbers = part.bytes // stored
            memory.append(PartMemory(part.name, numbers, folded.get(part.name, numbers)))
    return tuple(memory)
