"""Heads in plain ONNX operators of fixed shapes."""

from __future__ import annotations

import numpy as np

from flawspot.export.fixed.graph import FixedGraph
from flawspot.export.head_operations import (
    CentreDistance,
    DirectionDistance,
    GaussianDistance,
    Level,
    MapProduct,
    NearestNeighbour,
)
from flawspot.export.reading.centres import linear_weights
from flawspot.export.tensors import Table

_TINY = 1e-12


def direction(graph: FixedGraph, head: DirectionDistance) -> None:
    """Half the squared distance of two directions at each place: (1, 1, h, w)."""
    sides = []
    for tensor, units in ((head.a, head.a_units), (head.b, head.b_units)):
        x = graph.floats(tensor, units)
        length = graph.node("Sqrt", _total(graph, graph.node("Mul", x, x)))
        sides.append(graph.node("Div", x, graph.node("Max", length, graph.constant(_TINY))))
    difference = graph.node("Sub", *sides)
    total = _total(graph, graph.node("Mul", difference, difference))
    graph.give(head.y, graph.node("Mul", total, graph.constant(0.5)))


def gaussian(graph: FixedGraph, head: GaussianDistance) -> None:
    """``|W (v - mean)|`` at each place."""
    side = head.y.height
    channels = sum(len(piece.channels) for piece in head.pieces)
    flat = graph.node("Reshape", graph.vectors(head.pieces, side), graph.wholes(1, channels, side * side))
    centred = graph.node("Sub", flat, graph.table(head.mean))
    if head.scale is not None:
        scaled = graph.node("Mul", centred, graph.table(head.scale))
    else:
        column = graph.node("Transpose", centred, perm=[2, 1, 0])  # (P, channels, 1)
        scaled = _banded(graph, head.bands, column, channels)
    squared = graph.node("Mul", scaled, scaled)
    distance = graph.node("Sqrt", graph.node("ReduceSum", squared, graph.wholes(1), keepdims=1))
    graph.give(head.y, graph.node("Reshape", distance, graph.wholes(1, 1, side, side)))


def _banded(graph: FixedGraph, bands: tuple[Table, ...], column: str, channels: int) -> str:
    """(P, channels, 1) times each band of rows, joined: (P, rows, 1)."""
    results = []
    for band in bands:
        reach = band.numbers.shape[2]
        part = column
        if reach < channels:
            part = graph.node("Slice", column, graph.wholes(0), graph.wholes(reach), graph.wholes(1))
        results.append(graph.node("MatMul", graph.table(band), part))
    return results[0] if len(results) == 1 else graph.node("Concat", *results, axis=1)


def nearest(graph: FixedGraph, head: NearestNeighbour) -> None:
    """The distance to the nearest row of a bank at each place. All rows are compared, and the nearest one again,
    exactly."""
    grid = head.y.height
    vectors = [_places(graph, level) for level in head.levels]
    distances, above = "", 0
    for level, vector in zip(reversed(head.levels), reversed(vectors), strict=True):
        own = _compared(graph, level, vector)
        if distances:
            assert level.parents is not None
            spread = graph.node("Gather", distances, graph.wholes(*_finer(above, level.grid)), axis=0)
            own = graph.node("Add", own, graph.node("Gather", spread, graph.wholes(*level.parents), axis=1))
        distances, above = own, level.grid
    index = graph.node("ArgMin", distances, axis=1, keepdims=0)
    total = ""
    for level, vector in zip(head.levels, vectors, strict=True):
        if level.grid != grid:
            vector = graph.node("Gather", vector, graph.wholes(*_finer(level.grid, grid)), axis=0)
        rows = graph.node("Gather", graph.table(level.rows), index, axis=0)
        difference = graph.node("Sub", vector, rows)
        squared = graph.node("Mul", difference, difference)
        part = graph.node("ReduceSum", squared, graph.wholes(1), keepdims=0)
        total = graph.node("Add", total, part) if total else part
        if level.parents is not None:
            index = graph.node("Gather", graph.constant(level.parents, np.int64), index, axis=0)
    graph.give(head.y, graph.node("Reshape", graph.node("Sqrt", total), graph.wholes(1, 1, grid, grid)))


