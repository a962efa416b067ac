"""Chooses the d numbers that PaDiM keeps of the C concatenated channels: a subset, or products with a (C, d) matrix W.

Every selection is linear, and the coarse taps are repeated over the fine grid. So channels are selected, or multiplied,
at each tap's own resolution, and the repeated products are then added. This is exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flawspot.methods.features import FeatureSet
from flawspot.methods.patches import join
from flawspot.methods.shapes import Shapes, Size
from flawspot.progress import SILENT, Progress

SELECTIONS = ("random", "projection", "components", "variance")
PROJECTIONS = ("projection", "components")
"""Selections that keep products."""
LEARNED = ("components", "variance")
"""Selections that depend on the photographs and on no seed."""

Numbers = NDArray[np.int64] | NDArray[np.floating]


def by_tap(selected: NDArray[np.int64], shapes: Shapes) -> tuple[tuple[int, NDArray[np.int64]], ...]:
    """The selected channels of each tap, without taps that have none."""
    starts = np.cumsum([0, *shapes.tap_channels])
    own = (selected[(selected >= a) & (selected < b)] - a for a, b in itertools.pairwise(starts))
    return tuple((tap, each) for tap, each in zip(shapes.taps, own, strict=True) if len(each))


def rows_by_tap(matrix: NDArray[np.floating], shapes: Shapes) -> tuple[tuple[int, NDArray[np.floating]], ...]:
    """(C, d) -> for each tap its (d, C_tap), transposed."""
    parts = np.split(matrix, np.cumsum(shapes.tap_channels)[:-1])
    return tuple((tap, np.ascontiguousarray(part.T)) for tap, part in zip(shapes.taps, parts, strict=True))


def embed(maps: Mapping[int, Tensor], chosen: Sequence[tuple[int, Tensor]], grid: Size) -> Tensor:
    """Vectors at each position.

    Args:
        maps: {tap: (N, C_tap, H, W)}.
        chosen: for each tap the indices of its channels, or a (d, C_tap) matrix that multiplies them.
        grid: height and width of the finest map.

    Returns:
        (N, d, P).
    """
    if chosen[0][1].ndim == 1:
        return join([torch.index_select(maps[tap], 1, own) for tap, own in chosen], grid).flatten(2)
    total: Tensor | None = None
    for tap, own in chosen:
        size = (maps[tap].shape[2], maps[tap].shape[3])
        product = own.to(maps[tap].dtype) @ maps[tap].flatten(2)  # (N, d, H W)
        part = join([product.reshape(-1, own.shape[0], *size)], grid).flatten(2)
        total = part if total is None else total + part
    assert total is not None  # there are taps
    return total


def embed_rows(features: FeatureSet, rows: slice, chosen: Sequence[tuple[int, Numbers]]) -> Tensor:
    """`embed` of some rows of the photographs' features: (B, d, P)."""
    grid = features.shapes.grid
    if chosen[0][1].ndim == 1:
        # Channels are selected before torch copies the maps.
        return join([torch.from_numpy(features.batch(tap, rows)[:, own]) for tap, own in chosen], grid).flatten(2)
    maps = {tap: torch.from_numpy(features.batch(tap, rows)) for tap, _ in chosen}
    return embed(maps, [(tap, torch.from_numpy(own)) for tap, own in chosen], grid)


def semi_orthogonal(channels: int, kept: int, seed: int) -> NDArray[np.float64]:
    """(C, d) with ``W^T W = I``, uniformly at random: from the QR decomposition of a normal matrix, with R's diagonal
    positive (Kim et al., Semi-orthogonal Embedding for Efficient Unsupervised Anomaly Segmentation, 2021; arXiv
    2105.14737)."""
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((channels, kept)))
    directed: NDArray[np.float64] = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return directed


def principal_components(features: FeatureSet, kept: int, progress: Progress = SILENT) -> NDArray[np.float64]:
    """(C, d): the first eigenvectors of the covariance of all inspected patches, at all positions together.

    They are ordered by eigenvalue, the largest first, and the largest number of each is positive. Memory is one map at
    a time, and C x C sums.
    """
    shapes = features.shapes
    count, total, squares = 0, np.zeros(shapes.channels), np.zeros((shapes.channels, shapes.channels))
    origin: NDArray[np.float32] | None = None
    for row in progress.track(range(len(features)), "finding the principal components"):
        own = slice(row, row + 1)
        maps = [torch.from_numpy(features.batch(tap, own)) for tap in shapes.taps]
        patches = join(maps, shapes.grid)[0].flatten(1).numpy()  # (C, P)
        cells = features.cells(shapes.grid, own)
        if cells is not None:
            patches = patches[:, cells[0].ravel()]
        if not patches.shape[1]:
            continue
        if origin is None:  # sums are relative to it, to reduce cancellation
            origin = patches.mean(axis=1, keepdims=True)
        shifted = patches - origin
        count += patches.shape[1]
        total += shifted.sum(axis=1, dtype=np.float64)
        squares += shifted @ shifted.T
    covariance = squares / max(count, 1) - np.outer(total, total) / max(count, 1) ** 2
    vectors = np.linalg.eigh(covariance)[1][:, ::-1][:, :kept]
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(kept)]
    directed: NDArray[np.float64] = vectors * np.where(largest < 0, -1.0, 1.0)
    return directed


def most_varying(features: FeatureSet, kept: int, progress: Progress = SILENT) -> NDArray[np.int64]:
    """(d,) ascending: the channels with the largest variance over the photographs, averaged over the positions.

    It is the variance itself, not its ratio to the squared mean, for two reasons. The ridge on every covariance has the
    unit of a variance, so it hides channels that vary much less. And channels behind a linear bottleneck have means
    near zero, where a ratio has no meaning.

    The variance at a position is over the photographs in which it is inspected, at least two.
    """
    found = []
    for tap, channels, grid in zip(
        features.shapes.taps, features.shapes.tap_channels, features.shapes.tap_grids, strict=True
    ):
        found.append(_mean_variance(features, tap, channels, grid, progress))
    variance = np.concatenate(found)
    return np.sort(np.argsort(-variance, kind="stable")[:kept])


def _mean_variance(
    features: FeatureSet, tap: int, channels: int, grid: Size, progress: Progress
) -> NDArray[np.float64]:
    """(C_tap,), at the tap's own resolution."""
    tiles = features.shapes.tiles
    count = np.zeros((tiles, 1, *grid))
    total, squares = np.zeros((tiles, channels, *grid)), np.zeros((tiles, channels, *grid))
    for row in progress.track(range(len(features)), f"finding the channels of layer {tap} that vary most"):
        own = slice(row, row + 1)
        values = features.batch(tap, own)[0].astype(np.float64)
        cells = features.cells(grid, own)
        seen = np.ones((1, *grid)) if cells is None else cells.astype(np.float64)
        tile = row % tiles
        count[tile] += seen
        total[tile] += seen * values
        squares[tile] += seen * np.square(values)
    variance = np.maximum(squares - np.square(total) / np.maximum(count, 1), 0) / np.maximum(count - 1, 1)
    counted = count >= 2
    mean: NDArray[np.float64] = (variance * counted).sum(axis=(0, 2, 3)) / max(counted.sum(), 1)
    return mean
