"""Tiles of a canvas, and their maps as one map without seams."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.runtime.view import View


def cut(canvas: Tensor, view: View) -> Tensor:
    """(N, ..., H, W) of the canvas -> (N * T, ..., height, width), the tiles of each photograph in order."""
    if view.tiles == 1:
        return canvas
    tiles = [canvas[..., top : top + view.height, left : left + view.width] for top, left in view.origins]
    return torch.stack(tiles, 1).flatten(0, 1)


class Blend(nn.Module):
    """(N * T, height, width) -> (N, H, W): where tiles overlap, the weight changes linearly from one to the other.

    A tile's values have the smallest weight at its border, where the network sees the least context.
    """

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view
        for name, overlap in zip(("down", "across"), view.overlap, strict=True):
            self.register_buffer(name, (torch.arange(overlap) + 1) / (overlap + 1))

    def forward(self, maps: Tensor) -> Tensor:
        """(N * T, height, width) -> (N, H, W)."""
        view = self.view
        if view.tiles == 1:
            return maps
        tiles = maps.reshape(-1, view.rows, view.columns, view.height, view.width)
        rows = [tiles[:, row] for row in range(view.rows)]  # (N, columns, height, width) each
        down = self.get_buffer("down")[:, None]
        whole = _joined(rows, down, 2)  # (N, columns, H, width)
        columns = [whole[:, column] for column in range(view.columns)]  # (N, H, width) each
        return _joined(columns, self.get_buffer("across"), 2)


def _joined(parts: Sequence[Tensor], ramp: Tensor, dim: int) -> Tensor:
    """Parts that overlap along `dim` as one; `ramp` is the weight of the later one."""
    overlap = ramp.numel()
    if not overlap:
        return torch.cat(list(parts), dim)
    pieces = []
    for number, part in enumerate(parts):
        length = part.shape[dim]
        begin, end = overlap if number else 0, length - (overlap if number < len(parts) - 1 else 0)
        if number:
            last = parts[number - 1]
            before = last.narrow(dim, length - overlap, overlap)
            pieces.append(before + ramp * (part.narrow(dim, 0, overlap) - before))
        if begin < end:
            pieces.append(part.narrow(dim, begin, end - begin))
    return torch.cat(pieces, dim)


def tiles_at_once(tiles: int, wanted: int, parts: int) -> int:
    """Number of tiles to process together: `wanted`, or more if that would give more than `parts` parts."""
    return min(tiles, max(wanted, -(-tiles // parts)))


class InsideTiles:
    """Which pixels of the tiles of stored photographs are inspected.

    Args:
        view: the view of the photographs.
        sizes: (width, height) of each photograph.
    """

    def __init__(self, view: View, sizes: Sequence[tuple[int, int]]) -> None:
        self._view, self._sizes = view, sizes
        self._known: dict[tuple[int, int], NDArray[np.bool_]] = {}

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(B,) rows of tiles -> (B, height, width)."""
        return np.stack([self._tiles(self._sizes[row // self._view.tiles])[row % self._view.tiles] for row in rows])

    def _tiles(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        if size not in self._known:
            inside = self._view.inside(size)
            self._known[size] = self._view.tiled(np.ones(self._view.canvas, np.bool_) if inside is None else inside)
        return self._known[size]


def inside_tiles(view: View, sizes: Sequence[tuple[int, int]]) -> InsideTiles | None:
    """The inspected pixels of tiles; None if everything is inspected."""
    return InsideTiles(view, sizes) if any(view.inside(size) is not None for size in set(sizes)) else None
