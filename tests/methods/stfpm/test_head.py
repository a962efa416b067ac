"""The distance of a student from its teacher."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from flawspot.methods.stfpm.head import half_squared_distance


def test_the_distance_is_that_of_torchs_normalized_features():
    generator = torch.Generator().manual_seed(0)
    teacher, student = (torch.randn(2, 5, 3, 4, generator=generator) for _ in range(2))
    teacher[0, :, 1, 1] = 0  # which has no direction
    student[1, :, 2, 0] = 1e-14
    difference = F.normalize(teacher, dim=1) - F.normalize(student, dim=1)
    assert torch.equal(half_squared_distance(teacher, student), 0.5 * difference.square().sum(dim=1))
