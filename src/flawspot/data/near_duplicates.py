"""Finds photographs that show the same: copies, and frames of one part taken in sequence.

Each photograph is described by its grey levels at 32 x 32, minus their mean and divided by their deviation, so that a
change of light has no effect. Two photographs are near-duplicates if their descriptors are closer than a sixth of the
usual distance in the set. Measured on good photographs of three products, in shares of the usual distance: frames with
other noise, compression or focus are at 0.04 to 0.17. Different bottles, pills and tiles are at 0.2 or more, except
tiles that were photographed more than once. The usual distance is the one that a quarter of all pairs exceed. It stays
that of different parts even if most photographs show one part.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
NEAR = 0.17
"""Limit as a share of the usual distance between two photographs."""
_USUAL = 0.75
"""The share of pairs that are nearer than the usual distance."""
_LEAST_DEVIATION = 4.0
"""In grey levels. Below it a photograph is only noise, which must not be amplified to a pattern."""
_SAMPLE = 500
"""Number of photographs from which the usual distance is computed."""
_BLOCK = 1024


def descriptor(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) grey levels, 0..255 -> (1024,) float32: the photograph's pattern, with mean 0."""
    small = Image.fromarray(np.ascontiguousarray(grey, np.float32)).resize((SIDE, SIDE), Image.Resampling.BOX)
    levels = np.array(small, np.float32).ravel()
    levels -= levels.mean()
    return levels / max(float(levels.std()), _LEAST_DEVIATION)


def near_duplicates(descriptors: NDArray[np.float32], *, near: float = NEAR) -> NDArray[np.int64]:
    """Group each photograph with the nearest earlier one that began a group, if that is near enough.

    Groups do not grow along a chain, so parts that turn a little in each photograph stay different parts.

    Args:
        descriptors: (N, D), from `descriptor`.
        near: a limit as a share of the usual distance.

    Returns:
        (N,) group of each, numbered from 0 in the order of appearance.
    """
    count = len(descriptors)
    if count < 2:
        return np.arange(count, dtype=np.int64)
    squared = np.square(descriptors).sum(1)
    limit = near**2 * _usual(descriptors, squared)
    leaders: list[int] = []
    group = np.empty(count, np.int64)
    for start in range(0, count, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, count))
        known = np.array([*leaders, *rows], np.int64)
        distances = _squared_distances(descriptors[rows], squared[rows], descriptors[known], squared[known])
        before = len(leaders)
        for place, row in enumerate(rows.tolist()):
            # Columns of the group leaders: first those of earlier blocks, then those of this one.
            columns = [*range(before), *(before + leader - start for leader in leaders[before:])]
            nearest = int(np.argmin(distances[place, columns])) if columns else -1
            if nearest >= 0 and distances[place, columns[nearest]] <= limit:
                group[row] = nearest
            else:
                group[row] = len(leaders)
                leaders.append(row)
    return group


def _usual(descriptors: NDArray[np.float32], squared: NDArray[np.float32]) -> float:
    """The usual squared distance of two photographs, from a sample of them."""
    sample = np.linspace(0, len(descriptors) - 1, min(len(descriptors), _SAMPLE)).astype(np.int64)
    distances = _squared_distances(descriptors[sample], squared[sample], descriptors[sample], squared[sample])
    return float(np.quantile(distances[np.triu_indices(len(sample), 1)], _USUAL))


class Groups:
    """Items that belong together, directly or through others (union-find)."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, item: int) -> int:
        """The representative of the group of `item`."""
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def join(self, first: int, second: int) -> None:
        """Merge two groups."""
        first, second = sorted((self.find(first), self.find(second)))
        self._parent[second] = first

    def numbered(self) -> NDArray[np.int64]:
        """The group of each, numbered from 0 in the order of appearance."""
        return numbered([self.find(item) for item in range(len(self._parent))])


def merged(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """The finest groups that contain whole groups of both: photographs grouped by either are grouped."""
    groups = Groups(len(first))
    for labels in (first, second):
        member: dict[int, int] = {}
        for row, label in enumerate(labels.tolist()):
            groups.join(member.setdefault(label, row), row)
    return groups.numbered()


def numbered(labels: list[int] | list[str]) -> NDArray[np.int64]:
    """Equal labels -> equal numbers, from 0 in the order of appearance."""
    seen: dict[int | str, int] = {}
    return np.array([seen.setdefault(label, len(seen)) for label in labels], np.int64)


def _squared_distances(
    left: NDArray[np.float32],
    left_squared: NDArray[np.float32],
    right: NDArray[np.float32],
    right_squared: NDArray[np.float32],
) -> NDArray[np.float32]:
    return np.maximum(left_squared[:, None] + right_squared[None] - 2 * (left @ right.T), 0)
