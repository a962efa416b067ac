"""Storage, computation and training costs of STFPM and PaSTe, from shapes alone, with networks on the meta device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from flawspot.backbones.autograd import step_costs
from flawspot.backbones.block_list import BlockList
from flawspot.backbones.macs import module_bytes, module_macs
from flawspot.methods.costs import FLOAT, BackboneCounts, FittingCosts, MemoryItem, PaperCosts
from flawspot.methods.shapes import Shapes
from flawspot.methods.smoothing import upsampling_part
from flawspot.methods.stfpm.head import half_squared_distance
from flawspot.methods.stfpm.training import position_loss
from flawspot.runtime.manifest import Part

if TYPE_CHECKING:
    from flawspot.methods.stfpm.method import STFPM

STUDENT, STUDENTS = "student", "students"
"""Name of the part with one student, and with several."""


def planned_student(method: STFPM, shapes: Shapes, batch: int = 1) -> tuple[BlockList, Tensor]:
    """A student, and a batch of its input, (B, C, H, W). Both are on the meta device and hold no numbers."""
    with torch.device("meta"):
        blocks = method.student(shapes.taps, shapes.backbone).eval()
        source = method.source_layer(shapes.taps, shapes.backbone)
        return blocks, torch.zeros(batch, *shapes.maps[source])


def networks(method: STFPM, shapes: Shapes) -> Mapping[str, nn.Module]:
    """All students as one part, on torch's meta device."""
    if method.students == 1:
        return {STUDENT: planned_student(method, shapes)[0]}
    return {STUDENTS: nn.ModuleList(planned_student(method, shapes)[0] for _ in range(method.students))}


def parts(method: STFPM, shapes: Shapes) -> list[Part]:
    """The students, and the comparison with its upsampling."""
    student, start = planned_student(method, shapes)
    upsampling = [upsampling_part(grid, shapes.input_size) for grid in shapes.tap_grids]
    return [
        Part(
            STUDENT if method.students == 1 else STUDENTS,
            method.students * module_bytes(student),
            method.students * module_macs(student, start),
        ),
        Part("upsampling", sum(p.bytes for p in upsampling), sum(p.macs for p in upsampling)),
    ]


def fitting(method: STFPM, shapes: Shapes) -> FittingCosts:
    """One batch, the tensors that autograd keeps, and a student with its gradients, optimizer and best epoch.

    Students are trained one after the other, so only the weights of finished ones are in memory.
    """
    epochs, batch = method.steps(shapes.backbone, shapes.images)
    batch = min(batch, shapes.images)
    student, start = planned_student(method, shapes, batch)
    teacher = {tap: torch.zeros(batch, *shapes.maps[tap], device="meta") for tap in shapes.taps}

    def loss(outputs: Mapping[int, Tensor]) -> Tensor:
        distances = [half_squared_distance(teacher[tap], outputs[tap]) for tap in shapes.taps]
        return torch.stack([position_loss(distance, None, method.hard_share) for distance in distances]).sum()

    step = step_costs(student, start, loss)
    tensors = sum(t.nbytes for t in student.state_dict().values())
    parameters = sum(p.nbytes for p in student.parameters())
    return FittingCosts(
        items=(
            MemoryItem("teacher's batch", sum(t.nbytes for t in teacher.values())),
            MemoryItem("kept by autograd", step.saved_bytes),
            MemoryItem("gradients on their way", step.largest_gradient_bytes),
            MemoryItem("weights", tensors),
            MemoryItem("gradients", parameters),
            MemoryItem("optimizer", parameters),  # momentum
            MemoryItem("best epoch", tensors),
            *([MemoryItem("students before", (method.students - 1) * tensors)] if method.students > 1 else []),
        ),
        forward_macs=method.students * step.forward_macs // batch,
        backward_input_macs=method.students * step.backward_input_macs // batch,
        backward_weight_macs=method.students * step.backward_weight_macs // batch,
        epochs=epochs,
        batch_size=batch,
    )


def of_paper(method: STFPM, shapes: Shapes, backbone: BackboneCounts) -> PaperCosts:
    """Only parameters, without the batch norms' running statistics; in training the outputs of the trained layers.

    The paper has one student. With several, parameters and multiply-accumulates are counted in its way for each. The
    outputs in training are counted once, because one student is trained at a time.
    """
    student, start = planned_student(method, shapes)
    parameters = sum(p.numel() for p in student.parameters())
    return PaperCosts(
        bytes=FLOAT * (backbone.parameters + method.students * parameters),
        macs=backbone.macs + sum(part.macs for part in parts(method, shapes)),
        training_ram=_trained_outputs(student, start),
        notes={
            "memory_mb": "honest: with running statistics",
            "training_mmac": "the paper's way could not be derived; honest: forward and both ways backward",
            "training_ram_mb": f"honest: a batch, autograd's tensors and the cache of {shapes.images} photographs",
        },
    )


def _trained_outputs(module: nn.Module, x: Tensor) -> int:
    """Bytes of the outputs of every convolution and batch norm for one image, value and gradient, at float32."""
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
