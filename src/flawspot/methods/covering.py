"""The cells of a feature map that a part of a photograph covers, in numpy.

Cell i of g over h pixels covers the pixels from floor(i h / g) up to ceil((i + 1) h / g). If the cells do not divide
the pixels evenly, they overlap. A cell is inside if at least one of its pixels is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flawspot.methods.shapes import Size


def covering_matrix(grid: int, size: int) -> NDArray[np.float32]:
    """(grid, size) of ones and zeros: which of the pixels each cell covers, along one axis."""
    cells, pixels = np.arange(grid)[:, None], np.arange(size)
    return ((pixels >= cells * size // grid) & (pixels < -(-(cells + 1) * size // grid))).astype(np.float32)


def cells_inside(pixels: NDArray[np.bool_], grid: Size) -> NDArray[np.bool_]:
    """(N, height, width) of pixels -> (N, grid height, grid width) of cells."""
    rows, columns = (covering_matrix(cells, size) for cells, size in zip(grid, pixels.shape[1:], strict=True))
    found: NDArray[np.bool_] = rows @ pixels.astype(np.float32) @ columns.T > 0
    return found
