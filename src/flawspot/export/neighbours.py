"""The distance to the nearest row of a bank, by its structure: however a graph finds the row, the distance is that."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.export.head_operations import Level, NearestNeighbour, Piece
from flawspot.export.onnx_graph import Graph, Node
from flawspot.export.pieces import pieces_of
from flawspot.export.reading import Reading
from flawspot.export.tensors import Floats, Table, Tensor

_HALF = -0.5
"""Rows stand in the graph times -2, with their squared length behind them."""


@dataclass(frozen=True)
class _Part:
    """What one resolution adds to the squared distance."""

    pieces: tuple[Piece, ...]
    mean: Floats
    rows: Floats
    index: str


def nearest_neighbour(state: Reading, node: Node) -> bool:
    """The root of a sum of squared differences from rows that were gathered; the finest resolution stands first."""
    found = [_part(state, name) for name in _terms(state.graph, node.inputs[0])]
    parts = [part for part in found if part is not None]
    if not parts or len(parts) != len(found):
        return False
    levels = []
    for place, part in enumerate(parts):
        below = parts[place + 1] if place + 1 < len(parts) else None
        parents = None if below is None else _parents(state.graph, place, part, below)
        if below is not None and (parents is None or len(parents) != len(part.rows)):
            return False
        grid = max(piece.x.height for piece in part.pieces)
        levels.append(Level(part.pieces, grid, part.mean, Table(part.rows), parents))
    side = levels[0].grid
    if any(fine.grid % coarse.grid for fine, coarse in itertools.pairwise(levels)):
        return False
    state.add(NearestNeighbour(tuple(levels), Tensor(node.outputs[0], 1, side, side)), node.outputs[0])
    return True


def _terms(graph: Graph, name: str) -> list[str]:
    """What is added up, in that order."""
    terms: list[str] = []
    while (node := graph.maker(name, "Add")) is not None:
        terms.insert(0, node.inputs[1])
        name = node.inputs[0]
    return [name, *terms]


def _part(state: Reading, name: str) -> _Part | None:
    """``sum((v - mean - row)^2)``; of several rows perhaps the smallest."""
    graph = state.graph
    least = graph.maker(name, "ReduceMin")
    total = graph.maker(name if least is None else least.inputs[0], "ReduceSum")
    difference = None if total is None else graph.square_of(total.inputs[0])
    minus = None if difference is None else graph.maker(difference, "Sub")
    half = None if minus is None else graph.maker(minus.inputs[1], "Mul")
    if minus is None or half is None or graph.scalar(half, 1) != _HALF:
        return None
    gathered = _behind(graph, half.inputs[0], "Slice", "Reshape")
    stored = None if gathered is None or gathered.operator != "Gather" else state.table(gathered.inputs[0])
    centred = _behind(graph, minus.inputs[0], "Reshape", "Transpose", "Expand", "Unsqueeze")
    mean = None if centred is None or centred.operator != "Sub" else graph.constant(centred, 1)
    if gathered is None or stored is None or centred is None or mean is None or mean.ndim != 1:
        return None
    pieces = _pieces_behind(state, centred.inputs[0])
    if pieces is None or stored.numbers.ndim != 2 or stored.numbers.shape[1] != len(mean) + 1:
        return None
    if sum(len(piece.channels) for piece in pieces) != len(mean):
        return None
    rows = (stored.values()[:, :-1] * np.float32(_HALF)).astype(np.float32)
    return _Part(pieces, mean.astype(np.float32), rows, gathered.inputs[1])


def _behind(graph: Graph, name: str, *passed: str) -> Node | None:
    """The operator behind those that only move numbers."""
    node = graph.maker(name)
    while node is not None and node.operator in passed:
        node = graph.maker(node.inputs[0])
    return node


def _pieces_behind(state: Reading, name: str) -> tuple[Piece, ...] | None:
    pieces = pieces_of(state, name)
    while pieces is None:
        node = state.graph.maker(name)
        if node is None or node.operator not in ("Transpose", "Reshape"):
            return None
        name = node.inputs[0]
        pieces = pieces_of(state, name)
    return pieces


def _parents(graph: Graph, place: int, part: _Part, below: _Part) -> NDArray[np.int64] | None:
    """The row of the next level for each of this one.

    The finest rows stand block by block, as often as there are rows in a block; those of other levels are named by a
    constant.
    """
    if place == 0:
        return np.arange(len(part.rows)) % len(below.rows)
    node = _behind(graph, below.index, "Reshape", "Cast", "Squeeze", "Unsqueeze")
    constant = None if node is None or node.operator not in ("Gather", "GatherElements") else graph.constant(node, 0)
    return None if constant is None or constant.ndim != 1 else constant.astype(np.int64)
