"""What a run costs in trainings and tests, as many as its stream has steps."""

from __future__ import annotations

from flawspot.benchmark.record import Cell
from flawspot.benchmark.streams.stream import ANEW, CONDITIONS, FROZEN


def passes(cell: Cell, train: int, test: int) -> list[tuple[int, int]]:
    """How many photographs are learned from and tested on, training by training; an update counts as one.

    Args:
        cell: of a run, of a stream or not.
        train, test: photographs of the product; of a stream of categories, of each of them.
    """
    stream = cell.stream
    if stream is None:
        return [(train, test)]
    count = len(stream.steps)
    arriving = train // count if stream.of == CONDITIONS else train
    if cell.strategy == FROZEN:
        return [(arriving, test * count)]
    anew = cell.strategy == ANEW
    return [(arriving * (step if anew else 1), test * step) for step in range(1, count + 1)]
