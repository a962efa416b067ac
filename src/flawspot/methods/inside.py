"""The part of a photograph that is looked at, its region of interest: of pixels, and of the cells of a feature map.

`flawspot.methods.covering` says which cells those are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from flawspot.methods.covering import covering_matrix
from flawspot.methods.shapes import Size


class Cells(nn.Module):
    """`flawspot.methods.covering.cells_inside` in the graph.

    (N, height, width) -> (N, grid height, grid width), ones and zeros both.

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
