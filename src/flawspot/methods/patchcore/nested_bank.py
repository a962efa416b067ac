"""A memory bank stored as a tree: coarse features are stored once for all patches that share them.

A patch vector is the concatenation of taps of different resolution, the coarse ones repeated over the finest grid. So
many members of a bank share their coarse part bit for bit with others from the same place of the same photograph. The
tree stores it once, with an index from each finer row to its coarser one. A bank of 30,000 patches of MobileNetV2's
layers 3, 8 and 14 then takes about a third of the memory. Distances to it take about a quarter of the
multiply-accumulates and are exactly the same.
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
"""Possible numbers of patches in a block."""
NOTHING = -1
"""Index that marks a free row instead of a patch."""
_MANY = 6000
"""Number of blocks from which a bank is large. A bank of 10,000 patches has some 3,300, one of 30,000 some 10,000."""


@dataclass(frozen=True)
class CoarseLevel:
    """The part of the taps of one resolution, not the finest.

    Attributes:
        grid: height and width of their maps.
        columns: (C,) their columns of the patch vectors.
        members: (R,) for each row a patch of the bank that contains it. The rows are distinct, except on the first
            level, which repeats a row if more patches share it than fit into a block.
        parents: (R,) for each row the matching row of the next coarser level; None for the coarsest level.
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
        columns: (C,) columns of the finest taps in the patch vectors.
        members: (W, B) patches of the bank, W for each block. A block with fewer patches repeats its first one. All
            patches of block b share row b of the first coarse level.
        levels: the coarser levels, finest first.
    """

    grid: Size
    columns: NDArray[np.int64]
    members: NDArray[np.int64]
    levels: tuple[CoarseLevel, ...]


def by_fineness(grids: Sequence[Size]) -> list[Size]:
    """The distinct grids of several taps, the one with the most cells first."""
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
        channels: number of channels of each tap; C in total.
        grids: height and width of each tap's map; `nests` must hold.
        width: patches in a block; None chooses it by the stored size.
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
    # Patches in the order of their groups. The j-th of a group goes to slot j % width of the group's block j // width.
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
    """The bank with additional free rows, marked by -1 in `members`.

    Args:
        nested: a bank.
        rows: number of rows of each coarse level; the first is also the number of blocks.

    Raises:
        ValueError: the bank has more rows.
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
    """(W, B) members of a `NestedBank` -> (B W,): whether a slot repeats the first patch of its block."""
    padded: NDArray[np.bool_] = (members == members[0]).T  # (B, W)
    padded[:, 0] = False
    return padded.reshape(-1)


def _distinct(rows: NDArray[np.float32], group: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index of the first of each distinct (row, group), and for every row the number of its distinct one."""
    keys = np.concatenate([np.ascontiguousarray(rows).view(np.uint8), group[:, None].view(np.uint8)], axis=1)
    as_bytes = np.ascontiguousarray(keys).view(np.dtype((np.void, keys.shape[1])))[:, 0]
    _, first, inverse = np.unique(as_bytes, return_index=True, return_inverse=True)
    return first.astype(np.int64), inverse.reshape(-1).astype(np.int64)


def _best_width(counts: NDArray[np.int64], fine: int, coarse: int) -> int:
    """Number of patches in a block.

    Fewer, larger blocks are searched faster. So it is the largest width whose stored size is hardly above the minimum.
    Blocks that are not full are padded, and a group of several blocks repeats its coarse row.
    """

    def stored(width: int) -> int:
        blocks = int((-(-counts // width)).sum())
        return blocks * (width * (fine + 1) + coarse + 2)  # with norms and parents

    least = min(map(stored, WIDTHS))
    return max(width for width in WIDTHS if stored(width) <= 1.05 * least)


def candidates_of(blocks: int) -> tuple[int, int]:
    """Number of blocks that a search compares in its first and in its second round, of `blocks` in total.

    In a large bank, three times as many cells would reach the second round after only 48 (docs/performance.md).
    """
    return (96 if blocks > _MANY else 48), 384
