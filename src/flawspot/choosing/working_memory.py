"""The working memory of a detector on a device: a lower bound before training, and the planned size after it."""

from __future__ import annotations

import math

import torch
from torch import nn

from flawspot.costs.plan import Plan
from flawspot.errors import ExportError
from flawspot.export.c.writer import plan_memory
from flawspot.export.reading.from_onnx import read_form
from flawspot.runtime.artifact import Artifact


def least_arena(plan: Plan) -> int:
    """A lower bound in bytes for any order of the backbone's convolutions: input and output of the largest one.

    A depthwise convolution may overwrite its input, and the photograph is in bytes. So the plan of
    ``flawspot export --to c`` takes at least as much.
    """
    key = (plan.shapes.backbone, plan.required, plan.shapes.input_size, plan.precision)
    if key not in _KNOWN:
        _KNOWN[key] = _least(plan)
    return _KNOWN[key]


_KNOWN: dict[object, int] = {}


def _least(plan: Plan) -> int:
    width = 1 if plan.precision == "int8" else 4
    most = 0

    def look(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal most
        if not isinstance(layer, nn.Conv2d):
            return
        taken, given = math.prod(inputs[0].shape[1:]), math.prod(output.shape[1:])
        if layer.in_channels == 3:
            most = max(most, taken + width * given)
        elif layer.groups == layer.in_channels == layer.out_channels:
            most = max(most, width * max(taken, given))
        else:
            most = max(most, width * (taken + given))

    hooks = [layer.register_forward_hook(look) for layer in plan.network.modules() if isinstance(layer, nn.Conv2d)]
    try:
        plan.network(torch.zeros(1, 3, *plan.shapes.input_size, device="meta"))
    finally:
        for hook in hooks:
            hook.remove()
    return most


def arena_of(artifact: Artifact) -> int | None:
    """Bytes of the memory block that ``flawspot export --to c`` plans; None for a detector without such a form."""
    if artifact.manifest.geometry is not None:
        return None
    try:
        return plan_memory(read_form(artifact.model, artifact.manifest.input_size))[0].bytes
    except ExportError:
        return None
