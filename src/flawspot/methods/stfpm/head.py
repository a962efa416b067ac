"""The head of STFPM and PaSTe: the student beside its teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flawspot.methods.smoothing import Upsample

if TYPE_CHECKING:
    from flawspot.methods.stfpm.method import STFPM


class StudentTeacherHead(nn.Module):
    """Feature maps of the teacher -> anomaly map and score."""

    def __init__(self, fitted: STFPM) -> None:
        super().__init__()
        shapes = fitted.shapes_
        self.student = fitted.student_
        self.taps, self.source = shapes.taps, fitted.source_
        self.upsample = nn.ModuleList(Upsample(grid, shapes.input_size) for grid in shapes.tap_grids)

    def forward(self, maps: dict[int, Tensor], inside: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """{layer: (N, C, H, W)}, (N, h, w) -> (N, h, w), (N,)."""
        outputs = self.student(maps[self.source])
        distances = [half_squared_distance(maps[tap], outputs[tap]) for tap in self.taps]  # (N, H, W) each
        anomaly_map = torch.ones(())
        for upsample, distance in zip(self.upsample, distances, strict=True):
            anomaly_map = anomaly_map * upsample(distance, inside)
        return anomaly_map, anomaly_map.amax(dim=(1, 2))


def half_squared_distance(teacher: Tensor, student: Tensor) -> Tensor:
    """(N, C, H, W) twice -> (N, H, W): ``1/2 |t/|t| - s/|s||^2`` at each position, in [0, 2]."""
    difference = F.normalize(teacher, dim=1) - F.normalize(student, dim=1)
    return 0.5 * difference.square().sum(dim=1)
