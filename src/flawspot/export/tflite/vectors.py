"""Vectors of features for heads, in TensorFlow Lite operators. They are computed in strips, to need little memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.export.head_operations import Piece
from flawspot.export.tensors import Units
from flawspot.export.tflite.layers import EACH, Writing
from flawspot.export.tflite.model import SAME, VALID, Value

HEAD = "head"
_JOINED = 10
_INT32 = 2
"""The type's number in the schema."""


def strips(writing: Writing, rows: int, bytes_of_row: int) -> Iterator[range]:
    """Rows that are computed together: strips of equal height, except for the last, of at least one row."""
    height = max(min(writing.strip // max(bytes_of_row, 1), rows), 1)
    count = -(-rows // height)
    height = -(-rows // count)
    for begin in range(0, rows, height):
        yield range(begin, min(begin + height, rows))


def vectors(writing: Writing, pieces: Sequence[Piece], height: int, width: int, rows: range) -> Value:
    """Some rows of a grid of vectors: (1, rows, width, components) floats."""
    return joined(writing, [_piece(writing, piece, height, width, rows) for piece in pieces], 3)


def joined(writing: Writing, parts: Sequence[Value], axis: int) -> Value:
    """Concatenate along an axis. TFLite-Micro joins at most ten values at once."""
    parts = list(parts)
    while len(parts) > 1:
        several = [parts[begin : begin + _JOINED] for begin in range(0, len(parts), _JOINED)]
        parts = [_joined(writing, each, axis) for each in several]
    return parts[0]


def _joined(writing: Writing, parts: Sequence[Value], axis: int) -> Value:
    if len(parts) == 1:
        return parts[0]
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    return writing.model.apply("CONCATENATION", parts, shape, axis=axis)


def distances(writing: Writing, value: Value, bank: Value, near: Value) -> tuple[Value, Value]:
    """For each vector, the row with the largest `near`, and its squared distance, computed from the difference.

    Args:
        value: (1, rows, width, components).
        bank: (R, components).
        near: (1, rows, width, R).
    """
    model = writing.model
    axis = model.constant(np.array([3], np.int32), HEAD)
    chosen = model.apply("ARG_MAX", [near, axis], value.shape[:3], dtype=np.int32, outputType=_INT32)
    row = model.apply("GATHER", [bank, chosen], value.shape, axis=0, batchDims=0)
    return chosen, squares(writing, model.apply("SQUARED_DIFFERENCE", [value, row], value.shape))


def squares(writing: Writing, value: Value) -> Value:
    """Squares summed over the channels: (1, rows, width)."""
    axis = writing.model.constant(np.array([3], np.int32), HEAD)
    return writing.model.apply("SUM", [value, axis], value.shape[:3], keepDims=False)


def whole(writing: Writing, piece: Piece) -> Value:
    """A piece at its own resolution, in floats; computed once."""
    units = b"" if piece.units is None else piece.units.scale.tobytes() + piece.units.shift.tobytes()
    key = (piece.x.name, piece.channels.tobytes(), piece.window, units)
    if key not in writing.wholes:
        value = taken(writing, writing.values[piece.x.name], 3, piece.channels)
        writing.wholes[key] = _floats(writing, value, piece)
    return writing.wholes[key]


def _piece(writing: Writing, piece: Piece, height: int, width: int, rows: range) -> Value:
    x = piece.x
    windowed = piece.window > 1
    value = whole(writing, piece) if windowed else taken(writing, writing.values[x.name], 3, piece.channels)
    value = taken(writing, value, 1, np.array([row * x.height // height for row in rows]))
    value = taken(writing, value, 2, np.arange(width) * x.width // width)
    return value if windowed else _floats(writing, value, piece)


def taken(writing: Writing, value: Value, axis: int, indices: NDArray[np.int64]) -> Value:
    """Gather indices along an axis, possibly with repetitions."""
    if np.array_equal(indices, np.arange(value.shape[axis])):
        return value
    shape = [*value.shape]
    shape[axis] = len(indices)
    inputs = [value, writing.model.constant(indices.astype(np.int32), HEAD)]
    how: dict[str, Any] = {"dtype": value.dtype, "scale": value.scale, "zero": value.zero}
    return writing.model.apply("GATHER", inputs, shape, axis=axis, batchDims=0, **how)


def _floats(writing: Writing, value: Value, piece: Piece) -> Value:
    """A piece dequantized, in units of the channels, and averaged over the window, with zeros beyond the border."""
    model, channels = writing.model, len(piece.channels)
    found = value
    if value.dtype != np.float32:
        found = model.apply("DEQUANTIZE", [value], value.shape)
    if piece.units is not None:
        found = _in_units(writing, found, piece.units, piece.channels)
    if piece.window > 1:
        side = piece.window
        kernel = np.full((1, side, side, channels), 1 / side**2, np.float32)
        found = _by_channel(writing, found, kernel, np.zeros(channels, np.float32), SAME)
    return found


def _in_units(writing: Writing, value: Value, units: Units, channels: NDArray[np.int64]) -> Value:
    scale, shift = (np.asarray(each, np.float32).ravel()[channels] for each in (units.scale, units.shift))
    return _by_channel(writing, value, scale.reshape(1, 1, 1, -1), shift, VALID)


def _by_channel(
    writing: Writing, value: Value, kernel: NDArray[np.float32], bias: NDArray[np.float32], padding: int
) -> Value:
    model = writing.model
    inputs = [value, model.constant(kernel, HEAD), model.constant(bias, HEAD)]
    return model.apply("DEPTHWISE_CONV_2D", inputs, value.shape, padding=padding, **EACH)
