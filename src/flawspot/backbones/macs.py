"""Counts the multiply-accumulates of a network while it runs once, and its bytes."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def module_macs(module: nn.Module, example: Tensor) -> int:
    """Multiply-accumulates of the convolutions and linear layers of `module` for one image.

    Batch norm, activations and additions are not counted, as is usual in the field and in the PaSTe paper.

    Args:
        module: the network; it runs once on `example`, in its present mode.
        example: (1, C, H, W).
    """
    total = 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            per_output = layer.in_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
        elif isinstance(layer, nn.Linear):
            per_output = layer.in_features
        else:
            return
        total += output.numel() * per_output

    hooks = [m.register_forward_hook(count) for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    try:
        with torch.no_grad():
            module(example)
    finally:
        for hook in hooks:
            hook.remove()
    return total


def module_bytes(module: nn.Module) -> int:
    """Bytes of the parameters and buffers of `module`, without batch norms' counters of batches, which are not
    shipped."""
    return sum(
        tensor.numel() * tensor.element_size()
        for name, tensor in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    )


def int8_bytes(module: nn.Module) -> int:
    """Bytes of the constants of `module` with its convolutions in 8-bit integers and its batch norms folded into them.

    For each output channel: its weights at one byte each; the step of the weights, the bias and its step at four bytes
    each. Steps and zeros of values, five bytes each, are not counted. Other layers than convolutions count unchanged.
    """
    total = 0
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            total += layer.weight.numel() + 12 * layer.out_channels
        elif not isinstance(layer, nn.BatchNorm2d):
            own = [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]
            total += sum(tensor.numel() * tensor.element_size() for tensor in own)
    return total
