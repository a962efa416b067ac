"""Patches: the features around each position, and the features of several layers on one grid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from flawspot.methods.shapes import Size


def pool(maps: Tensor, cells: Tensor | None = None) -> Tensor:
    """(N, C, H, W) -> means over 3 x 3, with zeros beyond the border.

    Args:
        maps: the maps of one layer.
        cells: (N, H, W), one for inspected cells and zero for the others; None if all are inspected. Means are then
            over inspected cells, with zeros beyond the photograph's border as always, so features outside have no
            effect. A cell outside gets the mean of its inspected neighbours, for interpolation.
    """
    if cells is None:
        return F.avg_pool2d(maps, 3, stride=1, padding=1)
    cells = cells[:, None]
    everything = torch.ones(1, 1, maps.shape[2], maps.shape[3], dtype=maps.dtype)
    # Shares of nine: the smallest above zero is a ninth.
    share = F.avg_pool2d(everything, 3, stride=1, padding=1) / F.avg_pool2d(cells, 3, stride=1, padding=1).clamp(
        min=0.1
    )
    return F.avg_pool2d(maps * cells, 3, stride=1, padding=1) * share


def join(maps: Sequence[Tensor], grid: Size, mode: str = "nearest") -> Tensor:
    """Join maps of several layers on a common grid.

    Args:
        maps: (N, C_k, H_k, W_k) each.
        grid: height and width of the result, which are those of the finest layer.
        mode: how coarse maps are resized: ``nearest`` repeats them, ``bilinear`` interpolates.

    Returns:
        (N, sum of C_k, *grid).
    """
    align = None if mode == "nearest" else False
    return torch.cat(
        [
            m if (m.shape[2], m.shape[3]) == grid else F.interpolate(m, size=grid, mode=mode, align_corners=align)
            for m in maps
        ],
        dim=1,
    )
