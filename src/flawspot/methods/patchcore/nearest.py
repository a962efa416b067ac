"""The distance of each patch to its nearest neighbour in a memory bank, exact, as a torch module for the graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.methods.patchcore.nested_bank import NOTHING
from flawspot.methods.patchcore.product_quantizer import ProductQuantizer
from flawspot.methods.patchcore.stored_rows import squared_length, store, with_one
from flawspot.methods.shapes import Size

CHUNK = 2048
"""Rows of the bank compared at once. It bounds the distance matrix at 3,136 x 2,048 x 4 bytes = 26 MB for an image."""


class NearestNeighbour(nn.Module):
    """Exact nearest-neighbour search by matrix products over chunks of the bank, for any taps.

    ``argmin |q - b|^2 = argmin |b|^2 - 2 q.b``, relative to the bank's mean. The distance itself is then computed from
    the difference to the nearest row, because the expanded square loses digits if the distance is small against the
    norms. With a quantizer, the search is exact among the decoded patches.

    The interface is that of `hierarchical.HierarchicalSearch`, which gives the same result with less computation.
    """

    mean: Tensor

    def __init__(
        self,
        bank: NDArray[np.float32],
        grids: Sequence[Size],
        quantizer: ProductQuantizer | None = None,
        precision: str = "float32",
        *,
        chunk: int = CHUNK,
        room: float = 0.0,
    ) -> None:
        """Store the bank.

        Args:
            bank: (M, C), the taps' features of each patch one after the other, those of the finest grid first.
            grids: height and width of the taps' maps, each once, finest first.
            quantizer: if given, codes are stored instead of the patches.
            precision: precision of the stored patches, one of `stored_rows.PRECISIONS`.
            chunk: rows compared at once.
            room: free rows for later patches, as a share of the used ones.
        """
        super().__init__()
        if bank.ndim != 2 or not len(bank):
            raise ValueError(f"a bank is (M, C) with M > 0, not {tuple(bank.shape)}")
        mean = bank.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.grids, self.chunk = list(grids), chunk
        self.register_buffer("mean", torch.from_numpy(mean))
        free = np.full(math.ceil(room * len(bank)), NOTHING)
        self.rows = store(
            bank, np.concatenate([np.arange(len(bank)), free]), np.arange(bank.shape[1]), mean, quantizer, precision
        )

    def forward(self, maps: Mapping[Size, Tensor], cells: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Search.

        Args:
            maps: {grid: (N, C, *grid)}, the taps of that resolution concatenated over channels.
            cells: not used, because every patch takes the same computation.

        Returns:
            Distances (N, P) at the P positions of the finest grid, and the row of each patch's nearest member, (N, P)
            int64.
        """
        queries = self._queries(maps)
        flat = queries.reshape(-1, queries.shape[2])  # (N P, C)
        with_ones = with_one(flat)
        best = index = None
        for start in range(0, self.rows.count, self.chunk):
            partial = self.rows.partial(with_ones, start, min(start + self.chunk, self.rows.count))  # (Q, chunk)
            value, nearest = partial.amin(1), partial.argmin(1) + start  # (Q,)
            if best is None or index is None:
                best, index = value, nearest
            else:
                closer = value < best
                best, index = torch.where(closer, value, best), torch.where(closer, nearest, index)
        assert index is not None  # the bank has rows
        distance = squared_length(flat - self.rows.take(index)).sqrt()
        return distance.reshape(-1, queries.shape[1]), index.reshape(-1, queries.shape[1])

    def macs(self) -> float:
        """Multiply-accumulates for one photograph, counted."""
        positions = math.prod(self.grids[0])
        return self.rows.macs(positions) + positions * self.rows.channels

    def member_macs(self) -> float:
        """Multiply-accumulates of `distances_to_all` for one vector."""
        return self.rows.macs(1)

    def vectors(self, slot: Tensor) -> Tensor:
        """(N,) rows of the bank -> (N, C) patches relative to the mean."""
        return self.rows.take(slot)

    def query_vectors(self, maps: Mapping[Size, Tensor], position: Tensor) -> Tensor:
        """The patches at one position (N,) of each photograph, (N, C), in the form of `vectors`."""
        return self._queries(maps)[torch.arange(position.shape[0]), position]

    def distances_to_all(self, vectors: Tensor) -> Tensor:
        """(N, C) in the form of `vectors` -> (N, M) squared distances, minus the vector's own square."""
        return self.rows.partial(with_one(vectors), 0, self.rows.count)

    def _queries(self, maps: Mapping[Size, Tensor]) -> Tensor:
        """(N, P, C): coarse maps repeated over the finest grid, relative to the mean."""
        grid = self.grids[0]
        repeated = [maps[g] if g == grid else F.interpolate(maps[g], size=grid, mode="nearest") for g in self.grids]
        return torch.cat(repeated, dim=1).flatten(2).transpose(1, 2) - self.mean
