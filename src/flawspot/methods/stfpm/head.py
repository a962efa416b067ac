"""The head of STFPM and PaSTe: one student, or several, compared with the teacher."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from flawspot.methods.smoothing import Upsample

if TYPE_CHECKING:
    from flawspot.methods.stfpm.method import STFPM

SHORTEST = 1e-12
"""Lengths below it count as this, so that nothing is divided by 0; that of torch's ``normalize``."""


class StudentTeacherHead(nn.Module):
    """Feature maps of the teacher -> anomaly map and score."""

    def __init__(self, fitted: STFPM) -> None:
        super().__init__()
        shapes = fitted.shapes_
        students = [each.blocks for each in fitted.students_]
        # Names of weights are part of the graph. A single student has names without an index in a list.
        self.student: nn.Module = students[0] if len(students) == 1 else nn.ModuleList(students)
        self.taps, self.source = shapes.taps, fitted.source_
        self.upsample = nn.ModuleList(Upsample(grid, shapes.input_size) for grid in shapes.tap_grids)

    def forward(self, maps: dict[int, Tensor], inside: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """{layer: (N, C, H, W)}, (N, h, w) -> (N, h, w), (N,)."""
        students = self.student if isinstance(self.student, nn.ModuleList) else [self.student]
        outputs = [student(maps[self.source]) for student in students]
        distances = [mean_distance(maps[tap], [output[tap] for output in outputs]) for tap in self.taps]
        anomaly_map = torch.ones(())
        for upsample, distance in zip(self.upsample, distances, strict=True):
            anomaly_map = anomaly_map * upsample(distance, inside)
        return anomaly_map, anomaly_map.amax(dim=(1, 2))


def mean_distance(teacher: Tensor, students: Sequence[Tensor]) -> Tensor:
    """(N, C, H, W) of the teacher and of each student -> (N, H, W): the mean of the students' distances, in [0, 2]."""
    distances = [half_squared_distance(teacher, student) for student in students]
    total = functools.reduce(operator.add, distances)
    return total if len(distances) == 1 else total * (1 / len(distances))


def half_squared_distance(teacher: Tensor, student: Tensor) -> Tensor:
    """(N, C, H, W) twice -> (N, H, W): ``1/2 |t/|t| - s/|s||^2`` at each position, in [0, 2]."""
    difference = _direction(teacher) - _direction(student)
    return 0.5 * difference.square().sum(dim=1)


def _direction(x: Tensor) -> Tensor:
    """(N, C, H, W) -> the same shape, of length 1 at each position; 0 stays 0.

    As torch's ``normalize``, which would copy the length to every channel in the graph.
    """
    length: Tensor = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x / length.clamp(min=SHORTEST)
