"""Networks with their batch norms folded into the preceding convolutions, in float and in 8-bit integers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from torch import nn

from flawspot.backbones.macs import int8_bytes
from flawspot.runtime.manifest import Part


def folded_numbers(network: nn.Module) -> int:
    """How many numbers `network` has after each batch norm's four numbers a channel have become one bias."""
    return sum(
        module.num_features
        if isinstance(module, nn.BatchNorm2d)
        else sum(p.numel() for p in module.parameters(recurse=False))
        + sum(b.numel() for b in module.buffers(recurse=False) if b.is_floating_point())
        for module in network.modules()
    )


def parts_at(parts: Sequence[Part], networks: Mapping[str, nn.Module], precision: str) -> tuple[Part, ...]:
    """The parts of a detector whose networks compute in `precision`.

    Args:
        parts: with networks in float32.
        networks: the parts that are networks, by name.
        precision: ``float32`` or ``int8``.
    """
    if precision == "float32":
        return tuple(parts)
    return tuple(
        dataclasses.replace(part, bytes=int8_bytes(networks[part.name])) if part.name in networks else part
        for part in parts
    )
