"""The clusters of a coreset's points and the loops over them, compiled by numba; `coreset.py` says what they are for.

A *member* is a point in the cluster of its nearest centre, a *span* the end of a cluster: the members that a new centre
may take. The members of several spans are counted through by offsets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from flawspot.cache import cache_root

P = ParamSpec("P")
R = TypeVar("R")

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

MARGIN = 1e-4
"""By how much a bound must be beaten, relative: ten times what float32 may round off a sum of a thousand squares."""

_SURELY = np.float32(1 - MARGIN)
_REORDERED = {"reassoc", "contract", "nsz"}
"""Sums may be taken in any order, as vector instructions need."""


_AT_ONCE = 4


class Members(NamedTuple):
    """Points in clusters, with gaps between these. Within a cluster the nearest to the centre comes first.

    Attributes:
        rows: (m,) where each member is in the points.
        squared: (m,) its squared distance to the centre.
        sketches: (m, s) its sketch.
    """

    rows: Integers
    squared: Floats
    sketches: Floats


class Clusters(NamedTuple):
    """Where the members of each centre are. A centre itself is none of them.

    Attributes:
        centres: (k,) rows of points.
        sketches: (k, s) those of the centres.
        starts, stops: (k,) cluster a has the members from ``starts[a]`` up to ``stops[a]``.
        radii: (k,) the squared distance of its last member; -1 without members.
    """

    centres: Integers
    sketches: Floats
    starts: Integers
    stops: Integers
    radii: Floats


def _compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile at the first call, and keep the result for the next process where that can be written."""
    result: Callable[P, R]
    config: Any = numba.config
    before = config.CACHE_DIR
    # Where the user has said nothing: numba would write beside this package, or into a folder of its own.
    config.CACHE_DIR = before or str(cache_root() / "compiled")
    try:
        result = numba.njit(cache=True, fastmath=_REORDERED)(function)
    except (RuntimeError, OSError):  # it cannot be written
        result = numba.njit(fastmath=_REORDERED)(function)
    finally:
        config.CACHE_DIR = before
    return result


@_compiled
def _squared_distance(rows: Floats, row: int, other: Floats) -> np.float32:
    """Between ``rows[row]`` and `other`, from the differences: no cancellation."""
    this = rows[row]
    total = np.float32(0)
    for j in range(len(other)):
        difference = this[j] - other[j]
        total += difference * difference
    return total


@_compiled
def _four_squared_distances(points: Floats, rows: Integers, vector: Floats, result: Floats) -> None:
    """Of ``points[rows]``, which lie anywhere, to `vector`: four read side by side wait for memory at the same time."""
    a, b, c, d = points[rows[0]], points[rows[1]], points[rows[2]], points[rows[3]]
    of_a, of_b, of_c, of_d = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for j in range(len(vector)):
        from_a, from_b, from_c, from_d = a[j] - vector[j], b[j] - vector[j], c[j] - vector[j], d[j] - vector[j]
        of_a += from_a * from_a
        of_b += from_b * from_b
        of_c += from_c * from_c
        of_d += from_d * from_d
    result[0], result[1], result[2], result[3] = of_a, of_b, of_c, of_d


@_compiled
def farthest(members: Members, clusters: Clusters, selected: int) -> int:
    """Position of the member farthest from its centre, of several the first point; -1 where all are at their centre."""
    radius = clusters.radii[:selected].max()
    best = -1
    if radius <= 0:
        return best
    for a in range(selected):
        if clusters.radii[a] == radius:
            position = clusters.stops[a] - 1
            while position >= clusters.starts[a] and members.squared[position] == radius:
                if best < 0 or members.rows[position] < members.rows[best]:
                    best = position
                position -= 1
    return best


