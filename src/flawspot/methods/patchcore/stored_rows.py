"""Rows of a memory bank inside the graph, unchanged, rounded or product-quantized, and squared distances to them.

Queries have a one appended, ``(q, 1)``, and rows are stored as ``(-2 b, |b|^2)``. So one matrix product gives
``|b|^2 - 2 q.b``, the squared distance minus the query's own square.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.methods.patchcore.kept_rows import FAR, SMALLEST_STEP
from flawspot.methods.patchcore.product_quantizer import ProductQuantizer


class StoredRows(nn.Module):
    """R rows of C channels."""

    augmented: Tensor

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.count, self.channels = rows.shape
        self.register_buffer("augmented", _augmented(rows))

    def table(self, queries: Tensor) -> Tensor:
        """(K, C + 1) -> (R, K): distances, less the query's square."""
        return self.augmented @ queries.T

    def partial(self, queries: Tensor, start: int, stop: int) -> Tensor:
        """(K, C + 1) -> (K, stop - start): the same for some of the rows, queries first."""
        return queries @ self.augmented[start:stop].T

    def take_augmented(self, index: Tensor) -> Tensor:
        """(...) -> (..., C + 1)."""
        return take(self.augmented, index)

    def take(self, index: Tensor) -> Tensor:
        """(...) -> (..., C): the rows themselves."""
        return -0.5 * self.take_augmented(index)[..., :-1]

    def macs(self, queries: float) -> float:
        """Multiply-accumulates for the distances of `queries` queries to all rows, without the addition of norms."""
        return queries * self.count * self.channels


class RoundedRows(nn.Module):
    """The same interface for rows of ``float16``, or of ``int8`` with a step for each channel.

    Distances are those to the decoded rows, and so are the norms, which stay in float32.
    """

    rows: Tensor
    norms: Tensor
    steps: Tensor

    def __init__(self, rows: Tensor, precision: str) -> None:
        super().__init__()
        self.count, self.channels = rows.shape
        if precision == "int8":
            steps = rows.abs().amax(0).clamp(min=SMALLEST_STEP) / 127  # (C,)
            stored = (rows / steps).round().clamp(-127, 127).to(torch.int8)
            self.register_buffer("steps", steps)
        else:
            stored = rows.half()
        self.stepped = precision == "int8"
        self.register_buffer("rows", stored)
        self.register_buffer("norms", squared_length(self._decoded(stored))[:, None])

    def table(self, queries: Tensor) -> Tensor:
        """(K, C + 1) -> (R, K): distances, less the query's square."""
        return self._augmented(0, self.count) @ queries.T

    def partial(self, queries: Tensor, start: int, stop: int) -> Tensor:
        """(K, C + 1) -> (K, stop - start): the same for some of the rows, queries first."""
        return queries @ self._augmented(start, stop).T

    def take_augmented(self, index: Tensor) -> Tensor:
        """(...) -> (..., C + 1)."""
        return torch.cat([-2 * self.take(index), take(self.norms, index)], dim=-1)

    def take(self, index: Tensor) -> Tensor:
        """(...) -> (..., C): the decoded rows."""
        return self._decoded(take(self.rows, index))

    def macs(self, queries: float) -> float:
        """Multiply-accumulates for the distances of `queries` queries to all rows, and one for each decoded number."""
        return queries * self.count * self.channels + self.count * self.channels

    def _augmented(self, start: int, stop: int) -> Tensor:
        return torch.cat([-2 * self._decoded(self.rows[start:stop]), self.norms[start:stop]], dim=1)

    def _decoded(self, rows: Tensor) -> Tensor:
        return rows.float() * self.steps if self.stepped else rows.float()


