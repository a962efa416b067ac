"""What a detector costs by the way the PaSTe paper counts; found by agreement with its tables 2 and 3.

- PatchCore: the search of the bank is not counted.
- PaDiM: d x d + d numbers at each position. How its multiply-accumulates were counted could not be derived.
- CFA: the descriptor is stored twice.
- STFPM, PaSTe: parameters alone, without the batch norms' running statistics; the others with them.
- RAM in training: the outputs of every convolution and batch norm that is trained, value and gradient, for one image.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from flawspot.backbones.macs import module_macs
from flawspot.costs.method_parts import FLOAT, bank_size, padim_channels
from flawspot.costs.plan import Plan
from flawspot.costs.student import planned_student
from flawspot.methods.cfa.method import CFA
from flawspot.methods.padim.method import PaDiM
from flawspot.methods.patchcore.method import PatchCore
from flawspot.methods.stfpm.method import STFPM


def paper_bytes(plan: Plan) -> int | None:
    """Memory at float32; None for a method that the paper does not have."""
    match plan.method:
        case PatchCore():
            return FLOAT * (bank_size(plan) * plan.channels + _tensors(plan.network))
        case PaDiM():
            d = padim_channels(plan)
            return FLOAT * (plan.positions * (d * d + d) + _tensors(plan.network))
        case CFA():
            return FLOAT * (plan.positions * plan.channels + 2 * _descriptor(plan) + _tensors(plan.network))
        case STFPM():
            return FLOAT * (_parameters(plan.network) + _parameters(planned_student(plan).blocks))
    return None


def paper_macs(plan: Plan) -> int | None:
    """Multiply-accumulates for one photograph; None where the paper's figure could not be derived."""
    match plan.method:
        case PatchCore():
            return plan.backbone_macs()
        case CFA():
            c, positions = plan.channels, plan.positions
            return plan.backbone_macs() + positions * (c + 2) * c + positions * positions * c
        case STFPM():
            student = planned_student(plan)
            return plan.backbone_macs() + module_macs(student.blocks, student.input()) + _comparing(plan)
    return None


def paper_training_ram(plan: Plan) -> int | None:
    """Bytes in training; None for methods that train no network."""
    match plan.method:
        case STFPM():
            student = planned_student(plan)
            return _trained_outputs(student.blocks, student.input())
        case CFA():
            return 2 * FLOAT * plan.positions * plan.channels  # its 1x1 convolution
    return None


def _descriptor(plan: Plan) -> int:
    """Of CFA: a 1x1 convolution with bias of the channels and two coordinates."""
    return (plan.channels + 2) * plan.channels + plan.channels


def _comparing(plan: Plan) -> int:
    """Bringing the student-teacher distance of each tap to the photograph's size, as two products with a matrix."""
    size, sides = plan.input_size, [plan.shapes[tap][1] for tap in plan.taps]
    return sum(size * side * side + size * size * side for side in sides)


def _parameters(network: nn.Module) -> int:
    return _count(network.parameters())


def _tensors(network: nn.Module) -> int:
    """Parameters and running statistics."""
    return _parameters(network) + _count(b for b in network.buffers() if b.is_floating_point())


def _count(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


def _trained_outputs(module: nn.Module, x: Tensor) -> int:
    """Bytes of the outputs of every convolution and batch norm, value and gradient, at float32."""
    total = 0

    def count(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += 2 * FLOAT * output.numel()

    hooks = [m.register_forward_hook(count) for m in module.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    try:
        with torch.no_grad():
            module(x)
    finally:
        for hook in hooks:
            hook.remove()
    return total
