"""Upsampling and smoothing matrices against torch and scipy."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

from flawspot.methods.smoothing import bilinear_matrix, gaussian_matrix, upsampling_matrix


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
