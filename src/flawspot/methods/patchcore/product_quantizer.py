"""Product quantization: each vector as a few bytes.

Jegou et al., Product Quantization for Nearest Neighbor Search, PAMI 2011. The columns are divided among m subspaces. In
each, the vector is replaced by the nearest of 2^bits centroids. The distances of a query to all centroids of a subspace
form a table. The distance to a coded vector is a sum of m entries, one from each table (asymmetric distance).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ITERATIONS = 25
"""Iterations of Lloyd's algorithm. The error hardly falls after that."""


@dataclass(frozen=True)
class ProductQuantizer:
    """Centroids by subspace.

    Attributes:
        columns: (C_s,) indices into the vectors, for each subspace.
        codebooks: (K, C_s) float32 centroids for each subspace; K at most 256.
    """

    columns: tuple[NDArray[np.int64], ...]
    codebooks: tuple[NDArray[np.float32], ...]

    def encode(self, vectors: NDArray[np.float32]) -> NDArray[np.uint8]:
        """(M, C) -> (M, m): the nearest centroid in each subspace."""
        codes = [
            _nearest(vectors[:, columns], codebook)
            for columns, codebook in zip(self.columns, self.codebooks, strict=True)
        ]
        return np.stack(codes, axis=1).astype(np.uint8)

    def decode(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(M, m) -> (M, C): the decoded vectors."""
        vectors = np.empty((len(codes), sum(map(len, self.columns))), np.float32)
        for number, (columns, codebook) in enumerate(zip(self.columns, self.codebooks, strict=True)):
            vectors[:, columns] = codebook[codes[:, number]]
        return vectors


def subspaces(channels: Sequence[int], count: int) -> tuple[NDArray[np.int64], ...]:
    """Divide the columns of several taps among `count` subspaces, none of which spans two taps.

    So taps that repeat over the finest grid also repeat as codes. Each tap gets at least one subspace, so there may be
    more than `count`. The others go to the taps with the most columns in a subspace.

    Args:
        channels: number of channels of each tap.
        count: wanted number of subspaces.
    """
    pieces = [1] * len(channels)
    while sum(pieces) < min(count, sum(channels)):
        pieces[max(range(len(channels)), key=lambda tap: channels[tap] / pieces[tap])] += 1
    starts = np.cumsum([0, *channels])
    return tuple(
        part
        for tap, number in enumerate(pieces)
        for part in np.array_split(np.arange(starts[tap], starts[tap + 1]), number)
    )


def train_quantizer(
    vectors: NDArray[np.float32], columns: Sequence[NDArray[np.int64]], *, bits: int = 8, seed: int = 0
) -> ProductQuantizer:
    """Find the centroids of each subspace by k-means.

    Args:
        vectors: (M, C) training vectors.
        columns: columns of each subspace, from `subspaces`.
        bits: 1 to 8. There are 2^bits centroids, or fewer if there are fewer distinct vectors.
        seed: seed of the first centroids.
    """
    generator = np.random.default_rng(seed)
    books = tuple(_k_means(np.ascontiguousarray(vectors[:, c]), 2**bits, generator) for c in columns)
    return ProductQuantizer(tuple(columns), books)


def _k_means(points: NDArray[np.float32], count: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """(M, C) -> (K, C): Lloyd's algorithm from distinct points; a centroid that loses all points takes the farthest."""
    distinct = np.unique(points, axis=0)
    if len(distinct) <= count:
        return distinct
    centroids = distinct[generator.choice(len(distinct), count, replace=False)]
    for _ in range(ITERATIONS):
        nearest = _nearest(points, centroids)
        sums = np.zeros(centroids.shape)
        np.add.at(sums, nearest, points)
        sizes = np.bincount(nearest, minlength=count)
        moved = (sums / np.maximum(sizes, 1)[:, None]).astype(np.float32)
        empty = np.flatnonzero(sizes == 0)
        if len(empty):
            error = np.square(points - centroids[nearest]).sum(1)
            moved[empty] = points[np.argsort(error)[::-1][: len(empty)]]
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return centroids


def _nearest(points: NDArray[np.float32], centroids: NDArray[np.float32]) -> NDArray[np.int64]:
    """(M, C), (K, C) -> (M,) the nearest centroid of each point."""
    squares = np.square(centroids).sum(1)
    result = np.empty(len(points), np.int64)
    for start in range(0, len(points), 8192):  # the distances of a block stay in the cache
        result[start : start + 8192] = (squares - 2 * (points[start : start + 8192] @ centroids.T)).argmin(1)
    return result
