"""The trainings and tests of a run, one for each step of its stream."""

from __future__ import annotations

from flawspot.benchmark.record import Cell
from flawspot.benchmark.streams.stream import ANEW, CONDITIONS, FROZEN


def passes(cell: Cell, train: int, test: int) -> list[tuple[int, int]]:
    """Numbers of training and test photographs, for each training. An update counts as a training.

    Args:
        cell: cell of a run, of a stream or not.
        train, test: numbers of photographs of the product, or of each category of a stream.
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
