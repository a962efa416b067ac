"""The distance to the nearest centres in TensorFlow Lite operators, none of which finds several centres at once."""

from __future__ import annotations

import numpy as np

from flawspot.export.head_operations import CentreDistance
from flawspot.export.tensors import Floats
from flawspot.export.tflite.layers import Writing
from flawspot.export.tflite.model import Value
from flawspot.export.tflite.vectors import HEAD, distances, joined, strips, taken, whole

_FLOAT = 4
_NEVER = -3e38
"""Replaces the value of a centre that was already taken."""


def write_centres(writing: Writing, operation: CentreDistance, step: int) -> None:
    """Find the nearest centres one after the other. Each is excluded from the search for the next."""
    model, y = writing.model, operation.y
    centres = operation.centres.values()
    count, width = centres.shape
    vectors = _interpolated(writing, operation, width)
    bank = model.constant(centres, HEAD)
    lengths = model.constant((-0.5 * (centres.astype(np.float64) ** 2).sum(1)).astype(np.float32), HEAD)
    parts = []
    for rows in strips(writing, y.height, _FLOAT * y.width * max(centres.shape)):
        value = taken(writing, vectors, 1, np.array(rows))
        near = model.apply("FULLY_CONNECTED", [value, bank, lengths], (*value.shape[:3], count), keepNumDims=True)
        found = []
        for place in range(operation.nearest):
            chosen, distance = distances(writing, value, bank, near)
            found.append(model.apply("SQRT", [distance], distance.shape))
            if place + 1 < operation.nearest:
                near = _without(writing, near, chosen)
        parts.append(_certain(writing, found))
    writing.put(y, joined(writing, parts, 1), step)


def _interpolated(writing: Writing, operation: CentreDistance, width: int) -> Value:
    """The vectors at all positions. They are linear, so products are taken at each piece's own resolution."""
    model, y = writing.model, operation.y
    shape = (1, y.height, y.width, width)
    size = model.constant(np.array([y.height, y.width], np.int32), HEAD)
    first, total = 0, None
    for piece in operation.pieces:
        matrix: Floats = operation.matrix[first : first + len(piece.channels)]
        first += len(piece.channels)
        value = whole(writing, piece)
        inputs = [value, model.constant(np.ascontiguousarray(matrix.T), HEAD), _zeros(writing, width)]
        value = model.apply("FULLY_CONNECTED", inputs, (*value.shape[:3], width), keepNumDims=True)
        if value.shape != shape:
            value = model.apply("RESIZE_BILINEAR", [value, size], shape, halfPixelCenters=True, alignCorners=False)
        total = value if total is None else model.apply("ADD", [total, value], shape)
    assert total is not None
    for line, broad in ((operation.along, (1, y.height, 1, width)), (operation.across, (1, 1, y.width, width))):
        total = model.apply("ADD", [total, model.constant(line.reshape(broad), HEAD)], shape)
    return total


def _zeros(writing: Writing, width: int) -> Value:
    return writing.model.constant(np.zeros(width, np.float32), HEAD)


def _without(writing: Writing, near: Value, chosen: Value) -> Value:
    """The values without the chosen centre at each position."""
    model, count = writing.model, near.shape[3]
    numbers = model.constant(np.arange(count, dtype=np.int32).reshape(1, 1, 1, -1), HEAD)
    shape = (*chosen.shape, 1)
    column = model.apply("RESHAPE", [chosen, model.constant(np.array(shape, np.int32), HEAD)], shape, dtype=np.int32)
    equal = model.apply("EQUAL", [numbers, column], near.shape, dtype=np.bool_)
    never = model.constant(np.full((1, 1, 1, 1), _NEVER, np.float32), HEAD)
    return model.apply("SELECT_V2", [equal, never, near], near.shape)


def _certain(writing: Writing, found: list[Value]) -> Value:
    """``d_1 / sum_k exp(d_1 - d_k)``."""
    model, nearest = writing.model, found[0]
    total = None
    for distance in found:
        power = model.apply("EXP", [model.apply("SUB", [nearest, distance], nearest.shape)], nearest.shape)
        total = power if total is None else model.apply("ADD", [total, power], nearest.shape)
    assert total is not None
    return model.apply("DIV", [nearest, total], nearest.shape)
