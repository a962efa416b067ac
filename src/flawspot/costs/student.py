"""The student of a planned STFPM or PaSTe."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from flawspot.backbones.block_list import INPUT, BlockList
from flawspot.backbones.registry import create, family
from flawspot.costs.plan import Plan
from flawspot.methods.stfpm.method import STFPM
from flawspot.methods.stfpm.recipes import recipe


@dataclass(frozen=True)
class Student:
    """The blocks that are trained, on the meta device.

    Attributes:
        blocks: all up to the last tap, or those behind the shared ones.
        input_shape: (C, H, W) that they start from: the photograph, or the last shared block's output.
        epochs: as `STFPM.fit` takes them.
        batch_size: likewise.
    """

    blocks: BlockList
    input_shape: tuple[int, int, int]
    epochs: int
    batch_size: int

    def input(self, batch: int = 1) -> Tensor:
        """(B, C, H, W), without numbers."""
        return torch.zeros(batch, *self.input_shape, device="meta")


def planned_student(plan: Plan) -> Student:
    """The student that `STFPM.fit` would train."""
    method = plan.method
    assert isinstance(method, STFPM)
    source = method.source_layer(plan.taps, plan.backbone)
    with torch.device("meta"):
        blocks = create(plan.backbone, plan.taps)
    if source != INPUT:
        blocks = blocks.split(source)[1]
    schedule = recipe(method.recipe)
    batch_size = method.batch_size or schedule.batch_size
    epochs = method.epochs or schedule.epochs(plan.images, batch_size) * family(plan.backbone).student_patience
    return Student(blocks.eval(), plan.shapes[source], epochs, min(batch_size, plan.images))
