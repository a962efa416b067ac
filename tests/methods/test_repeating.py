"""Patches and coarse maps in numpy are those of the graph."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from flawspot.methods.patches import join, pool
from flawspot.methods.repeating import pooled, repeated


@pytest.mark.parametrize("grid", [(8, 8), (16, 8), (11, 7), (8, 20)])
def test_coarse_maps_are_repeated_as_in_the_graph(grid):
    maps = np.random.default_rng(0).random((2, 3, 4, 4)).astype(np.float32)
    expected = F.interpolate(torch.from_numpy(maps), size=grid, mode="nearest").flatten(2).numpy()
    np.testing.assert_array_equal(repeated(maps, grid), expected)
    np.testing.assert_array_equal(join([torch.from_numpy(maps)], grid).flatten(2).numpy(), expected)


@pytest.mark.parametrize("masked", [False, True])
def test_patches_are_pooled_as_in_the_graph(masked):
    generator = np.random.default_rng(1)
    maps = generator.normal(size=(2, 3, 6, 5)).astype(np.float32)
    cells = generator.random((2, 6, 5)) > 0.4 if masked else None
    expected = pool(torch.from_numpy(maps), None if cells is None else torch.from_numpy(cells).float()).numpy()
    np.testing.assert_allclose(pooled(maps, cells), expected, atol=1e-6)
