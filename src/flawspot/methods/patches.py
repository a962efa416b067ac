"""Patches: the features around each position, and those of several layers on one grid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def pool(maps: Tensor) -> Tensor:
    """(N, C, H, W) -> means over 3 x 3, beyond the border zeros."""
    return F.avg_pool2d(maps, 3, stride=1, padding=1)


def join(maps: Sequence[Tensor], grid: int, mode: str = "nearest") -> Tensor:
    """Maps of several layers as one, on a common grid.

    Args:
        maps: (N, C_k, H_k, W_k) each.
        grid: the side of the result, that of the finest layer.
        mode: how coarse maps come to it: ``nearest`` repeats them, ``bilinear`` interpolates.

    Returns:
        (N, sum of C_k, grid, grid).
    """
    align = None if mode == "nearest" else False
    return torch.cat(
        [
            m if m.shape[2] == grid else F.interpolate(m, size=(grid, grid), mode=mode, align_corners=align)
            for m in maps
        ],
        dim=1,
    )
