"""Exact distances of described patches to their nearest centres, for a fraction of the multiply-accumulates.

A described patch is linear in features of several resolutions, the coarser ones interpolated, and in its coordinates:
``q = sum_l up_l(W_l f_l) + V x + b``. Three rewrites leave every distance ``|q - c|`` as it is:

- *Interpolation commutes with products*: ``up(W f) . c = up((W f) . c)``, so the product with a centre is taken at the
  layer's own resolution, and the products are interpolated.
- *Rotation*: with the layers ordered from fine to coarse, ``W = Q R`` with Q orthogonal and R upper triangular. Rotated
  by ``Q^T``, the finest layer affects only as many components as it has channels, so the product at full resolution has
  only these. It costs no memory: the rotated centres replace the others, and R is half zeros.
- *Translation* of everything by the mean of the centres, which saves digits.

The nearest centres are found by ``|c|^2 - 2 q . c`` (`flawspot.methods.cfa.search`). Their distances are computed from
differences, because the expanded square loses digits for small distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.methods.cfa.interpolation import interpolate_columns, interpolate_rows
from flawspot.methods.cfa.search import BlockedSearch
from flawspot.methods.cfa.turned import describing, resolutions, turned, turning
from flawspot.methods.shapes import Size


class NearestCentres(nn.Module):
    """Feature maps -> the distances to the nearest centres of each patch.

    Args:
        weight: (D, D), the description of concatenated features; D is the sum of C_l.
        position: (D, 2), of the patch's row and column in [-1, 1].
        bias: (D,).
        centres: (M, D).
        shapes: (C_l, (H_l, W_l)) of each map, in the order of the columns of `weight`.
        nearest: K, number of returned distances.
        precision: precision of the stored centres, ``float32`` or ``float16``. Distances are those to the stored ones.
    """

    centres: Tensor
    bias: Tensor
    position: Tensor
    norms: Tensor
    rows: Tensor
    columns: Tensor
    axis: Tensor
    rows_axis: Tensor
    columns_axis: Tensor

    def __init__(
        self,
        weight: NDArray[np.floating],
        position: NDArray[np.floating],
        bias: NDArray[np.floating],
        centres: NDArray[np.floating],
        shapes: Sequence[tuple[int, Size]],
        nearest: int,
        precision: str = "float32",
    ) -> None:
        super().__init__()
        weight, centres = np.asarray(weight, np.float64), np.asarray(centres, np.float64)
        features = sum(channels for channels, _ in shapes)
        if weight.shape != (features, features):
            raise ValueError(f"a description of {features} features must have as many components, not {weight.shape}")
        if nearest > len(centres):
            raise ValueError(f"{nearest} nearest of {len(centres)} centres")
        found = turning(weight, shapes)
        self.halved = precision == "float16"
        self.nearest = nearest
        levels = resolutions(found.order, shapes)
        self.members = [level.members for level in levels]
        """The maps of each resolution, finest first."""
        self.grids = [level.grid for level in levels]
        self.reaches = [level.reach for level in levels]
        """Number of components that the maps of a resolution and of all finer ones affect."""
        constants: dict[str, NDArray[Any]] = {
            **describing(found, levels, position),
            **turned(found.basis, position, bias, centres, self.reaches[0], self.halved),
        }
        for name, array in constants.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array)))
        self.search = BlockedSearch(self.grids, self.reaches[0], len(centres), nearest)
        height, width = self.grids[0]
        self.square = height == width
        if self.square:
            self.register_buffer("axis", torch.linspace(-1, 1, height))
        else:
            self.register_buffer("rows_axis", torch.linspace(-1, 1, height))
            self.register_buffer("columns_axis", torch.linspace(-1, 1, width))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """(N, C_l, H_l, W_l) each -> (N P, K), ascending up to rounding; P positions of the finest grid, gh x gw."""
        described = []  # (N, H, W, reach) of each resolution
        for level, members in enumerate(self.members):
            features = torch.cat([maps[index] for index in members], 1).permute(0, 2, 3, 1)
            described.append(features @ self.get_buffer(f"mixing{level}"))
        described[-1] = described[-1] + self.bias
        queries = self._queries(described)  # (N P, D)
        own, (height, width) = self.reaches[0], self.grids[0]
        fine = (-2 * queries[:, :own]).reshape(-1, height, width, own)
        coarse = [-2 * d[..., own:] for d in described[1:]]
        slopes = torch.cat([self.rows, self.columns]) if coarse else None
        index = self.search(fine, coarse, self._decoded(self.centres), self.norms, slopes)
        # One neighbour at a time, without a broadcast; and products, because the runtime computes powers slowly.
        found = [self._decoded(self.centres.index_select(0, index[:, k])) for k in range(self.nearest)]
        differences = [queries - each for each in found]  # (N P, D) each
        return torch.stack([(d * d).sum(1) for d in differences], 1).sqrt()

    def _decoded(self, centres: Tensor) -> Tensor:
        return centres.float() if self.halved else centres

    def _queries(self, described: list[Tensor]) -> Tensor:
        """(N P, D): the described patches themselves, for the differences."""
        height, width = self.grids[0]
        full = [described[0], *(interpolate_columns(interpolate_rows(d, height), width) for d in described[1:])]
        blocks, start = [], 0
        for level, end in enumerate(self.reaches):
            block = full[level][..., start:end]
            for coarser in full[level + 1 :]:
                block = block + coarser[..., start:end]
            blocks.append(block)
            start = end
        down, across = (self.axis, self.axis) if self.square else (self.rows_axis, self.columns_axis)
        rows = down[:, None, None] * self.position[0]  # (gh, 1, D)
        columns = across[:, None] * self.position[1]  # (gw, D)
        return (torch.cat(blocks, 3) + rows + columns).reshape(-1, start)
