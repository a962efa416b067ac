"""Counts the costs of one training step of a network: tensors kept by autograd, and multiply-accumulates backward.

Nothing is estimated: the network runs on torch's meta device, which has shapes but no numbers, and the tensors that
autograd saves are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class StepCosts:
    """The costs of one training step.

    Attributes:
        forward_macs, backward_input_macs, backward_weight_macs: multiply-accumulates of convolutions and linear layers
            for the whole batch: forward, for the gradients with respect to their inputs, and to their weights.
            Gradients of inputs are not needed if nothing before the layer is trained.
        saved_bytes: bytes of tensors kept for the backward pass, such as inputs of convolutions, batch norms and
            activations. Each storage counts once, and parameters are left out.
        largest_gradient_bytes: bytes of one layer's output and input together, which exist at the same time.
    """

    forward_macs: int
    backward_input_macs: int
    backward_weight_macs: int
    saved_bytes: int
    largest_gradient_bytes: int


def step_costs(
    network: nn.Module, x: Tensor, loss: Callable[[Mapping[int, Tensor]], Tensor] | None = None
) -> StepCosts:
    """Count one step of `network` in training mode on `x`: (B, C, H, W) on the network's device.

    Args:
        network: returns {tap: output}, as a `BlockList`.
        x: the batch.
        loss: the loss, computed from the outputs, as its operations keep tensors too.
    """
    forward = inputs = weights = largest = 0

    def count(layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal forward, inputs, weights, largest
        gradient = output.nbytes + (given[0].nbytes if given[0].requires_grad else 0)
        largest = max(largest, gradient)
        if isinstance(layer, nn.Conv2d):
            per_output = layer.in_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
        elif isinstance(layer, nn.Linear):
            per_output = layer.in_features
        else:
            return
        macs = output.numel() * per_output
        forward += macs
        weights += macs if layer.weight.requires_grad else 0
        inputs += macs if given[0].requires_grad else 0

    kept: dict[int, Tensor] = {}  # by storage; held, so that no address is reused

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    training = network.training
    leaves = [m for m in network.modules() if not list(m.children())]
    hooks = [leaf.register_forward_hook(count) for leaf in leaves]
    try:
        network.train()
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            outputs = network(x)
            if loss is not None:
                loss(outputs)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    parameters = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
    saved = sum(t.untyped_storage().nbytes() for key, t in kept.items() if key not in parameters)
    return StepCosts(forward, inputs, weights, saved, largest)
