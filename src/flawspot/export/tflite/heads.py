"""Heads, which turn features into a map, in TensorFlow Lite operators on floats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flawspot.export.head_operations import (
    DirectionDistance,
    Enlarged,
    GaussianDistance,
    MapProduct,
    NearestNeighbour,
    Piece,
)
from flawspot.export.tensors import Floats
from flawspot.export.tflite.layers import Writing
from flawspot.export.tflite.model import Value
from flawspot.export.tflite.vectors import HEAD, distances, joined, squares, strips, vectors

MAP, SCORE = "anomaly_map", "score"
_FLOAT = 4


def write_direction(writing: Writing, operation: DirectionDistance, step: int) -> None:
    """Half the squared length of the difference of two directions."""
    a, y = operation.a, operation.y
    channels = np.arange(a.channels)
    sides = [Piece(operation.a, channels, 1, operation.a_units), Piece(operation.b, channels, 1, operation.b_units)]
    model, parts = writing.model, []
    for rows in strips(writing, y.height, _FLOAT * y.width * a.channels):
        read = [vectors(writing, [side], y.height, y.width, rows) for side in sides]
        directions = [model.apply("L2_NORMALIZATION", [value], value.shape) for value in read]
        parts.append(squares(writing, model.apply("SQUARED_DIFFERENCE", directions, read[0].shape)))
    half = model.constant(np.full((1, 1, 1), 0.5, np.float32), HEAD)
    value = joined(writing, parts, 1)
    writing.put(y, model.apply("MUL", [value, half], value.shape), step)


def write_gaussian(writing: Writing, operation: GaussianDistance, step: int) -> None:
    """The length of the whitened difference from the mean at each position."""
    model, y = writing.model, operation.y
    count = len(operation.mean.numbers)
    mean, scale = operation.mean.values().T, None
    if operation.scale is not None:
        scale = operation.scale.values().T
    bands = [band.values() for band in operation.bands]
    parts = []
    for rows in strips(writing, y.height, _FLOAT * y.width * count):
        places = slice(rows.start * y.width, rows.stop * y.width)
        shape = (1, len(rows), y.width, count)
        value = vectors(writing, operation.pieces, y.height, y.width, rows)
        value = model.apply("SUB", [value, model.constant(mean[places].reshape(shape), HEAD)], shape)
        if scale is not None:
            value = model.apply("MUL", [value, model.constant(scale[places].reshape(shape), HEAD)], shape)
        else:
            value = _whitened(writing, value, [band[places] for band in bands])
        parts.append(squares(writing, model.apply("SQUARE", [value], value.shape)))
    value = joined(writing, parts, 1)
    writing.put(y, model.apply("SQRT", [value], value.shape), step)


def _whitened(writing: Writing, value: Value, bands: Sequence[Floats]) -> Value:
    """Multiply with a triangular matrix band by band. A band reads only the part of the vector that it needs."""
    model = writing.model
    places, count = int(np.prod(value.shape[:3])), value.shape[3]
    flat = _reshaped(writing, value, (places, 1, count))
    parts = []
    for band in bands:
        read, (rows, columns) = flat, band.shape[1:]
        if columns < count:
            ends = [np.zeros(3, np.int32), np.array([places, 1, columns], np.int32)]
            read = model.apply("SLICE", [flat, *(model.constant(end, HEAD) for end in ends)], (places, 1, columns))
        matrix = model.constant(np.ascontiguousarray(band, np.float32), HEAD)
        parts.append(model.apply("BATCH_MATMUL", [read, matrix], (places, 1, rows), adjX=False, adjY=True))
    return _reshaped(writing, joined(writing, parts, 2), value.shape)


def write_nearest(writing: Writing, operation: NearestNeighbour, step: int) -> None:
    """The row with the largest ``v row - |row|^2 / 2`` is the nearest. Its distance is computed from the difference.

    Rows that share their coarser parts are written out in full.
    """
    model, y = writing.model, operation.y
    rows_of_bank = [level.rows.values() for level in operation.levels]
    taken = np.arange(len(rows_of_bank[0]))
    stacked = [rows_of_bank[0]]
    for place, level in enumerate(operation.levels[:-1]):
        assert level.parents is not None
        taken = level.parents[taken]
        stacked.append(rows_of_bank[place + 1][taken])
    bank = np.concatenate(stacked, axis=1)
    mean = np.concatenate([level.mean for level in operation.levels]).astype(np.float32).reshape(1, 1, 1, -1)
    pieces = [piece for level in operation.levels for piece in level.pieces]
    lengths = (-0.5 * (bank.astype(np.float64) ** 2).sum(1)).astype(np.float32)
    parts = []
    for rows in strips(writing, y.height, _FLOAT * y.width * max(bank.shape) // 2):  # so that less is in memory at once
        value = vectors(writing, pieces, y.height, y.width, rows)
        value = model.apply("SUB", [value, model.constant(mean, HEAD)], value.shape)
        inputs = [value, model.constant(bank, HEAD), model.constant(lengths, HEAD)]
        near = model.apply("FULLY_CONNECTED", inputs, (*value.shape[:3], len(bank)), keepNumDims=True)
        parts.append(distances(writing, value, inputs[1], near)[1])
    found = joined(writing, parts, 1)
    writing.put(y, model.apply("SQRT", [found], found.shape), step)


def write_product(writing: Writing, operation: MapProduct) -> None:
    """The map, in strips of rows, and its maximum. These are the model's outputs."""
    model, size = writing.model, operation.y.width
    turned = [_turned(writing, writing.values[factor.x.name]) for factor in operation.factors]
    parts = []
    for rows in strips(writing, operation.y.height, _FLOAT * size):
        found = [_enlarged(writing, *each, rows) for each in zip(operation.factors, turned, strict=True)]
        value = found[0]
        for other in found[1:]:
            value = model.apply("MUL", [value, other], value.shape)
        parts.append(value)
    value = joined(writing, parts, 1)
    model.output(value, MAP)
    axes = model.constant(np.array([1, 2], np.int32), HEAD)
    model.output(model.apply("REDUCE_MAX", [value, axes], (1,), keepDims=False), SCORE)


def _turned(writing: Writing, value: Value) -> Value:
    order = writing.model.constant(np.array([0, 2, 1], np.int32), HEAD)
    return writing.model.apply("TRANSPOSE", [value, order], (1, value.shape[2], value.shape[1]))


def _enlarged(writing: Writing, factor: Enlarged, turned: Value, rows: range) -> Value:
    """Some rows of ``rows @ x @ columns^T``."""
    model, count = writing.model, len(rows)
    matrices: list[NDArray[np.float32]] = [factor.rows[rows.start : rows.stop][None], factor.columns[None]]
    left, right = (model.constant(each, HEAD) for each in matrices)
    half = model.apply("BATCH_MATMUL", [left, turned], (1, count, factor.x.width), adjX=False, adjY=True)
    return model.apply("BATCH_MATMUL", [half, right], (1, count, len(factor.columns)), adjX=False, adjY=True)


def _reshaped(writing: Writing, value: Value, shape: Sequence[int]) -> Value:
    inputs = [value, writing.model.constant(np.array(shape, np.int32), HEAD)]
    return writing.model.apply("RESHAPE", inputs, shape, newShape=list(shape))
