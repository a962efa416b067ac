"""Tiles of a canvas, and one map of their maps."""

import numpy as np
import pytest
import torch

from flawspot.methods.features import tile_rows
from flawspot.runtime.inspected import Inspected
from flawspot.runtime.view import View
from flawspot.training.graph import joined, parted
from flawspot.training.tiles import Blend, InsideTiles, cut, inside_tiles

VIEWS = [
    View(8, 8),
    View(8, 12, "squash", 2, 3, (2, 4)),
    View(8, 8, "squash", 3, 1, (4, 0)),
    View(8, 8, "squash", 2, 2),
]


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_tiles_of_a_map_blend_into_that_map(view):
    """Where tiles agree, the weights sum to one."""
    canvas = torch.rand(2, *view.canvas, generator=torch.Generator().manual_seed(0))
    tiles = cut(canvas, view)
    assert tiles.shape == (2 * view.tiles, 8, view.width)
    torch.testing.assert_close(Blend(view)(tiles), canvas)


def test_the_weight_goes_linearly_from_tile_to_tile():
    view = View(8, 8, "squash", 1, 2, (0, 3))
    tiles = torch.stack([torch.zeros(8, 8), torch.ones(8, 8)])
    np.testing.assert_allclose(Blend(view)(tiles)[0, 0], [0] * 5 + [0.25, 0.5, 0.75] + [1] * 5)


def test_blending_equals_a_plain_sum_of_weighted_tiles():
    view = View(8, 12, "squash", 2, 3, (4, 6))
    tiles = torch.rand(view.tiles, 8, 12, generator=torch.Generator().manual_seed(1)).double()
    wanted, weights = np.zeros(view.canvas), np.zeros(view.canvas)

    def window(length, overlap, first, last):
        ramp = (np.arange(overlap) + 1) / (overlap + 1)
        values = np.ones(length)
        if not first:
            values[:overlap] *= ramp
        if not last:
            values[length - overlap :] *= ramp[::-1]
        return values

    for number, (top, left) in enumerate(view.origins):
        row, column = divmod(number, view.columns)
        weight = np.outer(window(8, 4, row == 0, row == 1), window(12, 6, column == 0, column == 2))
        wanted[top : top + 8, left : left + 12] += weight * tiles[number].numpy()
        weights[top : top + 8, left : left + 12] += weight
    np.testing.assert_allclose(weights, 1)
    np.testing.assert_allclose(Blend(view)(tiles)[0], wanted, atol=1e-6)


@pytest.mark.parametrize("at_once", [1, 2, 5, 6, 9])
def test_parts_are_joined_in_order(at_once):
    tiles = torch.arange(12.0)[:, None]
    parts = parted(tiles, 6, at_once)
    assert sum(len(part) for part in parts) == 12
    torch.testing.assert_close(joined(parts, 6, at_once), tiles)


def test_rows_of_tiles():
    assert tile_rows(np.array([2, 0]), 3).tolist() == [6, 7, 8, 0, 1, 2]


def test_what_is_inside_of_each_tile():
    mask = np.zeros((4, 4), bool)
    mask[:, 2:] = True
    view = View(8, 8, "squash", 1, 2, inspected=Inspected.of(mask))
    inside = inside_tiles(view, [(20, 10)] * 3)
    assert isinstance(inside, InsideTiles)
    found = inside(np.array([1, 4, 5]))
    assert found.shape == (3, 8, 8) and found[0].all() and not found[1].any() and found[2].all()
    assert inside_tiles(View(8, 8), [(20, 10)]) is None
    assert inside_tiles(View(8, 8, "pad"), [(20, 20)]) is None
    assert inside_tiles(View(8, 8, "pad"), [(20, 20), (20, 10)]) is not None
