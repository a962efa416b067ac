"""Recognizes heads, which turn features into a map, by the structure of their operators."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from flawspot.export.form import Addition
from flawspot.export.head_operations import DirectionDistance, Enlarged, GaussianDistance
from flawspot.export.reading.centres import centre_distance
from flawspot.export.reading.neighbours import nearest_neighbour
from flawspot.export.reading.onnx_graph import Graph, Node
from flawspot.export.reading.pieces import PIECE_OPERATORS, pieces_of, standardised
from flawspot.export.reading.state import Reading
from flawspot.export.tensors import Table, Tensor

_TINY = 1e-10
"""A bound below which no length of a feature vector lies; it keeps a division from failing."""


def _product(state: Reading, node: Node) -> bool:
    """A product of two maps; or half a squared length, the end of a distance of directions."""
    if len(node.inputs) != 2:
        return False
    first, second = (state.products.get(name) for name in node.inputs)
    if first is not None and second is not None:
        state.products[node.outputs[0]] = first + second
        return True
    if state.in_units(node) or standardised(state, node):
        return True
    return _direction_distance(state, node) or centre_distance(state, node) or _multiple(state, node)


def _direction_distance(state: Reading, node: Node) -> bool:
    """``1/2 sum((a / max(|a|, tiny) - b / max(|b|, tiny))^2)`` over the channels."""
    graph = state.graph
    if graph.scalar(node, 1) != 0.5:
        return False
    total = graph.maker(node.inputs[0], "ReduceSum")
    if total is None or not _over_channels(graph, total):
        return False
    difference = graph.square_of(total.inputs[0])
    minus = None if difference is None else graph.maker(difference, "Sub")
    if minus is None:
        return False
    sides = [_direction(graph, name) for name in minus.inputs]
    first, second = (None if side is None else state.readable(side) for side in sides)
    if first is None or second is None:
        return False
    (a, a_units), (b, b_units) = first, second
    if (a.channels, a.height, a.width) != (b.channels, b.height, b.width):
        return False
    if (a.quantization is None) != (b.quantization is None):
        read = [state.floats(side) for side in sides if side is not None and side not in state.scaled]
        if len(read) < len(sides) or read[0] is None or read[1] is None:
            return False
        a, b = read[0], read[1]
    y = Tensor(node.outputs[0], 1, a.height, a.width)
    state.add(DirectionDistance(a, b, y, a_units, b_units), node.outputs[0])
    return True


def _sum_of_maps(state: Reading, node: Node) -> bool:
    """A sum of two maps of one channel, such as two students' distances."""
    a, b = (state.tensors.get(name) for name in node.inputs)
    if a is None or b is None or a.channels != 1 or a.quantization is not None or b.quantization is not None:
        return False
    if (a.channels, a.height, a.width) != (b.channels, b.height, b.width):
        return False
    state.add(Addition(a, b, Tensor(node.outputs[0], 1, a.height, a.width)), node.outputs[0])
    return True


def _multiple(state: Reading, node: Node) -> bool:
    """A map of one channel times a number. The number becomes part of the enlargement."""
    x, factor = state.tensors.get(node.inputs[0]), state.graph.scalar(node, 1)
    if x is None or x.channels != 1 or x.quantization is not None or factor is None:
        return False
    state.multiples[node.outputs[0]] = (x, factor)
    return True


def _direction(graph: Graph, name: str) -> str | None:
    """The value that is divided by its length."""
    quotient = graph.maker(name, "Div")
    if quotient is None:
        return None
    length = quotient.inputs[1]
    expand = graph.maker(length, "Expand")
    clip = graph.maker(length if expand is None else expand.inputs[0], "Clip")
    if clip is None or not 0 < (graph.scalar(clip, 1) or 0) < _TINY:
        return None
    norm = graph.maker(clip.inputs[0], "ReduceL2")
    if norm is None or norm.inputs[0] != quotient.inputs[0] or not _over_channels(graph, norm):
        return None
    return quotient.inputs[0]


def _over_channels(graph: Graph, node: Node) -> bool:
    return _axes(graph, node) == (1,)


def _axes(graph: Graph, node: Node) -> tuple[int, ...]:
    """The axes that a node reduces."""
    axes = graph.constant(node, 1)
    return node.wholes("axes", ()) if axes is None else tuple(axes.ravel().tolist())