def _places(graph: FixedGraph, level: Level) -> str:
    """(P, C): a level's vectors, relative to its mean."""
    channels, places = level.rows.numbers.shape[1], level.grid**2
    found = graph.node("Reshape", graph.vectors(level.pieces, level.grid), graph.wholes(channels, places))
    turned = graph.node("Transpose", found, perm=[1, 0])
    return graph.node("Sub", turned, graph.constant(level.mean.reshape(1, -1)))


def _compared(graph: FixedGraph, level: Level, vector: str) -> str:
    """(P, R): squared distances to all rows, without the vector's own square, which is the same for all."""
    lengths = (level.rows.values().astype(np.float64) ** 2).sum(1)
    doubled = graph.node("Mul", vector, graph.constant(-2.0))
    product = graph.node("MatMul", doubled, graph.table(level.rows, (1, 0)))
    return graph.node("Add", product, graph.constant(lengths.reshape(1, -1)))


def _finer(coarse: int, fine: int) -> list[int]:
    """For each place of a grid, the place of a coarser grid that contains it."""
    along = np.arange(fine) * coarse // fine
    found: list[int] = (along[:, None] * coarse + along[None]).ravel().tolist()
    return found


def centres(graph: FixedGraph, head: CentreDistance) -> None:
    """The distance to the nearest centre, times the certainty of that centre."""
    grid, places = head.y.height, head.y.height * head.y.width
    vectors = []
    for piece in head.pieces:
        x = graph.chosen(piece)
        if (piece.x.height, piece.x.width) != (grid, grid):
            rows = graph.constant(linear_weights(grid, piece.x.height))
            columns = graph.constant(np.ascontiguousarray(linear_weights(grid, piece.x.width).T))
            x = graph.node("MatMul", graph.node("MatMul", rows, x), columns)
        vectors.append(x)
    channels = sum(len(piece.channels) for piece in head.pieces)
    joined = vectors[0] if len(vectors) == 1 else graph.node("Concat", *vectors, axis=1)
    turned = graph.node("Transpose", graph.node("Reshape", joined, graph.wholes(channels, places)), perm=[1, 0])
    queries = graph.node("MatMul", turned, graph.constant(head.matrix))
    where = (head.along[:, None] + head.across[None]).reshape(places, -1)
    queries = graph.node("Add", queries, graph.constant(where))
    stored = head.centres.values()
    width = stored.shape[1]
    product = graph.node("MatMul", graph.node("Mul", queries, graph.constant(-2.0)), graph.table(head.centres, (1, 0)))
    lengths = (stored.astype(np.float64) ** 2).sum(1).reshape(1, -1)
    compared = graph.node("Add", product, graph.constant(lengths))
    values, index = f"least_{len(graph.nodes)}", f"places_{len(graph.nodes)}"
    graph.several("TopK", (compared, graph.wholes(head.nearest)), (values, index), axis=1, largest=0, sorted=1)
    rows = graph.node("Gather", graph.table(head.centres), index, axis=0)  # (P, K, D)
    difference = graph.node("Sub", graph.node("Reshape", queries, graph.wholes(places, 1, width)), rows)
    squared = graph.node("Mul", difference, difference)
    distances = graph.node("Sqrt", graph.node("ReduceSum", squared, graph.wholes(2), keepdims=0))
    first = graph.node("Slice", distances, graph.wholes(0), graph.wholes(1), graph.wholes(1))
    soft = graph.node("Softmax", graph.node("Neg", distances), axis=1)
    certain = graph.node("Slice", soft, graph.wholes(0), graph.wholes(1), graph.wholes(1))
    graph.give(head.y, graph.node("Reshape", graph.node("Mul", first, certain), graph.wholes(1, 1, grid, grid)))


def product(graph: FixedGraph, head: MapProduct, names: tuple[str, str]) -> None:
    """The map, (1, S, S), and its maximum, (1,), under these names."""
    whole = ""
    for factor in head.factors:
        rows = graph.constant(factor.rows)
        columns = graph.constant(np.ascontiguousarray(factor.columns.T))
        enlarged = graph.node("MatMul", graph.node("MatMul", rows, graph.floats(factor.x)), columns)
        whole = graph.node("Mul", whole, enlarged) if whole else enlarged
    size = head.y.height
    graph.node("Reshape", whole, graph.wholes(1, size, size), result=names[0])
    graph.node("ReduceMax", names[0], result=names[1], axes=[1, 2], keepdims=0)


def _total(graph: FixedGraph, values: str) -> str:
    return graph.node("ReduceSum", values, graph.wholes(1), keepdims=1)
