"""Lower triangular matrices as bands of rows, each as wide as its last row needs.

A band of 8 rows is one small rectangle, so a product with the matrix is one product for each band, with nothing to
unpack; 62 x 62 numbers become 2,164, where the triangle itself has 1,953.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.floating)

HEIGHT = 8
"""Rows of a band. Fewer rows store fewer zeros; more rows make fewer and faster products."""


def band_rows(size: int) -> list[tuple[int, int]]:
    """First and one past the last row of each band of a (size, size) matrix. A band has as many columns as its end."""
    return [(start, min(start + HEIGHT, size)) for start in range(0, size, HEIGHT)]


def band_numbers(size: int) -> int:
    """Number of stored numbers in the bands of one (size, size) matrix."""
    return sum((stop - start) * stop for start, stop in band_rows(size))


def unpack(bands: Sequence[NDArray[Number]]) -> NDArray[Number]:
    """Bands (P, rows, columns) -> (P, size, size), zeros above them."""
    size = bands[-1].shape[2]
    full = np.zeros((len(bands[0]), size, size), bands[0].dtype)
    for (start, stop), band in zip(band_rows(size), bands, strict=True):
        full[:, start:stop, :stop] = band
    return full