def _enlarged(state: Reading, node: Node) -> bool:
    """``rows @ x`` and then ``@ columns^T``."""
    graph = state.graph
    rows, columns = graph.constant(node, 0), graph.constant(node, 1)
    size = state.input_size
    x, times = state.multiples.get(node.inputs[1], (state.tensors.get(node.inputs[1]), 1.0))
    if rows is not None and x is not None and x.channels == 1 and rows.shape == (size, x.height):
        state.halves[node.outputs[0]] = (x, (rows * times).astype(np.float32))
        return True
    half = state.halves.get(node.inputs[0])
    if half is not None and columns is not None and columns.shape == (half[0].width, size):
        factor = Enlarged(half[0], half[1], np.ascontiguousarray(columns.T.astype(np.float32)))
        state.products[node.outputs[0]] = (factor,)
        return True
    return False


def _gaussian(state: Reading, node: Node) -> bool:
    """The square root of the squared length of ``W (v - mean)`` at each position."""
    graph = state.graph
    turned = graph.maker(node.inputs[0], "Transpose")
    total = graph.maker(node.inputs[0] if turned is None else turned.inputs[0], "ReduceSum")
    whitened = None if total is None else graph.square_of(total.inputs[0])
    if whitened is None or total is None or _axes(graph, total) not in ((1,), (2,)):
        return False
    bands: tuple[Table, ...] = ()
    scaled = graph.maker(whitened, "Mul")
    scale = None if scaled is None else state.table(scaled.inputs[1])
    if scaled is not None and scale is not None:
        difference = scaled.inputs[0]
    else:
        read = _bands(state, whitened)
        if read is None:
            return False
        bands, difference = read
    minus = graph.maker(difference, "Sub")
    reshaped = None if minus is None else graph.maker(minus.inputs[0], "Reshape")
    mean = None if minus is None else state.table(minus.inputs[1])
    pieces = None if reshaped is None else pieces_of(state, reshaped.inputs[0])
    if mean is None or pieces is None or mean.numbers.ndim != 2:
        return False
    side = math.isqrt(mean.numbers.shape[1])
    if side * side != mean.numbers.shape[1] or sum(len(piece.channels) for piece in pieces) != len(mean.numbers):
        return False
    y = Tensor(node.outputs[0], 1, side, side)
    state.add(GaussianDistance(pieces, y, mean, scale, bands), node.outputs[0])
    return True


def _bands(state: Reading, name: str) -> tuple[tuple[Table, ...], str] | None:
    """The bands of a lower triangular matrix, and the vectors that they multiply: (P, d, N) after the bands, or
    (P, N, d) before transposed bands."""
    graph = state.graph
    joined = graph.maker(name, "Concat")
    names = (name,) if joined is None else joined.inputs
    bands: list[Table] = []
    vectors = None
    for each in names:
        product = graph.maker(each, "MatMul")
        band = None if product is None else state.table(product.inputs[0])
        behind = None if product is None or band is not None else state.table(product.inputs[1])
        if behind is not None and behind.scale is None and behind.numbers.ndim == 3:
            band = Table(np.ascontiguousarray(behind.numbers.swapaxes(1, 2)))
        if product is None or band is None or band.numbers.ndim != 3:
            return None
        vector = product.inputs[1 if behind is None else 0]
        part = graph.maker(vector, "Slice")
        if part is not None and (graph.scalar(part, 1), graph.scalar(part, 2)) != (0, band.numbers.shape[2]):
            return None
        vectors = vector if part is None else part.inputs[0]
        bands.append(band)
    turned = None if vectors is None else graph.maker(vectors, "Transpose")
    return None if turned is None else (tuple(bands), turned.inputs[0])


def _reshaped(state: Reading, node: Node) -> bool:
    """A map of one channel from a list of positions."""
    tensor = state.tensors.get(node.inputs[0])
    if tensor is None or tensor.channels != 1:
        return False
    state.tensors[node.outputs[0]] = tensor
    return True


def _rooted(state: Reading, node: Node) -> bool:
    """The square root at the end of a distance."""
    return _gaussian(state, node) or nearest_neighbour(state, node)


def _turned(state: Reading, node: Node) -> bool:
    """A reordering of positions from cell by cell, which the form does not need."""
    tensor = state.tensors.get(node.inputs[0])
    if tensor is None or tensor.channels != 1 or node.wholes("perm", ()) != (0, 1, 3, 2, 4):
        return False
    state.tensors[node.outputs[0]] = tensor
    return True


HEAD_OPERATORS: dict[str, Callable[[Reading, Node], bool]] = {
    "Mul": _product,
    "Add": _sum_of_maps,
    "MatMul": _enlarged,
    **PIECE_OPERATORS,
    "Sqrt": _rooted,
    "Reshape": _reshaped,
    "Transpose": _turned,
}
