"""Feature maps of a set of photographs, as input of methods."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flawspot.backbones.block_list import BlockList
from flawspot.errors import DataError
from flawspot.methods.covering import cells_inside
from flawspot.methods.shapes import Shapes, Size

_AT_ONCE = 16
"""Number of maps that are processed together."""


def tile_rows(rows: NDArray[np.int64], tiles: int) -> NDArray[np.int64]:
    """Rows of photographs -> rows of their tiles."""
    return (rows[:, None] * tiles + np.arange(tiles)).ravel()


class Inside(Protocol):
    """The inspected pixels of the network's input."""

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(B,) rows of the stored maps, or tiles of photographs -> (B, height, width)."""


@dataclass(frozen=True)
class FeatureSet:
    """The frozen backbone's features of N photographs, or of their tiles.

    Attributes:
        backbone: the network that made them, for methods that train a student with the same architecture.
        taps: the layers that the detector uses.
        input_size: size of the network's input in pixels: resized photographs, or their tiles.
        maps: {layer: (M T, C, H, W)}, for every layer in `Method.required`; float32 or float16, in memory or mapped
            from a file. Read it through `batch`. Layer `flawspot.backbones.block_list.INPUT` is the normalised
            photograph.
        rows: which of the M T stored maps these N T are, in order; None for all.
        tiles: T, the number of tiles of each photograph: row n T + t is tile t of photograph n, here and in `maps`.
        inside: the inspected pixels of each stored map; None if all are.
        pasted: features of some of the photographs with pasted defects, for a method that needs them
            (`flawspot.methods.base.Method.pasted_photographs`); else None.
        turned: features of the same photographs rotated by so many quarter turns, anticlockwise, for a method that
            needs them (`flawspot.methods.base.Method.turns`).
        copies: number of varied copies that each photograph is learned with, which are among the N.
    """

    backbone: BlockList
    taps: tuple[int, ...]
    input_size: Size
    maps: Mapping[int, NDArray[np.floating]]
    rows: NDArray[np.int64] | None = None
    tiles: int = 1
    inside: Inside | None = None
    pasted: PastedSet | None = None
    turned: Mapping[int, FeatureSet] = field(default_factory=dict)
    copies: int = 0

    def __len__(self) -> int:
        """N T."""
        return len(next(iter(self.maps.values())) if self.rows is None else self.rows)

    @functools.cached_property
    def shapes(self) -> Shapes:
        """The shapes of the features, without their numbers."""
        maps = {layer: (m.shape[1], m.shape[2], m.shape[3]) for layer, m in self.maps.items()}
        return Shapes(self.backbone.name, self.taps, maps, self.input_size, len(self), self.tiles, self.copies)

    def batch(self, layer: int, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """The maps of `layer` for some of the rows: (B, C, H, W) float32, a copy or a read-only view.

        From a feature cache it is channels-last in memory, so that torch can use it without a copy.
        """
        stored = self.maps[layer]
        selected = stored[rows] if self.rows is None else stored[self.rows[rows]]
        selected = selected.astype(np.float32, copy=False)
        # torch warns of read-only arrays, such as views of a file.
        return selected if selected.flags.writeable else selected.copy("K")

    def at(self, taps: tuple[int, ...], layers: tuple[int, ...]) -> FeatureSet:
        """The same photographs for a detector that compares `taps` and needs `layers`."""
        maps = {layer: self.maps[layer] for layer in layers if layer in self.maps}
        pasted = None if self.pasted is None else replace(self.pasted, features=self.pasted.features.at(taps, layers))
        turned = {quarters: own.at(taps, layers) for quarters, own in self.turned.items()}
        return replace(self, taps=taps, maps=maps, pasted=pasted, turned=turned)

    def of_photographs(self, rows: NDArray[np.int64]) -> FeatureSet:
        """The features of some of the N photographs, with the defects that were pasted on these."""
        own = tile_rows(rows, self.tiles)
        stored = own if self.rows is None else self.rows[own]
        pasted = None if self.pasted is None else self.pasted.on(np.unique(stored // self.tiles))
        turned = {quarters: each.of_photographs(rows) for quarters, each in self.turned.items()}
        return replace(self, rows=stored, pasted=pasted, turned=turned)

    def pixels(self, rows: slice | NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """(B, height, width): the inspected pixels of some of the rows; None if all are."""
        if self.inside is None:
            return None
        stored = np.arange(len(self), dtype=np.int64) if self.rows is None else self.rows
        return self.inside(stored[rows])

    def cells(self, grid: Size, rows: slice | NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """(B, grid height, grid width): for a map of some of the rows, the cells with an inspected pixel.

        None if all cells of all rows are inside; see `flawspot.methods.inside`.
        """
        pixels = self.pixels(rows)
        return None if pixels is None else cells_inside(pixels, grid)

    def check_inside(self) -> None:
        """Refuse photographs without any inspected pixel, from which nothing can be learned.

        Raises:
            DataError: no pixel of any photograph is inside.
        """
        if self.inside is None or not len(self):
            return
        if not any(np.any(self.pixels(slice(start, start + _AT_ONCE))) for start in range(0, len(self), _AT_ONCE)):
            raise DataError(NOTHING_INSIDE)


@dataclass(frozen=True)
class PastedSet:
    """The frozen backbone's features of P good photographs with pasted defects, or of their tiles.

    Attributes:
        features: features of the photographs with the defects.
        cover: (Q T, height, width) uint8 in the order of the stored maps: the defective share of each pixel of the
            network's input, in 255ths.
        photographs: (Q,) index of the stored good photograph on which each defect was pasted.
        pieces_from: (Q,) index of the stored good photograph that pieces may have come from.
    """

    features: FeatureSet
    cover: NDArray[np.uint8]
    photographs: NDArray[np.int64]
    pieces_from: NDArray[np.int64]

    def on(self, photographs: NDArray[np.int64]) -> PastedSet:
        """The ones on some of the stored photographs that show nothing of another photograph."""
        seen = np.isin(self.photographs, photographs) & np.isin(self.pieces_from, photographs)
        rows = tile_rows(np.flatnonzero(seen), self.features.tiles)
        return replace(self, features=replace(self.features, rows=rows))

    def covers(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """(B, height, width) coverage in [0, 1] for some of the rows of `features`."""
        stored = self.cover if self.features.rows is None else self.cover[self.features.rows]
        return stored[rows].astype(np.float32) / np.float32(255)


NOTHING_INSIDE = (
    "nothing of the photographs to learn from lies in the region of interest: make it larger, or check that it is on "
    "the product"
)
