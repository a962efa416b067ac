"""Places tensors in one block of memory. Two that are needed at the same time never overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

ALIGNMENT = 16
"""Alignment of every place, in bytes."""
_TRIES = 1500
"""Most orders that are tried, unless the lower bound is reached before."""
_FRONT = 40
"""Number of largest blocks whose order is varied. Only they decide the size."""


@dataclass(frozen=True)
class Block:
    """A block of memory that is needed for a while.

    Attributes:
        name: its unique name.
        bytes: its size.
        first, last: the first and last operation that needs it, counted from 0, both included.
    """

    name: str
    bytes: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """Bytes, rounded up so that the next block is aligned."""
        return -(-self.bytes // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class Plan:
    """A plan of the arena.

    Attributes:
        places: by name, the first byte of each block in the arena.
        bytes: size of the arena.
        bound: lower bound of any plan: the bytes needed at the busiest operation.
    """

    places: Mapping[str, int]
    bytes: int
    bound: int


def plan(blocks: Sequence[Block], seed: int = 0) -> Plan:
    """Place the blocks, largest first, each as low as possible; then try other orders while that helps.

    The same blocks and seed give the same plan.
    """
    ordered = sorted(blocks, key=lambda block: (-block.size, block.first, block.name))
    steps = range(max((block.last for block in blocks), default=0) + 1)
    bound = max(sum(block.size for block in blocks if block.first <= step <= block.last) for step in steps)
    clashes = {
        block.name: [
            other for other in blocks if other is not block and other.first <= block.last and block.first <= other.last
        ]
        for block in blocks
    }
    generator = np.random.default_rng(seed)
    best, places = _place(ordered, clashes)
    front = min(_FRONT, len(ordered))
    for _ in range(_TRIES if front > 1 else 0):
        if best == bound:
            break
        other = list(ordered)
        taken, put = (int(number) for number in generator.integers(0, front, 2))
        other.insert(put, other.pop(taken))
        size, found = _place(other, clashes)
        if size <= best:
            best, places, ordered = size, found, other
    return Plan(places, best, bound)


def _place(blocks: Iterable[Block], clashes: Mapping[str, Sequence[Block]]) -> tuple[int, dict[str, int]]:
    places: dict[str, int] = {}
    size = 0
    for block in blocks:
        taken = sorted(
            (places[other.name], places[other.name] + other.size)
            for other in clashes[block.name]
            if other.name in places
        )
        at = 0
        for begin, end in taken:
            if at + block.size <= begin:
                break
            at = max(at, end)
        places[block.name] = at
        size = max(size, at + block.size)
    return size, places
