"""Farthest-first coreset (k-center greedy), exact, with bounds in the place of most distances.

Gonzalez, Clustering to minimize the maximum intercluster distance, 1985; used for the memory bank by PatchCore (Roth et
al., CVPR 2022, algorithm 1). Each point belongs to the cluster of its nearest centre. What a new centre c cannot change
is left out in four steps, each many times cheaper than the next:

1. the cluster of centre a, where its radius is at most d(c, a) / 2: by the triangle inequality (after Elkan, ICML 2003)
   none of its points is nearer to c;
2. in the other clusters, for the same reason, the points x with d(x, a) at most d(c, a) / 2: clusters are sorted;
3. of the rest the points whose *sketch* is farther from that of c than they are from a. A sketch is the projection onto
   a few orthonormal directions and the length of what the projection leaves out; two sketches are never farther apart
   than their points;
4. the rest, whose distance to c is computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.progress import SILENT, Progress

_DIRECTIONS = 30
"""Of a sketch, which has two numbers more: 128 bytes, an eighth of the points that it was tuned with."""

_SAMPLE = 4096
"""Points that the directions are chosen by."""

_BLOCK = 1024
"""Points looked at together: their rows stay in the processor's cache."""

SELECTION_BYTES = 200
"""That a selection takes for each point beside the points: the sketch, members and distances of clusters, bounds."""

_MARGIN = 1e-4
"""By how much a bound must be beaten, relative: ten times what float32 may round off a sum of a thousand squares."""


@dataclass(frozen=True)
class Coreset:
    """A selection of points.

    Attributes:
        indices: (k,) rows of the selected points, each once, in the order of their selection.
        radius: the largest distance of any point to its nearest selected one.
        distances_computed: how many distances of two points it took; k * n without bounds.
        sketches_compared: how many distances of two sketches it took.
    """

    indices: NDArray[np.int64]
    radius: float
    distances_computed: int
    sketches_compared: int


def farthest_first(points: NDArray[np.float32], count: int, *, seed: int = 0, progress: Progress = SILENT) -> Coreset:
    """Select `count` points so that each next one is the farthest from all selected so far.

    Beside the points, of which no copy is made, it takes some `SELECTION_BYTES` for each of them.

    Args:
        points: (n, d), finite; at least one.
        count: how many to select; at least 1, n or more selects all.
        seed: chooses the first point.
        progress: told of each selected point.

    Returns:
        The same selection as computing every distance to every new centre; of equally far points the first in order.
    """
    points = np.ascontiguousarray(points, dtype=np.float32)
    first = int(np.random.default_rng(seed).integers(len(points)))
    clusters = _Clusters(points, min(count, len(points)), first)
    for _ in progress.track(range(1, len(clusters.indices)), "selecting the coreset"):
        if not clusters.add_farthest():
            break
    return clusters.coreset()


