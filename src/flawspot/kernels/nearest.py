"""The distance of each patch to its nearest neighbour in a memory bank, exact, as a torch module for the graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHUNK = 2048
"""Rows of the bank compared at once: bounds the distance matrix at 3,136 x 2,048 x 4 bytes = 26 MB an image."""


class NearestNeighbour(nn.Module):
    """Exact nearest-neighbour search by matrix products over chunks of the bank.

    ``argmin |q - b|^2 = argmin |b|^2 - 2 q.b``; the distance itself is then computed from the winner's difference, not
    from the expanded square, which loses its digits where the distance is small against the norms.
    """

    bank: Tensor

    def __init__(self, bank: Tensor, chunk: int = CHUNK) -> None:
        super().__init__()
        if bank.ndim != 2 or not len(bank):
            raise ValueError(f"a bank is (M, C) with M > 0, not {tuple(bank.shape)}")
        self.register_buffer("bank", bank)
        self.chunk = chunk

    def forward(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """(Q, C) -> distances (Q,) and indices into the bank (Q,)."""
        best = index = None
        for start in range(0, len(self.bank), self.chunk):
            part = self.bank[start : start + self.chunk]
            partial = (part * part).sum(1) - 2 * queries @ part.T  # (Q, chunk)
            nearest = partial.argmin(1)  # (Q,)
            squared = (queries - part[nearest]).square().sum(1)
            if best is None or index is None:
                best, index = squared, nearest
            else:
                closer = squared < best
                best = torch.where(closer, squared, best)
                index = torch.where(closer, nearest + start, index)
        assert best is not None and index is not None  # the bank has rows
        return best.sqrt(), index
