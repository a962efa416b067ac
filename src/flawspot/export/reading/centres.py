"""Recognizes the distance to the nearest centres, for vectors that are linear in features of several resolutions.

A graph computes such vectors in parts, each at the resolution of its features, and slices, joins and interpolates them.
All of these steps are linear, so they are reduced to one matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.export.head_operations import CentreDistance, Piece
from flawspot.export.reading.neighbours import behind, pieces_behind
from flawspot.export.reading.onnx_graph import Node
from flawspot.export.reading.state import Reading
from flawspot.export.tensors import Floats, Table, Tensor

_LAST = 3
"""The axis of the vectors' components, behind photograph, row and column."""


@dataclass(frozen=True)
class _Linear:
    """Vectors of W components, linear in features and position.

    Attributes:
        parts: for each value that contributes: its pieces, and the (C, W) matrix that multiplies them.
        bias: (W,).
        along, across: (G, W), contributions of the row and the column; None if there are none.
    """

    parts: dict[str, tuple[tuple[Piece, ...], Floats]]
    bias: Floats
    along: Floats | None = None
    across: Floats | None = None

    def columns(self, change: Callable[[Floats], Floats]) -> _Linear:
        """The vectors with changed components."""
        parts = {name: (pieces, change(matrix)) for name, (pieces, matrix) in self.parts.items()}
        return _Linear(parts, change(self.bias[None])[0])


def centre_distance(state: Reading, node: Node) -> bool:
    """Recognize the first of some distances times the first of the softmax of their negatives."""
    graph = state.graph
    certain, first = (graph.maker(name, "Gather") for name in node.inputs)
    soft = None if certain is None else graph.maker(certain.inputs[0], "Softmax")
    negative = None if soft is None else graph.maker(soft.inputs[0], "Neg")
    root = None if negative is None else graph.maker(negative.inputs[0], "Sqrt")
    if root is None or first is None or certain is None or first.inputs[0] != root.outputs[0]:
        return False
    stack = graph.maker(root.inputs[0], "Concat")
    found = [] if stack is None else [_difference(state, name) for name in stack.inputs]
    if not found or found[0] is None or any(graph.scalar(each, 1) != 0 for each in (certain, first)):
        return False
    vectors, centres = found[0]
    for other in found[1:]:
        if other is None or other[0] != vectors or not np.array_equal(other[1].numbers, centres.numbers):
            return False
    linear = _linear(state, vectors)
    if linear is None or linear.along is None or linear.across is None:
        return False
    pieces = tuple(piece for own, _ in linear.parts.values() for piece in own)
    matrix = np.concatenate([matrix for _, matrix in linear.parts.values()])
    if centres.numbers.shape[1:] != linear.bias.shape or sum(len(p.channels) for p in pieces) != len(matrix):
        return False
    side = len(linear.along)
    y = Tensor(node.outputs[0], 1, side, side)
    along = (linear.along + linear.bias).astype(np.float32)
    state.add(CentreDistance(pieces, matrix, along, linear.across, centres, len(found), y), node.outputs[0])
    return True


def _difference(state: Reading, name: str) -> tuple[str, Table] | None:
    """For a squared length: the value from which a row is subtracted, and the rows."""
    graph = state.graph
    total = behind(graph, name, "Unsqueeze")
    squared = None if total is None or total.operator != "ReduceSum" else graph.square_of(total.inputs[0])
    minus = None if squared is None else graph.maker(squared, "Sub")
    gathered = None if minus is None else behind(graph, minus.inputs[1], "Cast", "Reshape")
    if minus is None or gathered is None or gathered.operator not in ("GatherND", "Gather"):
        return None
    stored = state.table(gathered.inputs[0])
    return None if stored is None or stored.numbers.ndim != 2 else (minus.inputs[0], stored)


def _linear(state: Reading, name: str) -> _Linear | None:
    node = state.graph.maker(name)
    if node is None:
        return None
    if node.operator in ("Resize", "Reshape"):  # an interpolation, or a rearrangement for one
        return _linear(state, node.inputs[0])
    if node.operator == "MatMul" and _interpolates(state.graph.constant(node, 0)):
        return _linear(state, node.inputs[1])
    if node.operator == "MatMul":
        matrix, pieces = state.graph.constant(node, 1), pieces_behind(state, node.inputs[0])
        if matrix is None or matrix.ndim != 2 or pieces is None:
            return None
        return _Linear({name: (pieces, matrix.astype(np.float32))}, np.zeros(matrix.shape[1], np.float32))
    if node.operator == "Add":
        return _sum(state, node)
    if node.operator == "Slice":
        return _cut(state, node)
    return _side_by_side(state, node) if node.operator == "Concat" and node.whole("axis", 0) == _LAST else None


def _interpolates(matrix: NDArray[Any] | None) -> bool:
    """Whether a (G, length) matrix interpolates linearly between the centres of positions."""
    return matrix is not None and matrix.ndim == 2 and np.allclose(matrix, linear_weights(*matrix.shape), atol=1e-6)


def linear_weights(size: int, length: int) -> Floats:
    """(size, length): weights of the nearest two of `length` positions for each of `size`. Rows sum to 1."""
    centres = np.clip((np.arange(size)[:, None] + 0.5) * length / size - 0.5, 0, length - 1)
    weights: Floats = np.maximum(1 - np.abs(np.arange(length) - centres), 0).astype(np.float32)
    return weights


def _sum(state: Reading, node: Node) -> _Linear | None:
    first = _linear(state, node.inputs[0])
    added = state.graph.constant(node, 1)
    if first is None:
        return None
    if added is None:
        second = _linear(state, node.inputs[1])
        if second is None or second.bias.shape != first.bias.shape or first.along is not None:
            return None
        parts = dict(first.parts)
        for name, (pieces, matrix) in second.parts.items():
            parts[name] = (pieces, matrix + parts[name][1] if name in parts else matrix)
        return _Linear(parts, first.bias + second.bias)
    added = added.astype(np.float32)
    if added.ndim == 1:
        return _Linear(first.parts, first.bias + added, first.along, first.across)
    if added.ndim == 3 and added.shape[1] == 1:
        return _Linear(first.parts, first.bias, added[:, 0], first.across)
    return _Linear(first.parts, first.bias, first.along, added) if added.ndim == 2 else None


def _cut(state: Reading, node: Node) -> _Linear | None:
    whole = _linear(state, node.inputs[0])
    begin, end, axis = (state.graph.scalar(node, place) for place in (1, 2, 3))
    if whole is None or begin is None or end is None or axis != _LAST or whole.along is not None:
        return None
    columns = slice(int(begin), int(end))
    return whole.columns(lambda matrix: matrix[:, columns])


def _side_by_side(state: Reading, node: Node) -> _Linear | None:
    blocks = [_linear(state, name) for name in node.inputs]
    widths = [0 if block is None else len(block.bias) for block in blocks]
    parts: dict[str, tuple[tuple[Piece, ...], Floats]] = {}
    bias = np.zeros(sum(widths), np.float32)
    for place, block in enumerate(blocks):
        if block is None or block.along is not None:
            return None
        before, behind_it = sum(widths[:place]), sum(widths[place + 1 :])
        bias[before : before + widths[place]] = block.bias
        for name, (pieces, matrix) in block.parts.items():
            wide = np.pad(matrix, ((0, 0), (before, behind_it)))
            parts[name] = (pieces, wide + parts[name][1] if name in parts else wide)
    return _Linear(parts, bias)
