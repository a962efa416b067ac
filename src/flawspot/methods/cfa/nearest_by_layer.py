"""The nearest centres of described patches, and the squared distances to them, while the descriptor is trained.

It is like `flawspot.methods.cfa.centres`, but for matrices that change in every step. Each layer's matrix is multiplied
with the centres instead of rotating them. The interpolated products come from one matrix product for rows of patches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from flawspot.methods.cfa.smallest import smallest
from flawspot.methods.repeating import bilinear_matrix
from flawspot.methods.shapes import Size

ROWS = 4
"""Rows of patches compared at once: 4 x 56 x 3,136 x 4 bytes = 2.8 MB, which fit into a processor's cache."""
PATCHES = 512
"""Patches whose differences are computed at once."""


def coordinates(grid: Size, like: Tensor) -> Tensor:
    """(gh, gw, 2): row and column of each patch in [-1, 1]."""
    axes = [torch.linspace(-1, 1, length, dtype=like.dtype, device=like.device) for length in grid]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), 2)


def nearest_by_layer(
    maps: Sequence[Tensor], folded: Sequence[Tensor], along: Tensor, constant: Tensor, count: int
) -> Tensor:
    """The centres whose products with a patch are smallest.

    Args:
        maps: (N, H_l, W_l, C_l) of each layer, channels last; the coarser ones are treated as interpolated.
        folded: (C_l, M) of each layer: the products of its matrix with the centres.
        along: (2, M), coefficients of the patch's row and column in [-1, 1].
        constant: (1, M), constant terms.
        count: number of centres.

    Returns:
        (N P, count) int64, ascending by product; P positions of the finest grid, gh x gw.
    """
    grid = max(((layer.shape[1], layer.shape[2]) for layer in maps), key=math.prod)
    height, width = grid
    where = coordinates(grid, constant)
    ones = torch.ones_like(where[..., :1])
    fine = [
        (layer, matrix) for layer, matrix in zip(maps, folded, strict=True) if (layer.shape[1], layer.shape[2]) == grid
    ]
    coarse = [
        (layer, matrix) for layer, matrix in zip(maps, folded, strict=True) if (layer.shape[1], layer.shape[2]) != grid
    ]
    down = [torch.from_numpy(bilinear_matrix(layer.shape[1], height)).to(constant) for layer, _ in coarse]  # (gh, H_l)
    across = [torch.from_numpy(bilinear_matrix(layer.shape[2], width)).to(constant) for layer, _ in coarse]  # (gw, W_l)
    against = torch.cat([*(matrix for _, matrix in fine), along, constant])  # (n + 3, M)
    own, centres = against.shape
    found = []
    for image in range(len(maps[0])):
        # Rows of patches times n + 3 + widths: the features of the finest layers, then the weights of interpolation.
        patches = torch.cat(
            [*(layer[image] for layer, _ in fine), where, ones, *(matrix.expand(height, -1, -1) for matrix in across)],
            2,
        )
        products = [
            (layer[image].flatten(0, 1) @ matrix).reshape(layer.shape[1], -1)  # (H_l, W_l M)
            for layer, matrix in coarse
        ]
        for start in range(0, height, ROWS):
            rows = patches[start : start + ROWS]
            members = torch.empty(len(rows), rows.shape[2], centres, dtype=rows.dtype, device=rows.device)
            members[:, :own] = against
            first = own
            for matrix, (layer, _), product in zip(down, coarse, products, strict=True):
                last = first + layer.shape[2]
                members[:, first:last] = (matrix[start : start + ROWS] @ product).reshape(len(rows), -1, centres)
                first = last
            found.append(smallest(torch.bmm(rows, members).flatten(0, 1), count))
    return torch.cat(found)


def squared_distances(patches: Tensor, centres: Tensor, index: Tensor) -> Tensor:
    """(R, K): squared distances from patches (R, D) to the centres (M, D) at `index` (R, K); differentiable in the
    patches."""
    squared: Tensor = _SquaredDistances.apply(patches, centres, index)  # type: ignore[no-untyped-call]
    return squared


class _SquaredDistances(torch.autograd.Function):
    """Squared distances from differences. These are not kept: R x K x D numbers would be 75 MB for each image of 3,136
    patches.

    The gradient of sum_k g_k |q - c_k|^2 is 2 (sum_k g_k) q - 2 sum_k g_k c_k, a weighted sum of the centres' rows.
    """

    @staticmethod
    def forward(ctx: Any, patches: Tensor, centres: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(patches, centres, index)
        parts = zip(torch.split(patches, PATCHES), torch.split(index, PATCHES), strict=True)
        return torch.cat([(part[:, None] - centres[own]).square_().sum(2) for part, own in parts])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        patches, centres, index = ctx.saved_tensors
        weighted = torch.nn.functional.embedding_bag(
            index, centres, per_sample_weights=gradient.contiguous(), mode="sum"
        )
        return 2 * (gradient.sum(1, keepdim=True) * patches - weighted), None, None
