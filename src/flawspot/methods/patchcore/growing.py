"""A memory bank that takes in patches one photograph after the other, within a budget: streaming farthest-first.

A patch that is farther than the `separation` from all members becomes a member, the farthest patch first. The members
of a farthest-first selection have this distance from each other. If the bank exceeds its budget, the separation is
raised to the smallest value with which the remaining members fit. Members within it of others are removed. Members that
share a place in the bank form a group, which costs that place once. They are removed or stay together. Then single
members come back, the farthest first, as long as they fit, or the removal of large groups would leave room unused.

This is the incremental k-center of Charikar, Chekuri, Feder and Motwani, Incremental clustering and dynamic information
retrieval, STOC 1997, with the smallest sufficient radius instead of a doubled one. No patch ever seen is farther than
`covering` from a member: it was within the separation at its time, and whenever its member was removed, another member
was within the new separation of that one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Places:
    """The places that a bank has for M members.

    Attributes:
        groups: (M,) group of each member, numbered from 0.
        fit: whether the members of (k,) rows have places together.
        taking: after these (k,) rows, which fit, have taken theirs: a function that takes the place of one more row,
            and returns False if there is none.
    """

    groups: Rows
    fit: Callable[[Rows], bool]
    taking: Callable[[Rows], Callable[[int], bool]]


Budget = Callable[[Floats], Places]
OVERFULL = 3
"""A bank is made to fit when it holds this many times its budget: early enough for memory, but rarely, as each time
adds to the covering radius."""
_BLOCK = 1024
_AT_ONCE = 1 << 23
"""Distances of pairs computed at once, 4 bytes each."""
_EQUAL = 1e-6
"""Squared distances below this share of the largest squared length are those of equal members, up to rounding."""
_RETURNING = 64
"""Most removed members that come back at a time."""
_NEAREST = 0.05
"""Share of the members whose nearest neighbours are within the first distance that is tried."""
_WIDER = 1.25
"""Factor by which the range of distances grows from one try to the next."""
_LEAST = 1e-6
"""Two patches nearer than this share of the bank's extent count as equal."""
MOST_APART = 1e18
"""Larger than any distance of two patches. Its square is still finite in float32."""