class _Clusters:
    """The points, each with its nearest centre.

    Attributes:
        indices: (count,) rows of the centres, of which `selected` are known.
        members: rows of points; those of cluster a are ``members[starts[a] : stops[a]]``, the nearest first, its centre
            not among them.
        squared: the squared distance of each member to its centre.
        starts, stops: (count,) see `members`.
        radii: (count,) the squared distance of each cluster's last member; -1 without members.
    """

    def __init__(self, points: NDArray[np.float32], count: int, first: int) -> None:
        total, dimensions = points.shape
        self.points = points
        self.sketches, self.slack = _sketch(points)
        self.centres = np.empty((count, dimensions), np.float32)
        self.centre_sketches = np.empty((count, self.sketches.shape[1]), np.float32)
        self.indices = np.empty(count, np.int64)
        self.selected = 0
        # Used again and again: new memory costs more than what is computed in it.
        self.some_points = np.empty((_BLOCK, dimensions), np.float32)
        self.some_sketches = np.empty((_BLOCK, self.sketches.shape[1]), np.float32)
        # New clusters go behind the others, and leave gaps there; these are closed when the space is used up.
        self.members, self.squared = np.empty(2 * total, np.intp), np.empty(2 * total, np.float32)
        self.end = 0
        self.starts, self.stops = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.radii = np.full(count, -1.0, np.float32)
        self.computed, self.compared = total, 0
        self._add_cluster(first, np.arange(total), _squared_distances(points, points[first]))

    def add_farthest(self) -> bool:
        """Select the farthest point; False where all remaining ones equal selected ones and so everything is said."""
        chosen = self._farthest()
        if chosen is None:
            return False
        clusters, quarters = self._within_reach(chosen)
        self._add_cluster(chosen, *self._claim(clusters, quarters, chosen))
        return True

    def coreset(self) -> Coreset:
        """What is selected; where all remaining points equal selected ones, these fill up in order."""
        squared_radius = float(self.radii.max())
        missing = len(self.indices) - self.selected
        if missing:
            remaining = [self.members[self.starts[a] : self.stops[a]] for a in range(self.selected)]
            self.indices[self.selected :] = np.sort(np.concatenate(remaining))[:missing]
        return Coreset(self.indices, max(squared_radius, 0.0) ** 0.5, self.computed, self.compared)

    def _farthest(self) -> int | None:
        radii = self.radii[: self.selected]
        radius = radii.max()
        if radius <= 0:
            return None
        ties = []
        for a in np.flatnonzero(radii == radius):
            start, stop = self.starts[a], self.stops[a]
            ties.append(self.members[start + self.squared[start:stop].searchsorted(radius) : stop].min())
        return int(min(ties))

    def _within_reach(self, chosen: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Clusters with members that may be nearer to `chosen`, and a quarter of their centres' squared distances."""
        radii = self.radii[: self.selected]
        # Less than d(c, a) / 2 is out of reach: four times the radius bounds the centre's squared distance.
        bounds = self._bounds(self.centre_sketches[: self.selected], self.sketches[chosen])
        self.compared += self.selected if self.sketches.shape[1] else 0
        clusters = np.flatnonzero(bounds <= 4 * radii)
        distances = _squared_distances(self.centres[clusters], self.points[chosen])
        self.computed += len(clusters)
        quarters = distances * np.float32(0.25 * (1 - _MARGIN))
        reached = radii[clusters] > quarters
        return clusters[reached], quarters[reached]

    def _claim(
        self, clusters: NDArray[np.int64], quarters: NDArray[np.float32], chosen: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Take the points that are nearer to `chosen` out of `clusters`; with their squared distances to it."""
        # The members beyond half the distance of the centres: the end of each cluster.
        spans = [
            (a, start + int(self.squared[start:stop].searchsorted(quarter, "right")), stop)
            for a, start, stop, quarter in zip(
                clusters.tolist(), self.starts[clusters].tolist(), self.stops[clusters].tolist(), quarters, strict=True
            )
        ]
        rows = np.concatenate([self.members[start:stop] for _, start, stop in spans])
        squared = np.concatenate([self.squared[start:stop] for _, start, stop in spans])
        nearer, distances = self._nearer(rows, squared, chosen)
        stays = np.ones(len(rows), np.bool_)
        stays[nearer] = False
        ends = np.cumsum([stop - start for _, start, stop in spans])
        losers = np.unique(ends.searchsorted(nearer, "right"))
        for (a, start, stop), end in zip([spans[i] for i in losers], ends[losers].tolist(), strict=True):
            staying = stays[end - (stop - start) : end]
            kept = start + int(np.count_nonzero(staying))
            self.members[start:kept] = self.members[start:stop][staying]
            self.squared[start:kept] = self.squared[start:stop][staying]
            self.stops[a] = kept
            self.radii[a] = self.squared[kept - 1] if kept > self.starts[a] else -1
        return rows[nearer], distances

    def _nearer(
        self, rows: NDArray[np.intp], squared: NDArray[np.float32], chosen: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Where among `rows` are points nearer to `chosen` than `squared`, and their squared distances to it."""
        centre, sketch = self.points[chosen], self.sketches[chosen]
        # Where many are asked for it is faster to go through all in order than to pick them.
        bounds = self._bounds(self.sketches, sketch) if 4 * len(rows) > len(self.points) else None
        self.compared += len(rows) if len(sketch) else 0
        found, distances = [], []
        for start in range(0, len(rows), _BLOCK):
            block, limit = rows[start : start + _BLOCK], squared[start : start + _BLOCK]
            if bounds is not None:
                bound = bounds[block]
            else:
                sketches = self.sketches.take(block, 0, out=self.some_sketches[: len(block)], mode="clip")
                bound = self._bounds(sketches, sketch)
            near = np.flatnonzero(bound <= limit)
            differences = self.points.take(block[near], 0, out=self.some_points[: len(near)], mode="clip")
            differences -= centre
            distance = np.einsum("nd,nd->n", differences, differences)
            self.computed += len(near)
            nearer = np.flatnonzero(distance < limit[near])
            found.append(start + near[nearer])
            distances.append(distance[nearer])
        return np.concatenate(found), np.concatenate(distances)

    def _bounds(self, sketches: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the squared distances of points to that of `other` are not below, by (n, 32) sketches."""
        if not len(other):
            return np.zeros(len(sketches), np.float32)
        factors = np.float32(-2 * (1 - _MARGIN)) * other
        factors[-1] = 1 - _MARGIN
        # |s|^2 - 2 s.t + |t|^2; not by BLAS, whose threads would wait for each other more than compute.
        bounds: NDArray[np.float32] = np.einsum("nd,d->n", sketches, factors)
        bounds += other[-1] * np.float32(1 - _MARGIN) - self.slack
        return bounds

    def _add_cluster(self, centre: int, rows: NDArray[np.intp], squared: NDArray[np.float32]) -> None:
        new = self.selected
        self.selected += 1
        self.indices[new] = centre
        self.centres[new], self.centre_sketches[new] = self.points[centre], self.sketches[centre]
        order = squared.argsort()
        order = order[rows[order] != centre]
        if self.end + len(order) > len(self.members):
            self._close_gaps(new)
        start, stop = self.end, self.end + len(order)
        self.members[start:stop], self.squared[start:stop] = rows[order], squared[order]
        self.starts[new], self.stops[new], self.end = start, stop, stop
        if len(order):
            self.radii[new] = self.squared[stop - 1]

    def _close_gaps(self, clusters: int) -> None:
        self.end = 0
        for a in range(clusters):  # they lie in the order of their selection
            start, stop = int(self.starts[a]), int(self.stops[a])
            kept = slice(self.end, self.end + stop - start)
            self.members[kept], self.squared[kept] = self.members[start:stop].copy(), self.squared[start:stop].copy()
            self.starts[a], self.stops[a], self.end = kept.start, kept.stop, kept.stop


def _sketch(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], np.float32]:
    """The sketches, and by how much rounding may raise the squared distance of two.

    Returns:
        (n, 32): 30 coordinates, the length of what they leave out, and the squared length of these 31; (n, 0) where
        the points themselves are hardly longer.
    """
    total, dimensions = points.shape
    if dimensions <= 2 * _DIRECTIONS:
        return np.empty((total, 0), np.float32), np.float32(0)
    sample = points[:: max(total // _SAMPLE, 1)].astype(np.float64)
    mean = sample.mean(0)
    sample -= mean
    # The eigenvectors of the largest eigenvalues: where points differ most.
    directions = np.linalg.eigh(sample.T @ sample)[1][:, -_DIRECTIONS:].astype(np.float32)
    sketches = np.empty((total, _DIRECTIONS + 2), np.float32)
    for start in range(0, total, _BLOCK):
        block = points[start : start + _BLOCK] - mean.astype(np.float32)
        projected = block @ directions
        block -= projected @ directions.T
        sketch = sketches[start : start + _BLOCK]
        sketch[:, :-2] = projected
        sketch[:, -2] = np.sqrt(np.einsum("nd,nd->n", block, block))
        sketch[:, -1] = np.einsum("nd,nd->n", sketch[:, :-1], sketch[:, :-1])
    # A coordinate is off by some 1e-6 of the longest point at most, a product of two sketches by less than 1e-5.
    return sketches, np.float32(1e-4) * sketches[:, -1].max()


def _squared_distances(points: NDArray[np.float32], centre: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, d), (d,) -> (n,), from the differences: no cancellation."""
    result = np.empty(len(points), np.float32)
    for start in range(0, len(points), _BLOCK):
        difference = points[start : start + _BLOCK] - centre
        np.einsum("nd,nd->n", difference, difference, out=result[start : start + _BLOCK])
    return result
