"""Farthest-first coreset (k-center greedy), exact, with bounds instead of most distances.

Gonzalez, Clustering to minimize the maximum intercluster distance, 1985. PatchCore uses it for the memory bank (Roth et
al., CVPR 2022, algorithm 1). Each point belongs to the cluster of its nearest centre. For a new centre c, four steps
find the points that move to it. Each step is many times cheaper than the next:

1. Skip the cluster of centre a if its radius is at most d(c, a) / 2. By the triangle inequality (after Elkan, ICML
   2003), none of its points is nearer to c.
2. In the other clusters skip, for the same reason, the points x with d(x, a) at most d(c, a) / 2. Clusters are sorted
   for this.
3. Skip the points whose *sketch* is farther from that of c than the points are from a. A sketch is the projection onto
   a few orthonormal directions. Two sketches are never farther apart than their points.
4. Compute the distance to c for the remaining points.

Most of the remaining time is spent reading memory. Therefore sketches are stored in the order of the clusters and move
with their members. The points themselves stay in place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.methods.patchcore.clusters import (
    Clusters,
    Members,
    append,
    close_gaps,
    farthest,
    nearer,
    remove,
    spans_within_reach,
)
from flawspot.progress import SILENT, Progress

_DIRECTIONS = 32
"""Directions of a sketch. It takes 128 bytes, an eighth of the points that this number was tuned with."""

_SAMPLE = 1024
"""Points from which the directions are computed."""

_BLOCK = 1024
"""Points projected at once, so that they stay in the processor's cache."""

SELECTION_BYTES = 320
"""Bytes that a selection takes for each point in addition to the points: sketches, members and distances, all twice."""


@dataclass(frozen=True)
class Coreset:
    """A selection of points.

    Attributes:
        indices: (k,) rows of the selected points, each once, in the order of their selection.
        radius: the largest distance of any point to its nearest selected one.
        distances_computed: number of computed distances of two points; k * n without bounds.
        sketches_compared: number of computed distances of two sketches.
    """

    indices: NDArray[np.int64]
    radius: float
    distances_computed: int
    sketches_compared: int


def farthest_first(points: NDArray[np.float32], count: int, *, seed: int = 0, progress: Progress = SILENT) -> Coreset:
    """Select `count` points, each one the farthest from all points selected before.

    The points are not copied. In addition it takes about `SELECTION_BYTES` for each point.

    Args:
        points: (n, d), finite; at least one.
        count: number of points to select, at least 1; n or more selects all.
        seed: chooses the first point.
        progress: reports each selected point.

    Returns:
        The same selection as from all distances to every new centre. Of equally far points the first is selected.
    """
    points = np.ascontiguousarray(points, dtype=np.float32)
    first = int(np.random.default_rng(seed).integers(len(points)))
    count = min(count, len(points))
    with progress.step("preparing the coreset"):
        selection = _Selection(points, count, first)
    for _ in progress.track(range(1, count), "selecting the coreset"):
        if not selection.add_farthest():
            break
    return selection.coreset()