class GrowingBank:
    """The members of a bank, and their separation."""

    def __init__(self, members: Floats, separation: float, covering: float, budget: Budget) -> None:
        """Start from a bank.

        Args:
            members: (M, C), within the budget.
            separation, covering: the bank's separation and covering radius.
            budget: a function of (M, C) members that returns their places.
        """
        extent = float(np.sqrt(_squared_length(members).max(initial=0)))
        self.separation, self.covering = max(separation, _LEAST * extent, _LEAST), covering
        self._budget = budget
        self._count = len(members)
        self._rows = members.copy()
        self.taken, self.dropped = 0, 0
        self.least = max(len(members), 1)
        """A number of members that is known to fit into the budget."""

    @property
    def members(self) -> Floats:
        """(M, C)."""
        return self._rows[: self._count]

    def add(self, patches: Floats) -> None:
        """Add (P, C) patches, the farthest from all members first."""
        squared = nearest_squared(patches, self.members)
        far = np.flatnonzero(squared > self.separation**2)
        waiting, squared = patches[far], squared[far]
        while len(waiting):
            farthest = int(squared.argmax())
            if squared[farthest] <= self.separation**2:
                break
            new = waiting[farthest]
            self._append(new)
            squared = np.minimum(squared, _squared_length(waiting - new))
            if self.taken % 64 == 0:  # patches that are near enough by now are dropped
                left = squared > self.separation**2
                waiting, squared = waiting[left], squared[left]
        self.covering = max(self.covering, self.separation)
        if self._count > OVERFULL * self.least:
            self.fit()

    def fit(self) -> None:
        """Make the bank fit its budget.

        Raises:
            ArtifactError: not even one member fits.
        """
        places = self._budget(self.members)
        groups, everything = places.groups, np.arange(self._count, dtype=np.int64)
        if places.fit(everything):
            self.least = max(self.least, self._count)
            return
        reach = max(self.separation, _nearest_of(self.members))
        while True:
            reach *= _WIDER
            if reach > MOST_APART:
                raise ArtifactError("its memory bank has no place for a patch: it is damaged")
            first, second, distance = _pairs(self.members, reach)
            if places.fit(_separated(groups, first, second)):
                break
        # The smallest sufficient distance among the existing ones.
        levels = np.unique(distance)
        low, high = -1, len(levels) - 1  # the bank does not fit at levels[low], but fits at levels[high]
        while high - low > 1:
            middle = (low + high) // 2
            near = distance <= levels[middle]
            if places.fit(_separated(groups, first[near], second[near])):
                high = middle
            else:
                low = middle
        near = distance <= levels[high]
        kept = self._with_those_that_fit(_separated(groups, first[near], second[near]), places)
        self.separation = max(self.separation, float(levels[high]))
        self.covering += float(levels[high])
        self.dropped += self._count - len(kept)
        self._rows, self._count, self.least = self._rows[kept], len(kept), len(kept)

    def _with_those_that_fit(self, kept: Rows, places: Places) -> Rows:
        """`kept`, and of the others those that still find a place, the farthest from all first.

        Some are taken at a time, so that distances are matrix products. Of these, only those enter that are not much
        nearer to each other than to the rest.
        """
        removed = np.setdiff1d(np.arange(self._count, dtype=np.int64), kept)
        patches, take, found = self.members[removed], places.taking(kept), kept.tolist()
        squared = nearest_squared(patches, self.members[kept])
        equal = _EQUAL * float(_squared_length(self.members).max(initial=0))
        while squared.max(initial=0) > equal:
            farthest = np.argsort(-squared, kind="stable")[:_RETURNING]
            entered: list[int] = []
            for row in farthest[squared[farthest] > equal].tolist():
                apart = _squared_length(patches[entered] - patches[row]).min(initial=np.inf)
                if apart < squared[row] / 4:
                    continue
                if take(int(removed[row])):
                    entered.append(row)
                else:
                    squared[row] = -1  # places only become fewer
            if entered:
                found += removed[entered].tolist()
                squared = np.minimum(squared, nearest_squared(patches, patches[entered]))
                squared[entered] = -1
        return np.array(sorted(found), np.int64)

    def _append(self, patch: Floats) -> None:
        if self._count == len(self._rows):
            more = np.empty((max(self._count // 2, 256), self._rows.shape[1]), np.float32)
            self._rows = np.concatenate([self._rows, more])
        self._rows[self._count] = patch
        self._count += 1
        self.taken += 1


def nearest_squared(patches: Floats, members: Floats) -> Floats:
    """(P,): squared distance of each of (P, C) patches to the nearest of (M, C) members."""
    lengths, least = _squared_length(members), np.full(len(patches), np.inf, np.float32)
    own = _squared_length(patches)
    for start in range(0, len(members), _BLOCK):
        some = slice(start, start + _BLOCK)
        products = patches @ members[some].T  # (P, block)
        products *= -2
        products += lengths[some]
        np.minimum(least, products.min(1), out=least)
    squared: Floats = np.maximum(least + own, 0)
    return squared


def _rows_at_once(members: Floats) -> int:
    """How many members are compared with all at a time."""
    return max(min(_BLOCK, _AT_ONCE // len(members)), 1)


def _nearest_of(members: Floats) -> float:
    """A distance that a few of the members are apart: nothing is gained by trying smaller ones one by one."""
    least, lengths = np.full(len(members), np.inf, np.float32), _squared_length(members)
    block = _rows_at_once(members)
    for start in range(0, len(members), block):
        rows = np.arange(start, min(start + block, len(members)))
        squared = lengths[rows, None] + lengths - 2 * (members[rows] @ members.T)
        squared[np.arange(len(rows)), rows] = np.inf
        least[rows] = squared.min(axis=1)
    return float(np.sqrt(max(float(np.quantile(least, _NEAREST)), 0.0)))


def _pairs(members: Floats, reach: float) -> tuple[Rows, Rows, Floats]:
    """Pairs of members at most `reach` apart, the earlier member first, and their distances."""
    lengths, found = _squared_length(members), []
    block = _rows_at_once(members)
    for start in range(0, len(members), block):
        rows = members[start : start + block]
        squared = lengths[start : start + len(rows), None] + lengths[start:] - 2 * (rows @ members[start:].T)
        first, second = np.nonzero(squared <= reach**2)
        ahead = first < second
        first, second = first[ahead], second[ahead]
        found.append((first + start, second + start, np.sqrt(np.maximum(squared[first, second], 0))))
    first, second, distance = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, distance


def _separated(groups: Rows, first: Rows, second: Rows) -> Rows:
    """The members that stay.

    Args:
        groups: (M,) group of each member.
        first, second: pairs of members that are near each other.

    Returns:
        Their rows, ascending. A group is removed if each of its members is near an earlier group that stays.
    """
    one, other = np.concatenate([first, second]), np.concatenate([second, first])
    near = other[np.argsort(one, kind="stable")]  # the neighbours of each member in turn
    ends = np.cumsum(np.bincount(one, minlength=len(groups)))
    by_group = np.argsort(groups, kind="stable")
    covered, kept = np.zeros(len(groups), np.bool_), np.ones(len(groups), np.bool_)
    for own in np.split(by_group, np.flatnonzero(np.diff(groups[by_group])) + 1):
        if covered[own].all():
            kept[own] = False
            continue
        for row in own:
            covered[near[ends[row - 1] if row else 0 : ends[row]]] = True
    return np.flatnonzero(kept)


def _squared_length(vectors: Floats) -> Floats:
    lengths: Floats = np.einsum("ij,ij->i", vectors, vectors)
    return lengths
