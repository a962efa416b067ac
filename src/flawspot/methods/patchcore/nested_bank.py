"""A memory bank stored as the tree that it is: coarse features once for all the patches that repeat them.

A patch vector is the concatenation of taps of different resolution, the coarse ones repeated over the finest grid. Many
members of a bank therefore share their coarse part with others from the same place of the same photograph, bit for bit.
Stored once, with an index from each finer row to its coarser one, a bank of 30,000 patches of MobileNetV2's layers 3, 8
and 14 takes about a third of the memory, and distances to it about a quarter of the multiply-accumulates: the very same
numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.methods.shapes import Size

WIDTHS = (1, 2, 4, 8, 16)
"""Numbers of patches that a block may hold."""
NOTHING = -1
"""In the place of a patch, where a row is kept free."""
_MANY = 6000
"""Blocks; a bank of 10,000 patches has some 3,300, one of 30,000 some 10,000."""


@dataclass(frozen=True)
class CoarseLevel:
    """What the taps of one resolution, not the finest, contribute.

    Attributes:
        grid: height and width of their maps.
        columns: (C,) of the patch vectors.
        members: (R,) for each row a patch of the bank that has it. The rows are distinct but for the first level, where
            one that is shared by more patches than fit into a block is repeated.
        parents: (R,) the row of the next coarser level that goes with each; None for the coarsest.
    """

    grid: Size
    columns: NDArray[np.int64]
    members: NDArray[np.int64]
    parents: NDArray[np.int64] | None


@dataclass(frozen=True)
class NestedBank:
    """The bank as a tree.

    Attributes:
        grid: height and width of the finest maps.
        columns: (C,) of the finest taps in the patch vectors.
        members: (W, B) patches of the bank, W to a block; a block that has fewer repeats its first. All patches of
            block b share row b of the first coarse level.
        levels: the coarser ones, finest first.
    """

    grid: Size
    columns: NDArray[np.int64]
    members: NDArray[np.int64]
    levels: tuple[CoarseLevel, ...]


def by_fineness(grids: Sequence[Size]) -> list[Size]:
    """The distinct grids of several taps, the one of the most cells first."""
    return sorted(set(grids), key=lambda grid: (math.prod(grid), grid), reverse=True)


def nests(grids: Sequence[Size]) -> bool:
    """Whether the taps' grids differ and each divides the next finer one along both axes, so that repeating a coarse
    map is exact."""
    distinct = by_fineness(grids)
    divide = all(a % b == 0 for fine, coarse in itertools.pairwise(distinct) for a, b in zip(fine, coarse, strict=True))
    return len(distinct) > 1 and divide


def nest(
    bank: NDArray[np.float32], channels: Sequence[int], grids: Sequence[Size], *, width: int | None = None
) -> NestedBank:
    """Store `bank` as a tree.

    Args:
        bank: (M, C), each row the taps' features one after the other.
        channels: of each tap; C in all.
        grids: height and width of each tap's map; `nests` must hold.
        width: patches to a block; None takes what stores least.
    """
    finest, *coarser = by_fineness(grids)

    def columns_of(grid: Size) -> NDArray[np.int64]:
        return np.flatnonzero(np.repeat([each == grid for each in grids], channels))

    levels: list[CoarseLevel] = []
    group = np.zeros(len(bank), np.int64)  # the row of the level before, for each patch
    for grid in reversed(coarser):
        columns = columns_of(grid)
        first, inverse = _distinct(bank[:, columns], group)
        parents = group[first] if levels else None
        levels.insert(0, CoarseLevel(grid, columns, first, parents))
        group = inverse
    columns = columns_of(finest)
    counts = np.bincount(group)
    width = width or _best_width(counts, len(columns), len(levels[0].columns))
    blocks_of = -(-counts // width)  # blocks of each group
    level = levels[0]
    repeated = np.repeat(np.arange(len(counts)), blocks_of)
    levels[0] = CoarseLevel(
        level.grid, level.columns, level.members[repeated], None if level.parents is None else level.parents[repeated]
    )
    # Patches in the order of their groups; the j-th of a group goes to slot j % width of its block j // width.
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(counts)
    place = np.arange(len(bank)) - np.repeat(ends - counts, counts)
    first_block = np.cumsum(blocks_of) - blocks_of
    block = np.repeat(first_block, counts) + place // width
    members = np.full((width, len(repeated)), -1, np.int64)
    members[place % width, block] = order
    members = np.where(members < 0, members[0], members)
    return NestedBank(finest, columns, members, tuple(levels))


def with_room(nested: NestedBank, rows: Sequence[int]) -> NestedBank:
    """The same with rows that hold nothing yet, -1 among `members`.

    Args:
        nested: a bank.
        rows: how many each coarse level is to have, the first of them for the blocks too.

    Raises:
        ValueError: it has more.
    """

    def filled(index: NDArray[np.int64], count: int, filling: int) -> NDArray[np.int64]:
        more = count - index.shape[-1]
        if more < 0:
            raise ValueError(f"{index.shape[-1]} rows do not fit into {count}")
        return np.pad(index, [*[(0, 0)] * (index.ndim - 1), (0, more)], constant_values=filling)

    levels = tuple(
        CoarseLevel(
            level.grid,
            level.columns,
            filled(level.members, count, NOTHING),
            None if level.parents is None else filled(level.parents, count, 0),
        )
        for level, count in zip(nested.levels, rows, strict=True)
    )
    return NestedBank(nested.grid, nested.columns, filled(nested.members, rows[0], NOTHING), levels)


def padded_slots(members: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(W, B) as in a `NestedBank` -> (B W,): which slots repeat the first patch of their block."""
    padded: NDArray[np.bool_] = (members == members[0]).T  # (B, W)
    padded[:, 0] = False
    return padded.reshape(-1)


def _distinct(rows: NDArray[np.float32], group: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first of each distinct (row, group), and for every row which of these it is."""
    keys = np.concatenate([np.ascontiguousarray(rows).view(np.uint8), group[:, None].view(np.uint8)], axis=1)
    as_bytes = np.ascontiguousarray(keys).view(np.dtype((np.void, keys.shape[1])))[:, 0]
    _, first, inverse = np.unique(as_bytes, return_index=True, return_inverse=True)
    return first.astype(np.int64), inverse.reshape(-1).astype(np.int64)


def _best_width(counts: NDArray[np.int64], fine: int, coarse: int) -> int:
    """How many patches to a block: the most, for fewer blocks are searched faster, that store hardly more numbers than
    the least that is possible. Blocks that are not full are padded; groups of more than a block repeat coarse rows."""

    def stored(width: int) -> int:
        blocks = int((-(-counts // width)).sum())
        return blocks * (width * (fine + 1) + coarse + 2)  # with norms and parents

    least = min(map(stored, WIDTHS))
    return max(width for width in WIDTHS if stored(width) <= 1.05 * least)


def candidates_of(blocks: int) -> tuple[int, int]:
    """How many blocks of so many a search compares in its first and in its second round.

    Among many, three times as many cells would come to the second round after 48 (docs/performance.md).
    """
    return (96 if blocks > _MANY else 48), 384
