"""Feature maps of a set of photographs, as methods see them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.backbones.block_list import BlockList
from flawspot.methods.shapes import Shapes


@dataclass(frozen=True)
class FeatureSet:
    """What the frozen backbone makes of N photographs.

    Attributes:
        backbone: the network that made them, for methods that train a student of the same architecture.
        taps: the layers that the detector looks at.
        input_size: side S of the square the photographs were resized to.
        maps: {layer: (M, C, H, W)}, for every layer the method asked for in `Method.required`; float32 or float16, in
            memory or mapped from a file: read it through `batch`. Layer `flawspot.backbones.block_list.INPUT` is the
            normalised photograph.
        rows: which of the M stored images these N are, in order; None for all.
    """

    backbone: BlockList
    taps: tuple[int, ...]
    input_size: int
    maps: Mapping[int, NDArray[np.floating]]
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.maps.values())) if self.rows is None else self.rows)

    @functools.cached_property
    def shapes(self) -> Shapes:
        """The same without its numbers."""
        maps = {layer: (m.shape[1], m.shape[2], m.shape[3]) for layer, m in self.maps.items()}
        return Shapes(self.backbone.name, self.taps, maps, self.input_size, len(self))

    def batch(self, layer: int, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """The maps of `layer` of some of the images: (B, C, H, W) float32, a copy or a view not to be written to.

        From a feature cache it is channels-last in memory, so that torch takes it as such without a copy.
        """
        stored = self.maps[layer]
        selected = stored[rows] if self.rows is None else stored[self.rows[rows]]
        selected = selected.astype(np.float32, copy=False)
        # torch warns of arrays that it could write to and must not, such as views of a file.
        return selected if selected.flags.writeable else selected.copy("K")
