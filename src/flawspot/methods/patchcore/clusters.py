"""The clusters of a coreset's points and the loops over them, compiled by numba. `coreset.py` explains their purpose.

A *member* is a point in the cluster of its nearest centre. A *span* is the end of a cluster: the members that a new
centre may take. Offsets number the members of several spans consecutively.
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
"""Relative margin by which a bound must be exceeded: ten times the float32 rounding of a sum of a thousand squares."""

_SURELY = np.float32(1 - MARGIN)
_REORDERED = {"reassoc", "contract", "nsz"}
"""Allow sums in any order, as vector instructions need."""


_AT_ONCE = 4


class Members(NamedTuple):
    """Points in clusters, with gaps between the clusters. Within a cluster they are sorted by distance to the centre.

    Attributes:
        rows: (m,) row of each member in the points.
        squared: (m,) squared distance of each member to its centre.
        sketches: (m, s) sketch of each member.
    """

    rows: Integers
    squared: Floats
    sketches: Floats


class Clusters(NamedTuple):
    """The place of each centre's members. A centre is not a member of its own cluster.

    Attributes:
        centres: (k,) rows of the centres in the points.
        sketches: (k, s) sketches of the centres.
        starts, stops: (k,) cluster a has the members from ``starts[a]`` up to ``stops[a]``, exclusive.
        radii: (k,) squared distance of each cluster's last member; -1 for an empty cluster.
    """

    centres: Integers
    sketches: Floats
    starts: Integers
    stops: Integers
    radii: Floats


def _compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile at the first call, and cache the result for other processes if the cache can be written."""
    result: Callable[P, R]
    config: Any = numba.config
    before = config.CACHE_DIR
    # Unless the user chose a folder. By default numba would write beside this package, or into its own folder.
    config.CACHE_DIR = before or str(cache_root() / "compiled")
    try:
        result = numba.njit(cache=True, fastmath=_REORDERED)(function)
    except (RuntimeError, OSError):  # the cache cannot be written
        result = numba.njit(fastmath=_REORDERED)(function)
    finally:
        config.CACHE_DIR = before
    return result


@_compiled
def _squared_distance(rows: Floats, row: int, other: Floats) -> np.float32:
    """Squared distance between ``rows[row]`` and `other`, from differences and so without cancellation."""
    this = rows[row]
    total = np.float32(0)
    for j in range(len(other)):
        difference = this[j] - other[j]
        total += difference * difference
    return total


@_compiled
def _four_squared_distances(points: Floats, rows: Integers, vector: Floats, result: Floats) -> None:
    """Squared distances from ``points[rows]``, at any place, to `vector`. Four at a time overlap their memory reads."""
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
    """Position of the member farthest from its centre; the first point of equals; -1 if all are at their centre."""
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
    """Find the members that may be nearer to the member at `centre`, by the triangle inequality.

    Args:
        slack: largest increase of the squared distance of two sketches by rounding.
        spans: (k, 2) output: cluster and first position of each span.
        offsets: (k + 1,) output: number of members before each span, and of all members.

    Returns:
        Number of spans, and of distances computed.
    """
    vector, sketch = points[members.rows[centre]], members.sketches[centre]
    found, offset, computed = 0, 0, 0
    for a in range(selected):
        # Members nearer to a than d(c, a) / 2 stay there. So compare four times the squared radius with d(c, a)^2.
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
    """Find the members nearer to the member at `centre` than to their own centre, by sketches and then exactly.

    Args:
        positions, distances: (members in the spans,) output: positions of the found members, in order, and their
            squared distances.

    Returns:
        Number of found members, and of distances computed.
    """
    vector, sketch = points[members.rows[centre]], members.sketches[centre]
    candidates = 0
    for span in range(len(spans)):
        first, size = spans[span, 1], offsets[span + 1] - offsets[span]
        # Two loops, the first without decisions and the second without branches, which would be mispredicted.
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
    """Append the members at `positions`, in the given order and without `centre`, at `end`. Returns the new end."""
    for i in order:
        position = positions[i]
        if position != centre:
            members.sketches[end] = members.sketches[position]
            members.rows[end], members.squared[end] = members.rows[position], distances[i]
            end += 1
    return end


@_compiled
def remove(members: Members, clusters: Clusters, spans: Integers, positions: Integers) -> None:
    """Remove the members at `positions` from their clusters. They must be in the order of `spans`."""
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
    """Move the clusters together in their order, without gaps. Returns the end of the last one."""
    end = 0
    for a in range(selected):
        start = end
        for i in range(clusters.starts[a], clusters.stops[a]):
            members.sketches[end] = members.sketches[i]
            members.rows[end], members.squared[end] = members.rows[i], members.squared[i]
            end += 1
        clusters.starts[a], clusters.stops[a] = start, end
    return end
