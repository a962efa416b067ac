"""Blocks of patches: their cells and weights against interpolation of the whole map."""

import numpy as np
import pytest

from flawspot.methods.cfa.blocks import in_blocks
from flawspot.methods.repeating import bilinear_matrix

GRIDS = [
    ((56, 56), [(14, 14), (7, 7)]),
    ((64, 96), [(16, 24), (4, 6), (2, 3)]),
    ((61, 13), [(31, 7)]),
    ((3, 2), [(2, 1), (1, 1)]),
    ((12, 12), []),
]


@pytest.mark.parametrize(("grid", "coarser"), GRIDS, ids=str)
def test_a_block_is_interpolated_from_its_cells(grid, coarser):
    """Each patch by the cells of its own block: the same as by all of them."""
    blocks = in_blocks(grid, coarser, 24)
    generator = np.random.default_rng(0)
    maps = [generator.normal(size=size) for size in coarser]
    cells = np.concatenate([np.zeros(5), *(each.ravel() for each in maps)])
    members = blocks.members(coarser, 5)
    assert members.shape == (blocks.counts[0] * blocks.counts[1], blocks.cells)
    start = 0
    for (down, across), each in zip(blocks.windows, maps, strict=True):
        own = slice(start, start + down.width * across.width)
        start = own.stop
        got = np.empty(grid)
        for y in range(grid[0]):
            for x in range(grid[1]):
                block = y // blocks.size[0] * blocks.counts[1] + x // blocks.size[1]
                weights = np.outer(down.weights[y], across.weights[x]).ravel()
                got[y, x] = weights @ cells[members[block, own]]
        want = bilinear_matrix(each.shape[0], grid[0]) @ each @ bilinear_matrix(each.shape[1], grid[1]).T
        np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize(("grid", "coarser"), GRIDS, ids=str)
def test_blocks_cover_the_grid(grid, coarser):
    blocks = in_blocks(grid, coarser, 24)
    for length, side, count in zip(grid, blocks.size, blocks.counts, strict=True):
        assert (count - 1) * side < length <= count * side


def test_few_cells_of_a_coarse_map_are_read():
    assert in_blocks((56, 56), [(14, 14), (7, 7)], 26).cells <= 25
