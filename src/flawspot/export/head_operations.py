"""What turns features into a map, as operations of the intermediate form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.export.tensors import Floats, Table, Tensor, Units


@dataclass(frozen=True)
class DirectionDistance:
    """``1/2 |a/|a| - b/|b||^2`` of the channels at each place: a map of one channel.

    Attributes:
        a_units, b_units: of tensors of codes whose channels have their own; None for others.
    """

    a: Tensor
    b: Tensor
    y: Tensor
    a_units: Units | None = None
    b_units: Units | None = None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What it reads."""
        return (self.a, self.b)

    @property
    def macs(self) -> int:
        """Multiply-accumulates: three products for each number."""
        return 3 * self.a.numbers


@dataclass(frozen=True)
class Piece:
    """Channels of a tensor, repeated over a finer grid: cell (i, j) of G x G reads row ``i * height // G``.

    Attributes:
        channels: (n,) indices; in the order in which they stand in the vector.
        window: 1, or 3: the mean of 3 x 3 places instead of one, with zeros beyond the border.
        units: of a tensor whose channels have their own; None for others.
    """

    x: Tensor
    channels: NDArray[np.int64]
    window: int = 1
    units: Units | None = None


@dataclass(frozen=True)
class GaussianDistance:
    """``|W (v - mean)|`` at each of P places, v being the vector of the `pieces` there.

    Attributes:
        mean: (d, P).
        scale: (d, P), of a diagonal W; None where there are bands.
        bands: (P, rows, columns) each: rows of a lower triangular W, as far as they are not zero.
    """

    pieces: tuple[Piece, ...]
    y: Tensor
    mean: Table
    scale: Table | None = None
    bands: tuple[Table, ...] = ()

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What it reads."""
        return tuple(piece.x for piece in self.pieces)

    @property
    def macs(self) -> int:
        """Multiply-accumulates: scaling or the triangle, and squaring."""
        banded = sum(band.numbers.size for band in self.bands)
        return banded + self.mean.numbers.size * (2 if self.scale is not None else 1)


@dataclass(frozen=True)
class Level:
    """What the tensors of one resolution add to the distance from a vector to the rows of a bank.

    Attributes:
        pieces: of the vector; `grid` x `grid` of them.
        mean: (C,), which is taken from each vector first; the rows are relative to it.
        rows: (R, C).
        parents: (R,) the row of the next coarser level that belongs to each; None for the coarsest.
    """

    pieces: tuple[Piece, ...]
    grid: int
    mean: Floats
    rows: Table
    parents: NDArray[np.int64] | None


@dataclass(frozen=True)
class NearestNeighbour:
    """The distance at each place of the finest grid to the nearest row of a bank, whose coarser parts are shared.

    The squared distance to a row of the finest level is the sum over the levels of ``|v - mean - row|^2``, with the
    row's parent in the next level, and so on. Each grid divides the next finer one.

    Attributes:
        levels: finest first; one where nothing is shared.
    """

    levels: tuple[Level, ...]
    y: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What it reads."""
        return tuple(piece.x for level in self.levels for piece in level.pieces)

    @property
    def macs(self) -> int:
        """Multiply-accumulates, where every row is compared."""
        return sum(level.grid**2 * level.rows.numbers.size for level in self.levels)


@dataclass(frozen=True)
class Enlarged:
    """``rows @ x @ columns^T``: a map of one channel enlarged and smoothed; rows and columns are (S, G) float32."""

    x: Tensor
    rows: Floats
    columns: Floats


@dataclass(frozen=True)
class MapProduct:
    """The anomaly map: the product of enlarged maps. Its maximum is the score."""

    factors: tuple[Enlarged, ...]
    y: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What it reads."""
        return tuple(factor.x for factor in self.factors)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of what is not zero in the matrices."""
        total = 0
        for factor in self.factors:
            total += int(np.count_nonzero(factor.rows)) * factor.x.width
            total += int(np.count_nonzero(factor.columns)) * len(factor.rows)
        return total + (len(self.factors) - 1) * self.y.numbers


@dataclass(frozen=True)
class CentreDistance:
    """The distance at each place to the nearest of some centres, times how certain that one is among the K nearest.

    With ``q = v @ matrix + along[row] + across[column]``, v being the vector of the interpolated `pieces`, and d_1 to
    d_K the smallest distances of q to a centre, it is ``d_1 / sum_k exp(d_1 - d_k)``.

    Attributes:
        pieces: of any resolution; interpolated linearly between the centres of their places.
        matrix: (C, D).
        along, across: (G, D).
        centres: (M, D).
        nearest: K.
    """

    pieces: tuple[Piece, ...]
    matrix: Floats
    along: Floats
    across: Floats
    centres: Table
    nearest: int
    y: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What it reads."""
        return tuple(piece.x for piece in self.pieces)

    @property
    def macs(self) -> int:
        """Multiply-accumulates, where every centre is compared whole."""
        return self.y.numbers * (self.matrix.size + self.centres.numbers.size)
