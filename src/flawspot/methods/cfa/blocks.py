"""Blocks of patches, and the cells of coarser maps that each block is interpolated from.

Within a block of h x w patches, a bilinear interpolation reads few cells of a coarser map: 16 of 196 for a block of
8 x 8 in 56 x 56. So the interpolation of a block is the product of a matrix of weights, (h w, cells), with these cells.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.methods.repeating import bilinear_matrix
from flawspot.methods.shapes import Size

SIDES = range(4, 17)
"""Possible sides of blocks, in patches."""
COPYING = 13
"""Number of multiply-accumulates that take as long as copying one number of a block's cells."""


@dataclass(frozen=True)
class Window:
    """The cells of a coarser map that blocks are interpolated from, along one axis.

    Attributes:
        first: (blocks,), the first cell of each block.
        weights: (length, width), for each patch the weights of the `width` cells from its block's first one on.
    """

    first: NDArray[np.int64]
    weights: NDArray[np.float64]

    @property
    def width(self) -> int:
        """Number of cells."""
        return len(self.weights[0])


@dataclass(frozen=True)
class Blocks:
    """A grid divided into blocks.

    Attributes:
        size: height and width of a block. The last blocks may extend beyond the grid.
        counts: number of blocks down and across.
        windows: the windows down and across, for each coarser map.
    """

    size: Size
    counts: Size
    windows: list[tuple[Window, Window]]

    @property
    def cells(self) -> int:
        """Number of cells of all coarser maps that a block is interpolated from."""
        return sum(down.width * across.width for down, across in self.windows)

    def members(self, maps: Sequence[Size], start: int) -> NDArray[np.int64]:
        """(blocks, cells): the places of each block's cells among those of all coarser maps one after the other.

        Args:
            maps: the coarser maps' sizes.
            start: the place of the first one's first cell.
        """
        parts = [np.empty((math.prod(self.counts), 0), np.int64)]
        for (down, across), (height, width) in zip(self.windows, maps, strict=True):
            rows = down.first[:, None] + np.arange(down.width)  # (blocks down, cells down)
            columns = across.first[:, None] + np.arange(across.width)
            places = rows[:, None, :, None] * width + columns[None, :, None, :]
            parts.append(start + places.reshape(math.prod(self.counts), -1))
            start += height * width
        return np.concatenate(parts, 1)


def in_blocks(grid: Size, coarser: Sequence[Size], own: int) -> Blocks:
    """The division into blocks whose products with centres are cheapest.

    Args:
        grid: the finest grid.
        coarser: the other grids.
        own: numbers of a patch that are not interpolated.
    """
    sides = [[side for side in SIDES if side <= length] or [length] for length in grid]
    every = [
        {side: [_window(length, each[axis], side) for each in coarser] for side in sides[axis]}
        for axis, length in enumerate(grid)
    ]
    found = [
        Blocks(size, _counts(grid, size), list(zip(every[0][size[0]], every[1][size[1]], strict=True)))
        for size in itertools.product(sides[0], sides[1])
    ]
    return min(found, key=lambda blocks: _cost(blocks, own))


def _counts(grid: Size, size: Size) -> Size:
    return -(-grid[0] // size[0]), -(-grid[1] // size[1])


def _cost(blocks: Blocks, own: int) -> int:
    """Cost of all blocks with one centre, in multiply-accumulates."""
    return math.prod(blocks.counts) * (own + blocks.cells) * (math.prod(blocks.size) + COPYING)


def _window(length: int, cells: int, side: int) -> Window:
    matrix = bilinear_matrix(cells, length)
    reached = [np.flatnonzero(matrix[start : start + side].any(0)) for start in range(0, length, side)]
    width = max(int(own[-1] - own[0]) + 1 for own in reached)
    first = np.minimum([own[0] for own in reached], cells - width)
    columns = np.repeat(first, side)[:length, None] + np.arange(width)
    return Window(first.astype(np.int64), np.take_along_axis(matrix, columns, 1))
