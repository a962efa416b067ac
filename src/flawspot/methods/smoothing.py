"""Upsampling and Gaussian smoothing of maps as one matrix per axis.

Bilinear upsampling and a Gaussian blur are linear and separable, so together they are ``A @ map @ A.T`` with one
(size, grid) matrix A. That is exact, has the border handling built in, and for a 56 x 56 grid and 224 x 224 pixels
costs 3.5 M multiply-accumulates in two small matrix products.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.runtime.manifest import Part

SIGMA = 4.0
"""Standard deviation of the Gaussian over the map, in pixels of a 224-pixel map; scaled with other input sizes."""
TRUNCATE = 4.0
"""The Gaussian is cut off at this many standard deviations, as scipy.ndimage.gaussian_filter does by default."""


def bilinear_matrix(grid: int, size: int) -> NDArray[np.float64]:
    """(size, grid) matrix that brings `grid` values to `size` by linear interpolation.

    Pixel centres are at half-integers and values are repeated beyond the border: torch's ``align_corners=False``.
    """
    position = np.clip((np.arange(size) + 0.5) * grid / size - 0.5, 0, grid - 1)
    left = np.minimum(position.astype(np.int64), max(grid - 2, 0))
    fraction = position - left
    matrix = np.zeros((size, grid))
    rows = np.arange(size)
    matrix[rows, left] = 1 - fraction
    matrix[rows, np.minimum(left + 1, grid - 1)] += fraction
    return matrix


def gaussian_matrix(size: int, sigma: float) -> NDArray[np.float64]:
    """(size, size) matrix that blurs `size` values with a Gaussian of `sigma`; borders mirror (d c b a | a b c d)."""
    if sigma <= 0:
        return np.eye(size)
    radius = int(TRUNCATE * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights /= weights.sum()
    matrix = np.zeros((size, size))
    rows = np.arange(size)
    for offset, weight in zip(range(-radius, radius + 1), weights, strict=True):
        # Reflection about the border has the period 2 * size.
        column = (rows + offset) % (2 * size)
        np.add.at(matrix, (rows, np.minimum(column, 2 * size - 1 - column)), weight)
    return matrix


def upsampling_matrix(grid: int, size: int, sigma: float = 0.0) -> NDArray[np.float64]:
    """(size, grid) matrix A: ``A @ map @ A.T`` brings a (grid, grid) map to (size, size) bilinearly and blurs it.

    Args:
        grid: the side of the map.
        size: the side of the result in pixels.
        sigma: standard deviation of the Gaussian in pixels of the result; 0 blurs nothing.
    """
    return gaussian_matrix(size, sigma) @ bilinear_matrix(grid, size)


class Upsample(nn.Module):
    """(N, G, G) -> (N, S, S): bilinear, then a Gaussian of `sigma` (in pixels of 224), in two small matrix products."""

    matrix: Tensor

    def __init__(self, grid: int, size: int, sigma: float = 0.0) -> None:
        super().__init__()
        matrix = upsampling_matrix(grid, size, sigma * size / 224)
        self.register_buffer("matrix", torch.from_numpy(matrix).float())

    def forward(self, maps: Tensor) -> Tensor:
        """(N, G, G) -> (N, S, S)."""
        return self.matrix @ maps @ self.matrix.T


def upsampling_part(grid: int, size: int, name: str = "smoothing") -> Part:
    """The matrix of an `Upsample` and its multiply-accumulates for one map."""
    return Part(name, 4 * size * grid, size * grid * grid + size * size * grid)
