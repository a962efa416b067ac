"""Photographs that show the same: copies, and frames of one part taken right after each other.

Each is described by its grey levels at 32 x 32, less their mean and divided by their deviation, so that a change of the
light is none. Two photographs are near-duplicates where their descriptors are closer than a sixth of what two
photographs of the set usually are. Measured on good photographs of three products: frames with another noise,
compression or focus are at 0.04 to 0.17 of the usual distance; different bottles, pills and tiles at 0.2 or more, but
for tiles that were photographed more than once. The usual distance is one that a quarter of all pairs exceed, so that
it stays that of different parts where most photographs show one part.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
NEAR = 0.17
"""Of the usual distance between two photographs."""
_USUAL = 0.75
"""The share of pairs that are nearer."""
_LEAST_DEVIATION = 4.0
"""Grey levels: below it a photograph is nothing but noise, which must not be blown up to a pattern."""
_SAMPLE = 500
"""Photographs that the usual distance is taken from."""
_BLOCK = 1024


def descriptor(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) grey levels, 0..255 -> (1024,) float32: the photograph's pattern, of mean 0."""
    small = Image.fromarray(np.ascontiguousarray(grey, np.float32)).resize((SIDE, SIDE), Image.Resampling.BOX)
    levels = np.array(small, np.float32).ravel()
    levels -= levels.mean()
    return levels / max(float(levels.std()), _LEAST_DEVIATION)


def near_duplicates(descriptors: NDArray[np.float32], *, near: float = NEAR) -> NDArray[np.int64]:
    """Put each photograph with the nearest of those before it that began a group, if that is near enough.

    Groups do not grow along a chain: parts that turn a little from one photograph to the next stay different parts.

    Args:
        descriptors: (N, D), of `descriptor`.
        near: a distance as a share of the usual one.

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
            # Columns of the leaders: those of earlier blocks, then those that began in this one.
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
    """Things that belong together, directly or through others (union-find)."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, item: int) -> int:
        """The one that stands for the group of `item`."""
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def join(self, first: int, second: int) -> None:
        """Make one group of two."""
        first, second = sorted((self.find(first), self.find(second)))
        self._parent[second] = first

    def numbered(self) -> NDArray[np.int64]:
        """The group of each, numbered from 0 in the order of appearance."""
        return numbered([self.find(item) for item in range(len(self._parent))])


def merged(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """The groups of which each holds whole groups of both: photographs that either puts together are together."""
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