class CodedRows(nn.Module):
    """The same interface for rows of a few bytes each; see `flawspot.methods.patchcore.product_quantizer`.

    Distances are sums of table entries, one from each subspace (asymmetric distance computation).
    """

    codes: Tensor

    def __init__(self, codes: Tensor, codebooks: Sequence[Tensor]) -> None:
        """Store.

        Args:
            codes: (R, m) uint8.
            codebooks: (K, C_s) for each subspace; the subspaces' channels follow one another.
        """
        super().__init__()
        self.count = len(codes)
        self.sizes = [codebook.shape[1] for codebook in codebooks]
        self.channels = sum(self.sizes)
        self.register_buffer("codes", codes)
        for number, codebook in enumerate(codebooks):
            self.register_buffer(f"codebook_{number}", _augmented(codebook))

    def table(self, queries: Tensor) -> Tensor:
        """(K, C + 1) -> (R, K): distances, less the query's square."""
        return self._sums(queries, 0, self.count)

    def partial(self, queries: Tensor, start: int, stop: int) -> Tensor:
        """(K, C + 1) -> (K, stop - start): the same for some of the rows, queries first."""
        return self._sums(queries, start, stop).T

    def take_augmented(self, index: Tensor) -> Tensor:
        """(...) -> (..., C + 1)."""
        decoded = [
            take(self._codebook(number), take(self.codes[:, number].int(), index)) for number in range(len(self.sizes))
        ]
        norm = functools.reduce(operator.add, [part[..., -1] for part in decoded])
        return torch.cat([*(part[..., :-1] for part in decoded), norm[..., None]], dim=-1)

    def take(self, index: Tensor) -> Tensor:
        """(...) -> (..., C): the decoded rows."""
        return -0.5 * self.take_augmented(index)[..., :-1]

    def macs(self, queries: float) -> float:
        """Multiply-accumulates for the tables of `queries` queries, and additions of their entries."""
        tables = sum(len(self._codebook(number)) * size for number, size in enumerate(self.sizes))
        return queries * (tables + self.count * len(self.sizes))

    def _sums(self, queries: Tensor, start: int, stop: int) -> Tensor:
        """(R', K): sums of table entries."""
        one, total, first = queries[:, -1:], None, 0
        for number, size in enumerate(self.sizes):
            piece = torch.cat([queries[:, first : first + size], one], dim=1)  # (K, C_s + 1)
            entries = take(self._codebook(number) @ piece.T, self.codes[start:stop, number].int())
            total = entries if total is None else total + entries
            first += size
        assert total is not None  # there are subspaces
        return total

    def _codebook(self, number: int) -> Tensor:
        return self.get_buffer(f"codebook_{number}")


Rows = StoredRows | RoundedRows | CodedRows
PRECISIONS = ("float32", "float16", "int8")


def store(
    bank: NDArray[np.float32],
    members: NDArray[np.int64],
    columns: NDArray[np.int64],
    mean: NDArray[np.float32],
    quantizer: ProductQuantizer | None = None,
    precision: str = "float32",
) -> Rows:
    """Some columns of some patches of a bank, relative to `mean`.

    Args:
        bank: (M, C).
        members: (R,) indices of the patches; below 0 for free rows, which are far from everything.
        columns: indices of the channels; with a quantizer those of whole subspaces.
        mean: (C,).
        quantizer: if given, codes are stored instead of the patches.
        precision: precision of the stored patches, one of `PRECISIONS`.
    """
    if quantizer is None:
        free = torch.from_numpy(members < 0)
        rows = torch.from_numpy(bank[members][:, columns] - mean[columns]).masked_fill(free[:, None], 0)
        stored = StoredRows(rows) if precision == "float32" else RoundedRows(rows, precision)
        norms = stored.augmented[:, -1] if isinstance(stored, StoredRows) else stored.norms[:, 0]
        norms[free] = FAR
        return stored
    held = [s for s, of_subspace in enumerate(quantizer.columns) if of_subspace[0] in columns]
    codebooks = [torch.from_numpy(quantizer.codebooks[s] - mean[quantizer.columns[s]]) for s in held]
    return CodedRows(torch.from_numpy(quantizer.encode(bank[members])[:, held]), codebooks)


def take(rows: Tensor, index: Tensor) -> Tensor:
    """(R, ...) and (I...) -> (I..., ...): rows by index, as one ONNX Gather, which also accepts small integers."""
    return rows.index_select(0, index.reshape(-1)).reshape(*index.shape, *rows.shape[1:])


def with_one(queries: Tensor) -> Tensor:
    """(..., C) -> (..., C + 1)."""
    return torch.cat([queries, torch.ones_like(queries[..., :1])], dim=-1)


def squared_length(vectors: Tensor) -> Tensor:
    """(..., C) -> (...). It uses a product, because ONNX Runtime takes several times as long for a power."""
    return (vectors * vectors).sum(-1)


def _augmented(rows: Tensor) -> Tensor:
    """(R, C) -> (R, C + 1): ``(-2 b, |b|^2)``."""
    return torch.cat([-2 * rows, squared_length(rows)[:, None]], dim=1)
