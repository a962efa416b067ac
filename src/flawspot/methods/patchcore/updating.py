"""Updates PatchCore: new patches enter the memory bank, within the rows of the graph.

The bank's form stays: the number of blocks and of patches in a block, or the number of rows.
`flawspot.methods.patchcore.growing` decides which patches enter and which are removed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError
from flawspot.methods.covering import cells_inside
from flawspot.methods.patchcore.growing import MOST_APART, GrowingBank, Places
from flawspot.methods.patchcore.kept_rows import decoded, encoded
from flawspot.methods.patchcore.nested_bank import NOTHING, by_fineness, nest, padded_slots, with_room
from flawspot.methods.repeating import pooled, repeated
from flawspot.methods.shapes import Size
from flawspot.methods.updating import Before, Changed, Maps
from flawspot.runtime.state import Kept

METHODS = ("patchcore",)
_ROWS, _FINE, _PARENTS, _PADDED = "search.rows", "search.fine", "search.parents_", "search._padded"


class Updater:
    """Adds patches to the memory bank of a graph."""

    needs_torch: ClassVar[bool] = False

    def __init__(self, before: Before) -> None:
        """Read the bank.

        Raises:
            ArtifactError: its form cannot be changed, or the state belongs to another detector.
        """
        self._before, self._stores = before, before.stores()
        radius = before.learned.get("radius")
        if radius is None or radius.shape != (2,) or not ((radius >= 0) & (radius < MOST_APART)).all():
            raise ArtifactError("it is not the state of such a detector: it is damaged")
        self._nested = f"{_FINE}.augmented" in self._stores or f"{_FINE}.rows" in self._stores
        self._names = [_FINE, *self._levels()] if self._nested else [_ROWS]
        self._rows = [decoded(self._stores, name) for name in self._names]
        self._widths = [rows.shape[1] for rows, _ in self._rows]
        members = self._members() if self._nested else self._rows[0][0][self._rows[0][1]]
        budget = self._blocks if self._nested else self._single_rows
        self._bank = GrowingBank(members, float(radius[0]), float(radius[1]), budget)
        self._began = len(members)

    def add(self, maps: Maps, inside: NDArray[np.bool_] | None) -> None:
        """Add the inspected patches of one photograph."""
        for tile in range(len(next(iter(maps.values())))):
            own = {tap: each[tile : tile + 1] for tap, each in maps.items()}
            seen = None if inside is None else inside[tile : tile + 1]
            self._bank.add(self._patches(own, seen))

    def finish(self, new_validation: Kept) -> Changed:
        """The new bank in the constants of the old one."""
        bank = self._bank
        bank.fit()
        stores = self._as_blocks(bank.members) if self._nested else self._as_rows(bank.members)
        learned = {"radius": np.array([bank.separation, bank.covering])}
        told = (
            f"the memory bank took in {bank.taken} patches and let {bank.dropped} go: {len(bank.members)} members, "
            f"before {self._began}; no patch seen is farther than {bank.covering:.4g} from one"
        )
        prefix = self._before.prefix
        return Changed({prefix + name: array for name, array in stores.items()}, learned, [told])

    def _levels(self) -> list[str]:
        count = len([name for name in self._stores if name.startswith("search.mean_")]) - 1
        return [f"search.levels.{number}" for number in range(count)]

    def _members(self) -> NDArray[np.float32]:
        """(M, C), the finest features first, without the padding of blocks."""
        (fine, _), (coarse, taken), *deeper = self._rows
        blocks = len(coarse)
        if not blocks or len(fine) % blocks:
            raise ArtifactError("its memory bank is damaged: its blocks are not whole")
        parts, index = [coarse], np.arange(blocks)
        for number, (rows, _) in enumerate(deeper):
            parents = self._stores.get(f"{_PARENTS}{number}")
            if parents is None or parents.min(initial=0) < 0 or parents.max(initial=0) >= len(rows):
                raise ArtifactError("its memory bank is damaged: rows of it have no parents")
            index = parents[index]
            parts.append(rows[index])
        shared = np.concatenate(parts, axis=1)[taken]  # (B, C less the fine ones)
        places = fine.reshape(-1, blocks, fine.shape[1])[:, taken]  # (W, B, C fine)
        new = np.ones(places.shape[:2], np.bool_)
        new[1:] = (places[1:] != places[0]).any(axis=2)
        place, block = np.nonzero(new)
        return np.concatenate([places[place, block], shared[block]], axis=1)

    def _patches(self, maps: Maps, inside: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        """(P, C) of a tile, relative to the bank's mean, in the order of the search: finest taps first."""
        grid_of = {tap: (each.shape[2], each.shape[3]) for tap, each in maps.items()}
        self._grids: list[Size] = by_fineness(list(grid_of.values()))
        parts, start = [], 0
        for number, grid in enumerate(self._grids):
            cells = None if inside is None else cells_inside(inside, grid)
            own = np.concatenate([pooled(maps[tap], cells) for tap in maps if grid_of[tap] == grid], axis=1)
            scales = self._stores.get(f"scales_{number}")
            if scales is not None:
                own = own * scales
            mean = self._mean(number, start, own.shape[1])
            start += own.shape[1]
            if mean.shape != (own.shape[1],):
                raise ArtifactError("its memory bank has not the shape of its features: train it again")
            parts.append(repeated(own - mean[:, None, None], self._grids[0])[0].T)
        patches = np.concatenate(parts, axis=1)
        if inside is not None:
            patches = patches[cells_inside(inside, self._grids[0])[0].ravel()]
        return patches

    def _mean(self, number: int, start: int, count: int) -> NDArray[np.float32]:
        if self._nested:
            return self._stores[f"search.mean_{number}"]
        return self._stores["search.mean"][start : start + count]

    def _single_rows(self, members: NDArray[np.float32]) -> Places:
        """Every member has a place of its own."""
        room = len(self._rows[0][0])

        def taking(rows: NDArray[np.int64]) -> Callable[[int], bool]:
            free = iter(range(room - len(rows)))
            return lambda row: next(free, None) is not None

        return Places(np.arange(len(members), dtype=np.int64), lambda rows: len(rows) <= room, taking)

    def _blocks(self, members: NDArray[np.float32]) -> Places:
        """Members that share their coarse features share blocks. A set of members fits if its tree has no more blocks
        and coarse rows than the graph."""
        room = [len(rows) for rows, _ in self._rows[1:]]
        width = len(self._rows[0][0]) // room[0]
        ends = np.cumsum(self._widths)
        # For each level, a member's row and all coarser ones: its coarse features from that level on.
        shared = [_numbered(members[:, first:]) for first in ends[:-1]]

        def taken(rows: NDArray[np.int64]) -> _Taken:
            return _Taken(rows, shared, room, width)

        return Places(_in_order(shared[0]), lambda rows: taken(rows).fits, lambda rows: taken(rows).take)

    def _as_rows(self, members: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        free = len(self._rows[0][0]) - len(members)
        rows = np.pad(members, ((0, free), (0, 0)))
        return encoded(self._stores, _ROWS, rows, np.arange(len(rows)) < len(members))

    def _as_blocks(self, members: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        room = [len(rows) for rows, _ in self._rows[1:]]
        grids = [(1 << number, 1) for number in range(len(self._widths), 0, -1)]  # any, ever coarser
        nested = with_room(nest(members, self._widths, grids, width=len(self._rows[0][0]) // room[0]), room)
        found: dict[str, NDArray[Any]] = {}
        if _PADDED in self._stores:
            found[_PADDED] = padded_slots(nested.members)
        found |= self._level(_FINE, members, nested.members.reshape(-1), nested.columns)
        for number, level in enumerate(nested.levels):
            found |= self._level(self._names[number + 1], members, level.members, level.columns)
            if level.parents is not None:
                found[f"{_PARENTS}{number}"] = level.parents.astype(np.int32)
        return found

    def _level(
        self, name: str, members: NDArray[np.float32], index: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> dict[str, NDArray[Any]]:
        return encoded(self._stores, name, members[index][:, columns], index != NOTHING)


class _Taken:
    """The blocks and coarse rows that members take, one after the other."""

    def __init__(self, rows: NDArray[np.int64], shared: list[NDArray[np.int64]], room: list[int], width: int) -> None:
        """Args:
        rows: (k,) the members that have taken their places.
        shared: for each level but the finest, (M,) numbers of the rows that the members share.
        room: the number of blocks, and of coarse rows of each deeper level.
        width: members of a block.
        """
        self._shared, self._width = shared, width
        self._members = np.bincount(shared[0][rows], minlength=int(shared[0].max(initial=-1)) + 1)
        self._used = [set(each[rows].tolist()) for each in shared[1:]]
        blocks = int((-(-self._members // width)).sum())
        self._free = [room[0] - blocks, *(count - len(own) for count, own in zip(room[1:], self._used, strict=True))]

    @property
    def fits(self) -> bool:
        """Whether there are as many blocks and coarse rows as the members take."""
        return min(self._free) >= 0

    def take(self, row: int) -> bool:
        """Take the places of one more member; False if there are not enough."""
        group = self._shared[0][row]
        coarse = [int(each[row]) for each in self._shared[1:]]
        needs = [int(self._members[group] % self._width == 0)]
        needs += [int(number not in own) for number, own in zip(coarse, self._used, strict=True)]
        if any(need > free for need, free in zip(needs, self._free, strict=True)):
            return False
        self._members[group] += 1
        self._free = [free - need for need, free in zip(needs, self._free, strict=True)]
        for number, own in zip(coarse, self._used, strict=True):
            own.add(number)
        return True


def _in_order(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same groups, renumbered in the order of their first members."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(first, kind="stable")] = np.arange(len(first))
    numbered: NDArray[np.int64] = place[inverse.reshape(-1)]
    return numbered


def _numbered(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """(M,) numbers from 0, equal for rows that are equal bit for bit."""
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1] * rows.itemsize)))[:, 0]
    numbers: NDArray[np.int64] = np.unique(whole, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return numbers
