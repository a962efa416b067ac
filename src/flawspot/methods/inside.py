"""The part of a photograph that is looked at, its region of interest: of pixels, and of the cells of a feature map.

Cell i of g over h pixels covers those from floor(i h / g) up to ceil((i + 1) h / g), so that cells that do not divide
the pixels evenly overlap. A cell is inside if at least one of its pixels is.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.methods.shapes import Size


def covering_matrix(grid: int, size: int) -> NDArray[np.float32]:
    """(grid, size) of ones and zeros: which of so many pixels each of so many cells covers, along one axis."""
    cells, pixels = np.arange(grid)[:, None], np.arange(size)
    return ((pixels >= cells * size // grid) & (pixels < -(-(cells + 1) * size // grid))).astype(np.float32)


def cells_inside(pixels: NDArray[np.bool_], grid: Size) -> NDArray[np.bool_]:
    """(N, height, width) of pixels -> (N, grid height, grid width) of cells."""
    rows, columns = (covering_matrix(cells, size) for cells, size in zip(grid, pixels.shape[1:], strict=True))
    found: NDArray[np.bool_] = rows @ pixels.astype(np.float32) @ columns.T > 0
    return found


class Cells(nn.Module):
    """`cells_inside` in the graph: (N, height, width) -> (N, grid height, grid width), ones and zeros both.

    It keeps nothing: its matrices are constants of the graphs that look at a part of the photograph, and in no other.
    """

    def __init__(self, grid: Size, size: Size) -> None:
        super().__init__()
        self.grid, self.size = grid, size
        self._rows = torch.from_numpy(covering_matrix(grid[0], size[0]))
        self._columns = torch.from_numpy(covering_matrix(grid[1], size[1]).T.copy())

    def forward(self, inside: Tensor) -> Tensor:
        """Sums of ones, which float32 has exactly, cut off at one."""
        return (self._rows.to(inside) @ inside @ self._columns.to(inside)).clamp(max=1)
