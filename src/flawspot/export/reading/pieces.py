"""Vectors composed of channels of several tensors, at each position of a grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from flawspot.export.head_operations import Piece
from flawspot.export.reading.onnx_graph import Node
from flawspot.export.reading.state import Reading
from flawspot.export.tensors import Floats, Units


def _gathered(state: Reading, node: Node) -> bool:
    """Some channels of a tensor."""
    indices = state.graph.constant(node, 1)
    found = state.readable(node.inputs[0])
    if found is None or indices is None or indices.ndim != 1 or node.whole("axis", 0) != 1:
        return False
    if not ((indices >= 0) & (indices < found[0].channels)).all():
        return False
    state.pieces[node.outputs[0]] = (Piece(found[0], indices.astype(np.int64), units=found[1]),)
    return True


def _repeated(state: Reading, node: Node) -> bool:
    """Repetition over a finer grid. The distance that follows gives its size."""
    pieces = pieces_of(state, node.inputs[0])
    of_corners = node.text("coordinate_transformation_mode", "half_pixel") == "asymmetric"
    if pieces is None or node.text("mode", "nearest") != "nearest" or not of_corners:
        return False
    if node.text("nearest_mode", "round_prefer_floor") != "floor":
        return False
    state.pieces[node.outputs[0]] = pieces
    return True


def _joined(state: Reading, node: Node) -> bool:
    found = [pieces_of(state, name) for name in node.inputs]
    if node.whole("axis", 0) != 1 or any(pieces is None for pieces in found):
        return False
    state.pieces[node.outputs[0]] = tuple(piece for pieces in found for piece in pieces or ())
    return True


def _averaged(state: Reading, node: Node) -> bool:
    """Means of 3 x 3 positions."""
    found = state.readable(node.inputs[0])
    same = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1), "strides": (1, 1)}
    if found is None or any(node.wholes(name, ()) != value for name, value in same.items()):
        return False
    if node.whole("count_include_pad", 0) != 1 or node.whole("ceil_mode", 0) != 0:
        return False
    state.pieces[node.outputs[0]] = (Piece(found[0], np.arange(found[0].channels), 3, found[1]),)
    return True


def standardised(state: Reading, node: Node) -> bool:
    """Each channel of a vector times its own number. The numbers become units of the pieces, also of those in floats.

    Means of 3 x 3 positions, with zeros beyond the border, may come before or after.
    """
    numbers, pieces = state.graph.constant(node, 1), state.pieces.get(node.inputs[0])
    if numbers is None or pieces is None:
        return False
    sizes = [len(piece.channels) for piece in pieces]
    if numbers.shape != (1, sum(sizes), 1, 1):
        return False
    parts = np.split(numbers.astype(np.float32).ravel(), np.cumsum(sizes)[:-1])
    state.pieces[node.outputs[0]] = tuple(map(_times, pieces, parts))
    return True


def _times(piece: Piece, factors: Floats) -> Piece:
    scale, shift = np.ones(piece.x.channels, np.float32), np.zeros(piece.x.channels, np.float32)
    if piece.units is not None:
        scale, shift = piece.units.scale.copy(), piece.units.shift.copy()
    scale[piece.channels] *= factors
    shift[piece.channels] *= factors
    return dataclasses.replace(piece, units=Units(scale, shift))


def pieces_of(state: Reading, name: str) -> tuple[Piece, ...] | None:
    found = state.readable(name)
    if found is not None and name not in state.pieces:
        return (Piece(found[0], np.arange(found[0].channels), units=found[1]),)
    return state.pieces.get(name)


PIECE_OPERATORS: dict[str, Callable[[Reading, Node], bool]] = {
    "Gather": _gathered,
    "Resize": _repeated,
    "Concat": _joined,
    "AveragePool": _averaged,
}