class _Selection:
    """The points selected so far, and every other point in the cluster of its nearest selected one.

    Attributes:
        members, clusters: see `Members` and `Clusters`; the first `selected` clusters are in use.
        end: end of the members of the last cluster.
        slack: largest increase of the squared distance of two sketches by rounding, besides a relative margin.
        computed, compared: number of computed distances of points and of sketches.
    """

    def __init__(self, points: NDArray[np.float32], count: int, first: int) -> None:
        total, directions = len(points), min(_DIRECTIONS, points.shape[1])
        self.points = points
        # New clusters are appended, which leaves gaps in the old ones. The gaps are closed when the space is used up.
        self.members = Members(
            np.empty(2 * total, np.int64),
            np.full(2 * total, np.inf, np.float32),
            np.empty((2 * total, directions), np.float32),
        )
        self.clusters = Clusters(
            np.empty(count, np.int64),
            np.empty((count, directions), np.float32),
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
            np.full(count, -1, np.float32),
        )
        self.selected, self.end, self.computed, self.compared = 0, 0, 0, 0
        self.spans, self.offsets = np.empty((count, 2), np.int64), np.empty(count + 1, np.int64)
        self.positions, self.distances = np.empty(total, np.int64), np.empty(total, np.float32)

        # At first all points are in the rear half, in a placeholder cluster at infinite distance. The first centre
        # takes all of them.
        self.members.rows[total:] = np.arange(total)
        _sketch(points, self.members.sketches[total:])
        self.clusters.starts[0], self.clusters.stops[0] = total, 2 * total
        self.spans[0], self.offsets[:2], self.slack = (0, total), (0, total), np.float32(np.inf)
        self._add(total + first, 1, *self._nearer(total + first, 1))
        # A sketch's error is at most 1e-5 of the longest distance to the mean, which is at most twice this radius.
        self.slack = np.float32(1e-5 * max(float(self.clusters.radii[0]), 0.0))

    def add_farthest(self) -> bool:
        """Select the farthest point. False if every remaining point equals a selected one, so that nothing is left."""
        centre = farthest(self.members, self.clusters, self.selected)
        if centre < 0:
            return False
        spans, computed = spans_within_reach(
            self.points,
            self.members,
            self.clusters,
            self.selected,
            centre,
            self.slack,
            self.spans,
            self.offsets,
        )
        self.computed += computed
        self.compared += self.selected
        positions, distances = self._nearer(centre, spans)
        if self.end + len(positions) > len(self.members.rows):
            self.end = close_gaps(self.members, self.clusters, self.selected)
            return self.add_farthest()  # all positions have changed
        self._add(centre, spans, positions, distances)
        return True

    def coreset(self) -> Coreset:
        """The selection. If it ended early, remaining points, all equal to selected ones, fill it up in order."""
        indices, starts, stops = self.clusters.centres, self.clusters.starts, self.clusters.stops
        missing = len(indices) - self.selected
        if missing:
            remaining = [self.members.rows[starts[a] : stops[a]] for a in range(self.selected)]
            indices[self.selected :] = np.sort(np.concatenate(remaining))[:missing]
        radius = max(float(self.clusters.radii.max()), 0.0) ** 0.5
        return Coreset(indices, radius, self.computed, self.compared)

    def _nearer(self, centre: int, spans: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Positions of the members in the first `spans` spans that are nearer to the one at `centre`, and their squared
        distances to it."""
        total = int(self.offsets[spans])
        positions, distances = self.positions[:total], self.distances[:total]
        found, computed = nearer(
            self.points,
            self.members,
            centre,
            self.slack,
            self.spans[:spans],
            self.offsets[: spans + 1],
            positions,
            distances,
        )
        self.computed += computed
        self.compared += total
        return positions[:found], distances[:found]

    def _add(self, centre: int, spans: int, positions: NDArray[np.int64], distances: NDArray[np.float32]) -> None:
        """Make the member at `centre` a centre, and move the members at `positions` into its cluster."""
        new, start = self.selected, self.end
        self.selected += 1
        self.clusters.centres[new] = self.members.rows[centre]
        self.clusters.sketches[new] = self.members.sketches[centre]
        self.end = append(self.members, positions, distances, distances.argsort(), centre, start)
        remove(self.members, self.clusters, self.spans[:spans], positions)
        self.clusters.starts[new], self.clusters.stops[new] = start, self.end
        self.clusters.radii[new] = self.members.squared[self.end - 1] if self.end > start else -1


def _sketch(points: NDArray[np.float32], sketches: NDArray[np.float32]) -> None:
    """Project points (n, d) onto their directions of largest variance, into sketches (n, directions)."""
    sample = points[:: max(len(points) // _SAMPLE, 1)].astype(np.float64)
    mean = sample.mean(0)
    sample -= mean
    # The eigenvectors of the largest eigenvalues are the last ones.
    directions = np.linalg.eigh(sample.T @ sample)[1][:, -sketches.shape[1] :].astype(np.float32)
    centre, room = mean.astype(np.float32), np.empty((_BLOCK, points.shape[1]), np.float32)
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK]
        # The mean is subtracted, because rounding is relative to the size of the numbers.
        shifted = np.subtract(block, centre, out=room[: len(block)])
        np.matmul(shifted, directions, out=sketches[start : start + len(block)])
