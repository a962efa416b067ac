"""The inspected part of a photograph, its region of interest: in pixels, and in cells of a feature map.

`flawspot.methods.covering` defines which cells these are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from flawspot.methods.covering import covering_matrix
from flawspot.methods.shapes import Size


class Cells(nn.Module):
    """`flawspot.methods.covering.cells_inside` as a module in the graph.

    (N, height, width) -> (N, grid height, grid width), ones and zeros both.

    It has no state. Its matrices are constants only in graphs that inspect a part of the photograph.
    """

    def __init__(self, grid: Size, size: Size) -> None:
        super().__init__()
        self.grid, self.size = grid, size
        self._rows = torch.from_numpy(covering_matrix(grid[0], size[0]))
        self._columns = torch.from_numpy(covering_matrix(grid[1], size[1]).T.copy())

    def forward(self, inside: Tensor) -> Tensor:
        """Sums of ones, exact in float32, limited to one."""
        return (self._rows.to(inside) @ inside @ self._columns.to(inside)).clamp(max=1)
