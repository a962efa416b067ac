"""Upsampling and smoothing matrices against torch and scipy."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from flawspot.methods.covering import cells_inside
from flawspot.methods.repeating import bilinear_matrix
from flawspot.methods.smoothing import Upsample, gaussian_matrix, upsampling_matrix, upsampling_part


@pytest.mark.parametrize(("grid", "size"), [(7, 224), (14, 56), (56, 224), (11, 176), (5, 5), (1, 8), (9, 4)])
def test_bilinear_equals_torch(grid: int, size: int) -> None:
    values = np.random.default_rng(0).normal(size=(grid, grid))
    matrix = bilinear_matrix(grid, size)
    expected = F.interpolate(torch.from_numpy(values)[None, None], size=(size, size), mode="bilinear")[0, 0]
    np.testing.assert_allclose(matrix @ values @ matrix.T, expected, atol=1e-12)


@pytest.mark.parametrize(("size", "sigma"), [(224, 4.0), (64, 1.3), (20, 4.0), (3, 4.0)])
def test_gaussian_equals_scipy(size: int, sigma: float) -> None:
    values = np.random.default_rng(1).normal(size=(size, size))
    matrix = gaussian_matrix(size, sigma)
    np.testing.assert_allclose(matrix @ values @ matrix.T, gaussian_filter(values, sigma, mode="reflect"), atol=1e-12)


def test_rows_sum_to_one_so_a_flat_map_stays_flat() -> None:
    np.testing.assert_allclose(upsampling_matrix(14, 224, 4.0).sum(axis=1), 1.0, atol=1e-12)


def test_without_sigma_nothing_is_blurred() -> None:
    np.testing.assert_array_equal(upsampling_matrix(14, 28), bilinear_matrix(14, 28))


def plain_upsample(maps: NDArray[np.float64], size: tuple[int, int], sigma: float) -> NDArray[np.float64]:
    spread = F.interpolate(torch.from_numpy(maps)[None], size=size, mode="bilinear")[0].numpy()
    return np.stack([gaussian_filter(each, sigma, mode="reflect") for each in spread])


@pytest.mark.parametrize(("grid", "size"), [((4, 4), (64, 64)), ((4, 6), (64, 96)), ((7, 5), (40, 33))])
def test_maps_of_any_shape(grid: tuple[int, int], size: tuple[int, int]) -> None:
    maps = np.random.default_rng(2).random((3, *grid))
    upsample = Upsample(grid, size, 4.0)
    got = upsample(torch.from_numpy(maps).float())
    np.testing.assert_allclose(got, plain_upsample(maps, size, 4 * min(size) / 224), rtol=1e-5, atol=1e-6)
    assert upsampling_part(grid, size).bytes == sum(t.nbytes for t in upsample.state_dict().values())
    assert upsampling_part(grid, size).macs == size[0] * grid[0] * grid[1] + size[0] * grid[1] * size[1]


def test_in_a_region_it_is_a_normalised_convolution() -> None:
    generator = np.random.default_rng(3)
    maps, inside = generator.random((2, 4, 6)), generator.random((2, 64, 96)) < 0.0005
    cells = cells_inside(inside, (4, 6))
    assert 0 < cells.sum() < cells.size
    sigma = 4 * 64 / 224
    weighted, weights = (plain_upsample(m, (64, 96), sigma) for m in (maps * cells, cells.astype(float)))
    want = np.where(inside, weighted / np.where(inside, weights, 1), 0)
    got = Upsample((4, 6), (64, 96), 4.0)(torch.from_numpy(maps).float(), torch.from_numpy(inside).float())
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_a_flat_map_stays_flat_up_to_the_border_of_the_region() -> None:
    inside = torch.zeros(1, 64, 96)
    inside[:, 3:30, 10:50] = 1
    got = Upsample((16, 24), (64, 96), 4.0)(torch.full((1, 16, 24), 2.0), inside)
    torch.testing.assert_close(got, 2 * inside)
