"""The inspected part of a photograph: a raster that is stretched over it, kept as text in the manifest."""

from __future__ import annotations

import base64
import binascii
import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError

MAX_SIDE = 1024
"""Longest side of the raster."""


@dataclass(frozen=True)
class Inspected:
    """A raster of H x W cells over a whole photograph.

    Attributes:
        height, width: H and W.
        bits: one bit for each cell, row by row, 1 for inspected cells; eight to a byte, the first one the highest; in
            base64.
    """

    height: int
    width: int
    bits: str

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Inspected:
        """Make it from (H, W) bool."""
        return cls(mask.shape[0], mask.shape[1], base64.b64encode(np.packbits(mask).tobytes()).decode("ascii"))

    @functools.cached_property
    def mask(self) -> NDArray[np.bool_]:
        """The raster as (H, W) bool.

        Raises:
            ArtifactError: there are not as many bits as cells.
        """
        try:
            packed = np.frombuffer(base64.b64decode(self.bits, validate=True), np.uint8)
        except (binascii.Error, ValueError):
            packed = np.empty(0, np.uint8)
        if len(packed) != -(-self.height * self.width // 8):
            raise ArtifactError("its manifest is damaged: manifest.geometry.inspected has not as many bits as cells")
        return np.unpackbits(packed, count=self.height * self.width).reshape(self.height, self.width).astype(np.bool_)

    @property
    def share(self) -> float:
        """Share of the photograph that is inspected, in [0, 1]."""
        return float(self.mask.mean())

    def wrong(self) -> bool:
        """Whether the values are impossible."""
        if not (1 <= self.height <= MAX_SIDE and 1 <= self.width <= MAX_SIDE):
            return True
        return not self.mask.any()

    def sampled(
        self, rows: NDArray[np.int64], columns: NDArray[np.int64], height: int, width: int
    ) -> NDArray[np.bool_]:
        """The cells at the centres of some rows and columns of a photograph resized to height x width. Places outside
        of it get the nearest cell."""
        down, across = (
            np.clip((2 * places + 1) * cells // (2 * length), 0, cells - 1)
            for places, cells, length in ((rows, self.height, height), (columns, self.width, width))
        )
        return self.mask[np.ix_(down, across)]
