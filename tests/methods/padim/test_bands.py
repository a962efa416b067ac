"""Triangles in bands."""

import numpy as np
import pytest

from flawspot.methods.padim.bands import band_numbers, band_rows, unpack


@pytest.mark.parametrize("size", [1, 7, 8, 30, 62])
def test_bands_hold_the_triangle(size: int) -> None:
    triangles = np.tril(np.random.default_rng(0).normal(size=(3, size, size)))
    bands = [triangles[:, start:stop, :stop] for start, stop in band_rows(size)]
    np.testing.assert_array_equal(unpack(bands), triangles)
    assert sum(band[0].size for band in bands) == band_numbers(size)


def test_little_is_stored_beyond_the_triangle() -> None:
    assert band_numbers(62) == 2164 < 1.11 * 62 * 63 / 2
