"""Farthest-first coreset (k-center greedy), exact, with the triangle inequality in the place of most distances.

Gonzalez, Clustering to minimize the maximum intercluster distance, 1985; used for the memory bank by PatchCore (Roth et
al., CVPR 2022, algorithm 1). Pruning after Elkan, ICML 2003: a new centre c can take a point x from its centre a only
where d(x, a) > d(c, a) / 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.progress import SILENT, Progress


@dataclass(frozen=True)
class Coreset:
    """A selection of points.

    Attributes:
        indices: (k,) rows of the selected points, in the order of their selection.
        radius: the largest distance of any point to its nearest selected one.
        distances_computed: how many point-to-centre distances it took; k * n without pruning.
    """

    indices: NDArray[np.int64]
    radius: float
    distances_computed: int


def farthest_first(points: NDArray[np.float32], count: int, *, seed: int = 0, progress: Progress = SILENT) -> Coreset:
    """Select `count` points so that each next one is the farthest from all selected so far.

    Args:
        points: (n, d).
        count: how many to select; at least 1, n or more selects all.
        seed: chooses the first point.
        progress: told of each selected point.

    Returns:
        The same selection as computing every distance to every new centre.
    """
    total = len(points)
    count = min(count, total)
    points = np.ascontiguousarray(points, dtype=np.float32)
    first = int(np.random.default_rng(seed).integers(total))

    indices = np.empty(count, np.int64)
    centres = np.empty((count, points.shape[1]), np.float32)
    indices[0], centres[0] = first, points[first]
    squared = _squared_distances(points, centres[0])
    squared[first] = 0.0
    owner = np.zeros(total, np.int32)
    computed = total

    for step in progress.track(range(1, count), "selecting the coreset", count - 1):
        chosen = int(squared.argmax())
        centre = points[chosen]
        indices[step], centres[step] = chosen, centre
        # A quarter of the squared distance between the new centre and each old one: the bound for every point it owns,
        # less a hair for the rounding of float32.
        quarter = _squared_distances(centres[:step], centre) * np.float32(0.25 * (1 - 1e-5))
        candidates = np.flatnonzero(squared > quarter[owner])
        distances = _squared_distances(points[candidates], centre)
        computed += len(candidates)
        closer = distances < squared[candidates]
        taken = candidates[closer]
        squared[taken] = distances[closer]
        owner[taken] = step
        squared[chosen] = 0.0
    return Coreset(indices, float(np.sqrt(squared.max())), computed)


def _squared_distances(points: NDArray[np.float32], centre: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, d), (d,) -> (n,), from the differences: no cancellation."""
    result = np.empty(len(points), np.float32)
    for start in range(0, len(points), 4096):  # stays in the cache
        difference = points[start : start + 4096] - centre
        result[start : start + 4096] = np.einsum("nd,nd->n", difference, difference)
    return result
