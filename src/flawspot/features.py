"""Feature maps of a set of photographs, as methods see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.backbones.block_list import BlockList


@dataclass(frozen=True)
class FeatureSet:
    """What the frozen backbone makes of N photographs.

    Attributes:
        backbone: the network that made them, for methods that train a student of the same architecture.
        taps: the layers that the detector looks at.
        input_size: side S of the square the photographs were resized to.
        maps: {layer: (N, C, H, W) float32}, for every layer the method asked for in `Method.required`. Layer
            `flawspot.backbones.block_list.INPUT` is the normalised photograph.
    """

    backbone: BlockList
    taps: tuple[int, ...]
    input_size: int
    maps: Mapping[int, NDArray[np.float32]]

    def __len__(self) -> int:
        return len(next(iter(self.maps.values())))

    @property
    def channels(self) -> int:
        """Of all taps together."""
        return sum(self.maps[tap].shape[1] for tap in self.taps)

    @property
    def grid(self) -> int:
        """The side of the finest tap's map."""
        return max(int(self.maps[tap].shape[2]) for tap in self.taps)
