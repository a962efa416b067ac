"""Writes calls of the kernels that turn features into a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ExportError
from flawspot.export.c.codes import unit_tables
from flawspot.export.c.program import Program, number
from flawspot.export.head_operations import (
    CentreDistance,
    Enlarged,
    GaussianDistance,
    MapProduct,
    NearestNeighbour,
    Piece,
)
from flawspot.export.tensors import Floats, Quantization, Table

_PART = "head"
_MOST_ROWS = 65_535


def write_gaussian(program: Program, operation: GaussianDistance, step: int) -> None:
    """Place by place; the tables lie in that order."""
    pieces = _pieces(program, operation.pieces)
    vector = f"F32({program.scratch(step)})"
    mean = program.table(_PART, np.ascontiguousarray(operation.mean.values().T))
    arguments = (pieces, len(operation.pieces), operation.y.width, program.at(operation.y), vector, mean)
    if operation.scale is not None:
        program.call("gaussian_diagonal", *arguments, *_stored(program, np.ascontiguousarray(_kept(operation.scale).T)))
        return
    height = _band_height(operation)
    kept = [_kept(band) for band in operation.bands]
    if all(np.array_equal(each, each.astype(np.float16)) for each in kept):  # some may have been widened
        kept = [each.astype(np.float16) for each in kept]
    table = np.concatenate([each.reshape(operation.y.numbers, -1) for each in kept], axis=1)
    program.call("gaussian_full", *arguments, *_stored(program, table), height)


def _kept(table: Table) -> NDArray[Any]:
    """Numbers as halves if that is exact, else as floats."""
    return table.numbers if table.numbers.dtype == np.float16 else table.values()


def _stored(program: Program, numbers: NDArray[Any]) -> tuple[str, int]:
    """The table, and whether it holds halves."""
    return program.table(_PART, numbers), int(numbers.dtype == np.float16)


def _band_height(operation: GaussianDistance) -> int:
    """Rows of a band; each must be as wide as the rows up to its last."""
    height = int(operation.bands[0].numbers.shape[1])
    count = len(operation.mean.numbers)
    for place, band in enumerate(operation.bands):
        last = min((place + 1) * height, count)
        if band.numbers.shape[1:] != (last - place * height, last):
            raise ExportError("this detector has no C form yet: the matrices of its head are packed in another way")
    return height


def _pieces(program: Program, pieces: Sequence[Piece]) -> str:
    values = []
    for piece in pieces:
        chosen = program.table(_PART, piece.channels.astype(np.uint16))
        x, held = piece.x, piece.x.quantization
        place = f"{program.at(x)}, NULL, 0, 0" if held is None else f"NULL, {program.at(x)}, {_read_by(held)}"
        sizes = (x.height, x.width, x.channels, len(piece.channels), piece.window)
        held_as = (*sizes, chosen, *unit_tables(program, piece.units))
        values.append(f"{{{place}, {', '.join(map(str, held_as))}}}")
    return program.structure("piece", values, several=True)


def _read_by(held: Quantization) -> str:
    return f"{number(held.scale)}, {held.zero}"


def write_nearest(program: Program, operation: NearestNeighbour, step: int) -> None:
    """Compute cell by cell of the coarsest grid, and within it of the finer ones."""
    levels = []
    for level in operation.levels:
        whole = level.rows.numbers.dtype == np.int8
        rows, halves = _stored(program, level.rows.numbers if whole else _kept(level.rows))
        mean, steps = program.table(_PART, level.mean), "NULL"
        if level.rows.scale is not None:
            steps = program.table(_PART, level.rows.scale.ravel())
        parents = "NULL"
        if level.parents is not None:
            if level.parents.max() > _MOST_ROWS:
                raise ExportError(f"this detector has no C form: its bank has more than {_MOST_ROWS:,} rows")
            parents = program.table(_PART, level.parents.astype(np.uint16))
        numbers, channels = level.rows.numbers.shape
        pieces = _pieces(program, level.pieces)
        values = (pieces, len(level.pieces), level.grid, numbers, channels, mean, steps, rows, halves, parents)
        levels.append(f"{{{', '.join(map(str, values))}}}")
    table = program.structure("level", levels, several=True)
    scratch = f"F32({program.scratch(step)})"
    program.call("nearest", table, len(levels), scratch, program.at(operation.y))


def write_centres(program: Program, operation: CentreDistance, step: int) -> None:
    """Compute place by place. Each centre is compared unless a part of its components already shows it is too far."""
    bank, halves = _stored(program, _kept(operation.centres))
    tables = [program.table(_PART, table) for table in (operation.matrix, operation.along, operation.across)]
    pieces = (_pieces(program, operation.pieces), len(operation.pieces), operation.y.width)
    sizes = (*operation.matrix.shape, len(operation.centres.numbers), operation.nearest)
    how = program.structure("centres", (*pieces, *sizes, *tables, bank, halves))
    program.call(
        "centres", f"&{how}", f"F32({program.scratch(step)})", program.at(operation.y), function="nearest_centres"
    )


def write_product(program: Program, operation: MapProduct, step: int) -> None:
    """Write the anomaly map line by line, so that no factor of it is stored."""
    factors = [_factor(program, factor) for factor in operation.factors]
    table = program.structure("enlarged", factors, several=True)
    program.use("product")
    program.calls.append(f"return product({table}, {len(factors)}, F32({program.scratch(step)}), map);")


def _factor(program: Program, factor: Enlarged) -> str:
    first_row, rows = banded(factor.rows)
    first_column, columns = banded(factor.columns)
    tables = (
        program.table(_PART, first_row),
        program.table(_PART, first_column),
        program.table(_PART, rows),
        program.table(_PART, columns),
    )
    sizes = (factor.x.width, rows.shape[1], columns.shape[1])
    return f"{{{program.at(factor.x)}, {', '.join(map(str, (*sizes, *tables)))}}}"


def banded(matrix: Floats) -> tuple[NDArray[np.uint16], Floats]:
    """(S, G) -> (S,) the first non-zero column of each row, and (S, widest) the numbers from there on."""
    used = matrix != 0
    begins = used.argmax(1)
    ends = matrix.shape[1] - used[:, ::-1].argmax(1)
    widest = int((ends - begins).max())
    first = np.minimum(begins, matrix.shape[1] - widest)
    columns = first[:, None] + np.arange(widest)
    return first.astype(np.uint16), np.take_along_axis(matrix, columns, axis=1)
