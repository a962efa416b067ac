"""Batch norms folded into the convolutions before them."""

from __future__ import annotations

from torch import nn


def folded_numbers(network: nn.Module) -> int:
    """How many numbers `network` has once every batch norm's four a channel have become one bias."""
    return sum(
        module.num_features
        if isinstance(module, nn.BatchNorm2d)
        else sum(p.numel() for p in module.parameters(recurse=False))
        + sum(b.numel() for b in module.buffers(recurse=False) if b.is_floating_point())
        for module in network.modules()
    )
