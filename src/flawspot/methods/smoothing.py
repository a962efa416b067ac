"""Upsampling and Gaussian smoothing of maps, with one matrix for each axis.

Bilinear upsampling and a Gaussian blur are linear and separable, so together they are ``A @ map @ B.T`` with one (size,
grid) matrix for each axis, the same one for a square. This is exact and includes the border handling. For a 56 x 56
grid and 224 x 224 pixels it takes 3.5 M multiply-accumulates in two small matrix products.

If only a part of the photograph is inspected, the map is the normalised convolution (Knutsson and Westin, Normalized
and differential convolution, CVPR 1993) of the inside cells v with mask m, ``A (v m) B.T / A m B.T``: values outside do
not blur in, and nothing is lost at the border of the region, as would happen with zeros beyond it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.methods.inside import Cells
from flawspot.methods.repeating import bilinear_matrix
from flawspot.methods.shapes import Size
from flawspot.runtime.manifest import Part

SIGMA = 4.0
"""Standard deviation of the Gaussian over the map, in pixels of a 224-pixel map; it scales with the input size."""
TRUNCATE = 4.0
"""The Gaussian is cut off at this many standard deviations, as scipy.ndimage.gaussian_filter does by default."""


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
    """(size, grid) matrix A: ``A @ map @ A.T`` resizes a (grid, grid) map to (size, size) bilinearly and blurs it.

    Args:
        grid: the map's cells along one axis.
        size: the result's pixels along it.
        sigma: standard deviation of the Gaussian in pixels of the result; 0 does not blur.
    """
    return gaussian_matrix(size, sigma) @ bilinear_matrix(grid, size)


class Upsample(nn.Module):
    """(N, gh, gw) -> (N, h, w): bilinear, then a Gaussian of `sigma`, in two small matrix products.

    Args:
        grid: height and width of the maps.
        size: height and width of the results in pixels.
        sigma: standard deviation in pixels of a result whose shorter side is 224; scaled with other sizes.
    """

    matrix: Tensor
    rows_matrix: Tensor
    columns_matrix: Tensor

    def __init__(self, grid: Size, size: Size, sigma: float = 0.0) -> None:
        super().__init__()
        sigma = sigma * min(size) / 224
        rows, columns = (
            torch.from_numpy(upsampling_matrix(cells, pixels, sigma)).float()
            for cells, pixels in zip(grid, size, strict=True)
        )
        self.grid, self.size = grid, size
        self.square = _is_square(grid, size)
        if self.square:
            self.register_buffer("matrix", rows)
        else:
            self.register_buffer("rows_matrix", rows)
            self.register_buffer("columns_matrix", columns)
        self.cells = Cells(grid, size)

    def forward(self, maps: Tensor, inside: Tensor | None = None) -> Tensor:
        """Resize maps to the size of the photograph.

        Args:
            maps: (N, gh, gw).
            inside: (N, h, w), one for inspected pixels and zero for the others; None if all are.

        Returns:
            (N, h, w); zero outside.
        """
        if inside is None:
            return self._spread(maps)
        cells = self.cells(inside)
        return self._spread(maps * cells) / self._spread(cells).clamp(min=_SMALLEST_WEIGHT) * inside

    def _spread(self, maps: Tensor) -> Tensor:
        if self.square:
            return self.matrix @ maps @ self.matrix.T
        return self.rows_matrix @ maps @ self.columns_matrix.T


_SMALLEST_WEIGHT = 1e-12
"""Inside pixels have a far larger weight. Pixels outside may have none, and must not be divided by it."""


def _is_square(grid: Size, size: Size) -> bool:
    return grid[0] == grid[1] and size[0] == size[1]


def upsampling_part(grid: Size, size: Size, name: str = "smoothing") -> Part:
    """The matrices of an `Upsample`, and its multiply-accumulates for one fully inspected map."""
    numbers = [cells * pixels for cells, pixels in zip(grid, size, strict=True)]
    stored = numbers[0] if _is_square(grid, size) else sum(numbers)
    return Part(name, 4 * stored, numbers[0] * grid[1] + size[0] * numbers[1])