@_compiled
def spans_within_reach(
    points: Floats,
    members: Members,
    clusters: Clusters,
    selected: int,
    centre: int,
    slack: np.float32,
    spans: Integers,
    offsets: Integers,
) -> tuple[int, int]:
    """Find the members that the triangle inequality does not keep from being nearer to the member at `centre`.

    Args:
        slack: by how much rounding may raise the squared distance of two sketches.
        spans: (k, 2) takes cluster and first position of each span.
        offsets: (k + 1,) takes how many members come before each span, and how many there are.

    Returns:
        How many spans, and the number of distances computed.
    """
    vector, sketch = points[members.rows[centre]], members.sketches[centre]
    found, offset, computed = 0, 0, 0
    for a in range(selected):
        # Less than d(c, a) / 2 is out of reach: four times the squared radius bounds the centre's squared distance.
        if _squared_distance(clusters.sketches, a, sketch) * _SURELY - slack > 4 * clusters.radii[a]:
            continue
        quarter = _squared_distance(points, clusters.centres[a], vector) * _SURELY / 4
        computed += 1
        if clusters.radii[a] <= quarter:
            continue
        low, high = clusters.starts[a], clusters.stops[a]
        while low < high:
            middle = (low + high) // 2
            if members.squared[middle] <= quarter:
                low = middle + 1
            else:
                high = middle
        spans[found, 0], spans[found, 1], offsets[found] = a, low, offset
        offset += clusters.stops[a] - low
        found += 1
    offsets[found] = offset
    return found, computed


@_compiled
def nearer(
    points: Floats,
    members: Members,
    centre: int,
    slack: np.float32,
    spans: Integers,
    offsets: Integers,
    positions: Integers,
    distances: Floats,
) -> tuple[int, int]:
    """Find what is nearer to the member at `centre` than to its own centre, by the sketches and then exactly.

    Args:
        positions, distances: (members in the spans,) take positions of what is found, in order, and squared distances.

    Returns:
        How many are found, and the number of distances computed.
    """
    vector, sketch = points[members.rows[centre]], members.sketches[centre]
    candidates = 0
    for span in range(len(spans)):
        first, size = spans[span, 1], offsets[span + 1] - offsets[span]
        # Two loops, the first one free of decisions and the second one free of branches, which nobody could predict.
        bounds = distances[candidates : candidates + size]
        for i in range(size):
            bounds[i] = _squared_distance(members.sketches, first + i, sketch) * _SURELY - slack
        for i in range(size):
            positions[candidates] = first + i
            candidates += bounds[i] <= members.squared[first + i]
    found = 0
    rows = np.empty(_AT_ONCE, np.int64)
    four = np.empty(_AT_ONCE, np.float32)
    for start in range(0, candidates, _AT_ONCE):
        for i in range(_AT_ONCE):
            rows[i] = members.rows[positions[min(start + i, candidates - 1)]]
        _four_squared_distances(points, rows, vector, four)
        for i in range(min(_AT_ONCE, candidates - start)):
            position = positions[start + i]
            positions[found], distances[found] = position, four[i]
            found += four[i] < members.squared[position]
    return found, candidates


@_compiled
def append(members: Members, positions: Integers, distances: Floats, order: Integers, centre: int, end: int) -> int:
    """Write the members at `positions`, in the given order and without `centre`, behind `end`; returns the new end."""
    for i in order:
        position = positions[i]
        if position != centre:
            members.sketches[end] = members.sketches[position]
            members.rows[end], members.squared[end] = members.rows[position], distances[i]
            end += 1
    return end


@_compiled
def remove(members: Members, clusters: Clusters, spans: Integers, positions: Integers) -> None:
    """Take the members at `positions`, which are in the order of `spans`, out of their clusters."""
    removed = 0
    for span in range(len(spans)):
        a, start = spans[span]
        stop = clusters.stops[a]
        if removed == len(positions) or not start <= positions[removed] < stop:
            continue
        kept = positions[removed]
        for i in range(kept, stop):
            if removed < len(positions) and positions[removed] == i:
                removed += 1
            else:
                members.sketches[kept] = members.sketches[i]
                members.rows[kept], members.squared[kept] = members.rows[i], members.squared[i]
                kept += 1
        clusters.stops[a] = kept
        clusters.radii[a] = members.squared[kept - 1] if kept > clusters.starts[a] else -1


@_compiled
def close_gaps(members: Members, clusters: Clusters, selected: int) -> int:
    """Move the clusters, which lie in their order, one behind the other; returns where the last one ends."""
    end = 0
    for a in range(selected):
        start = end
        for i in range(clusters.starts[a], clusters.stops[a]):
            members.sketches[end] = members.sketches[i]
            members.rows[end], members.squared[end] = members.rows[i], members.squared[i]
            end += 1
        clusters.starts[a], clusters.stops[a] = start, end
    return end
