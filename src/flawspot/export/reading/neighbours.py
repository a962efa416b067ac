"""Recognizes the distance to the nearest row of a bank, for any way in which the graph finds that row."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.export.head_operations import Level, NearestNeighbour, Piece
from flawspot.export.reading.onnx_graph import Graph, Node
from flawspot.export.reading.pieces import pieces_of
from flawspot.export.reading.state import Reading
from flawspot.export.tensors import Floats, Table, Tensor

_HALF = -0.5
"""Factor of the stored rows: they are in the graph times -2, followed by their squared length."""


@dataclass(frozen=True)
class _Part:
    """The contribution of one resolution to the squared distance."""

    pieces: tuple[Piece, ...]
    mean: Floats
    rows: Table
    index: str


def nearest_neighbour(state: Reading, node: Node) -> bool:
    """The root of a sum of squared differences from gathered rows, the finest resolution first."""
    found = [_part(state, name) for name in _terms(state.graph, node.inputs[0])]
    parts = [part for part in found if part is not None]
    if not parts or len(parts) != len(found):
        return False
    levels = []
    for place, part in enumerate(parts):
        below = parts[place + 1] if place + 1 < len(parts) else None
        parents = None if below is None else _parents(state.graph, place, part, below)
        if below is not None and (parents is None or len(parents) != len(part.rows.numbers)):
            return False
        grid = max(piece.x.height for piece in part.pieces)
        levels.append(Level(part.pieces, grid, part.mean, part.rows, parents))
    side = levels[0].grid
    if any(fine.grid % coarse.grid for fine, coarse in itertools.pairwise(levels)):
        return False
    state.add(NearestNeighbour(tuple(levels), Tensor(node.outputs[0], 1, side, side)), node.outputs[0])
    return True


def _terms(graph: Graph, name: str) -> list[str]:
    """The terms of a sum, in order."""
    terms: list[str] = []
    while (node := graph.maker(name, "Add")) is not None:
        terms.insert(0, node.inputs[1])
        name = node.inputs[0]
    return [name, *terms]


def _part(state: Reading, name: str) -> _Part | None:
    """``sum((v - mean - row)^2)``, or the smallest of these over several rows."""
    graph = state.graph
    least = graph.maker(name, "ReduceMin")
    total = graph.maker(name if least is None else least.inputs[0], "ReduceSum")
    difference = None if total is None else graph.square_of(total.inputs[0])
    minus = None if difference is None else graph.maker(difference, "Sub")
    if minus is None:
        return None
    taken = _rows(state, minus.inputs[1])
    centred = behind(graph, minus.inputs[0], "Reshape", "Transpose", "Expand", "Unsqueeze")
    mean = None if centred is None or centred.operator != "Sub" else graph.constant(centred, 1)
    if taken is None or centred is None or mean is None or mean.ndim != 1:
        return None
    rows, index = taken
    pieces = pieces_behind(state, centred.inputs[0])
    if pieces is None or rows.numbers.shape[1:] != mean.shape:
        return None
    if sum(len(piece.channels) for piece in pieces) != len(mean):
        return None
    return _Part(pieces, mean.astype(np.float32), rows, index)


def _rows(state: Reading, name: str) -> tuple[Table, str] | None:
    """The table of gathered rows, and the value with their indices. Rows are floats with their squared lengths, half
    floats, or whole numbers with a step for each channel."""
    graph = state.graph
    product = graph.maker(name, "Mul")
    augmented = product is not None and graph.scalar(product, 1) == _HALF
    steps = None if product is None or augmented else graph.constant(product, 1)
    start = name if product is None else product.inputs[0]
    gathered = behind(graph, start, "Slice", "Reshape", "Cast")
    if gathered is None or gathered.operator != "Gather":
        return None
    stored = graph.constants.get(gathered.inputs[0])
    if stored is None or stored.ndim != 2 or (product is not None and not augmented and steps is None):
        return None
    if augmented:
        return Table((stored[:, :-1].astype(np.float32) * np.float32(_HALF)).astype(np.float32)), gathered.inputs[1]
    if stored.dtype not in (np.float32, np.float16, np.int8) or (steps is None) != (stored.dtype != np.int8):
        return None
    return Table(stored, None if steps is None else steps.astype(np.float32).reshape(1, -1)), gathered.inputs[1]


def behind(graph: Graph, name: str, *passed: str) -> Node | None:
    """The operator found after skipping those that only move numbers."""
    node = graph.maker(name)
    while node is not None and node.operator in passed:
        node = graph.maker(node.inputs[0])
    return node


def pieces_behind(state: Reading, name: str) -> tuple[Piece, ...] | None:
    pieces = pieces_of(state, name)
    while pieces is None:
        node = state.graph.maker(name)
        if node is None or node.operator not in ("Transpose", "Reshape"):
            return None
        name = node.inputs[0]
        pieces = pieces_of(state, name)
    return pieces


def _parents(graph: Graph, place: int, part: _Part, below: _Part) -> NDArray[np.int64] | None:
    """The row of the next coarser level for each row of this one.

    The finest rows are ordered by place in the block, then by block. Other levels have a constant with the indices.
    """
    if place == 0:
        return np.arange(len(part.rows.numbers)) % len(below.rows.numbers)
    node = behind(graph, below.index, "Reshape", "Cast", "Squeeze", "Unsqueeze")
    constant = None if node is None or node.operator not in ("Gather", "GatherElements") else graph.constant(node, 0)
    return None if constant is None or constant.ndim != 1 else constant.astype(np.int64)
