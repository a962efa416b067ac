"""Coarse maps on a finer grid, and patches, in numpy: the same as `flawspot.methods.patches` computes in the graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flawspot.methods.shapes import Size


def repeated(maps: NDArray[np.float32], grid: Size) -> NDArray[np.float32]:
    """(T, C, H, W) -> (T, C, P): each cell takes the nearest coarse one, as with torch's ``nearest``."""
    rows, columns = (
        np.floor(np.arange(fine, dtype=np.float32) * np.float32(coarse / fine)).astype(np.int64)
        for fine, coarse in zip(grid, maps.shape[2:], strict=True)
    )
    if maps.shape[2:] != grid:
        maps = maps[:, :, rows[:, None], columns]
    return maps.reshape(*maps.shape[:2], -1)


def bilinear_matrix(grid: int, size: int) -> NDArray[np.float64]:
    """(size, grid) matrix that brings `grid` values to `size` by linear interpolation.

    Pixel centres are at half-integers and values are repeated beyond the border: torch's ``align_corners=False``.
    """
    position = np.clip((np.arange(size) + 0.5) * grid / size - 0.5, 0, grid - 1)
    left = np.minimum(position.astype(np.int64), max(grid - 2, 0))
    fraction = position - left
    matrix = np.zeros((size, grid))
    rows = np.arange(size)
    matrix[rows, left] = 1 - fraction
    matrix[rows, np.minimum(left + 1, grid - 1)] += fraction
    return matrix


def pooled(maps: NDArray[np.float32], cells: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
    """(T, C, H, W) -> means over 3 x 3, with zeros beyond the border; only over `cells` (T, H, W) if some are not
    inspected."""
    if cells is None:
        return _means(maps)
    seen = cells[:, None].astype(np.float32)
    share = _means(np.ones((1, 1, *maps.shape[2:]), np.float32)) / np.maximum(_means(seen), np.float32(0.1))
    return _means(maps * seen) * share.astype(np.float32)


def _means(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = maps.shape[2:]
    padded = np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1)))
    total = padded[:, :, :height] + padded[:, :, 1 : height + 1] + padded[:, :, 2:]
    total = total[:, :, :, :width] + total[:, :, :, 1 : width + 1] + total[:, :, :, 2:]
    means: NDArray[np.float32] = total * np.float32(1 / 9)
    return means
