"""How a photograph is fitted to the network's input, and where the map is on the photograph.

A photograph is placed on a *canvas*, which is cut into tiles of the network's input size. The tiles' maps form the map
of the canvas. Without tiles the canvas is the input. Everything is in integers, so this module and the graph, which
does the same in ONNX operators, agree to the pixel.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ImageError
from flawspot.runtime.inspected import Inspected

FITS = ("squash", "pad", "crop")
"""``squash`` stretches the photograph over the canvas, as the papers do. ``pad`` and ``crop`` keep its proportions.
``pad`` shows the whole of it, with a border of the mean colour. ``crop`` fills the canvas, and cuts off both ends."""

MAX_TILES = 256
MAX_CANVAS = 1 << 25
"""Most pixels of a canvas."""


class Placement(NamedTuple):
    """Place of the whole photograph on the canvas, in its pixels. With ``crop`` it extends beyond the canvas."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class View:
    """How a detector sees a photograph.

    Attributes:
        height, width: size of the network's input, in pixels.
        fit: of `FITS`.
        rows, columns: the number of rows and columns of tiles.
        overlap: (down, across) overlap of neighbouring tiles, in pixels of the canvas; at most half a tile.
        inspected: the inspected part of the photograph; None for all of it.
    """

    height: int
    width: int
    fit: str = "squash"
    rows: int = 1
    columns: int = 1
    overlap: tuple[int, ...] = (0, 0)
    inspected: Inspected | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the network's input."""
        return self.height, self.width

    @property
    def tiles(self) -> int:
        """The number of tiles, counted row by row."""
        return self.rows * self.columns

    @property
    def canvas(self) -> tuple[int, int]:
        """(height, width) of the canvas, and of the map."""
        down, across = self.overlap
        return self.rows * (self.height - down) + down, self.columns * (self.width - across) + across

    @property
    def origins(self) -> list[tuple[int, int]]:
        """(top, left) of each tile on the canvas."""
        down, across = self.height - self.overlap[0], self.width - self.overlap[1]
        return [(row * down, column * across) for row in range(self.rows) for column in range(self.columns)]

    @property
    def plain(self) -> bool:
        """Whether photographs are squashed into one square and inspected everywhere, as in the papers."""
        return self == View(self.height, self.height)

    def wrong(self) -> bool:
        """Whether the values are impossible."""
        down, across = (*self.overlap, 0, 0)[:2]
        return (
            not (1 <= self.height <= 4096 and 1 <= self.width <= 4096)
            or self.fit not in FITS
            or min(self.rows, self.columns) < 1
            or self.rows > MAX_TILES
            or self.tiles > MAX_TILES
            or len(self.overlap) != 2
            or not (0 <= 2 * down <= self.height and 0 <= 2 * across <= self.width)
            or self.canvas[0] * self.canvas[1] > MAX_CANVAS
            or (self.inspected is not None and self.inspected.wrong())
        )

    def placed(self, image_size: tuple[int, int]) -> Placement:
        """Place of a photograph of (width, height) pixels."""
        wide, high = image_size
        height, width = self.canvas
        if self.fit == "squash":
            return Placement(0, 0, height, width)
        as_high = (2 * high * width + wide) // (2 * wide)  # its height if it is as wide as the canvas, rounded
        as_wide = (2 * wide * height + high) // (2 * high)
        if self.fit == "pad":
            tall, broad = max(min(height, as_high), 1), max(min(width, as_wide), 1)
            return Placement((height - tall) // 2, (width - broad) // 2, tall, broad)
        tall, broad = max(height, as_high), max(width, as_wide)
        return Placement(-((tall - height) // 2), -((broad - width) // 2), tall, broad)

    def reduced(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) that a large photograph of (width, height) may be resized to beforehand. The graph makes the
        same of it as of the photograph itself."""
        place = self.placed(image_size)
        return place.width, place.height

    def over_photograph(self, anomaly_map: NDArray[np.float32], image_size: tuple[int, int]) -> NDArray[np.float32]:
        """Convert the map of the canvas to a map over exactly the whole photograph of (width, height). It is 0 where
        the photograph was cut off."""
        place = self.placed(image_size)
        if place == (0, 0, *anomaly_map.shape):
            return anomaly_map
        if self.fit == "pad":
            return anomaly_map[place.top : place.top + place.height, place.left : place.left + place.width]
        whole = np.zeros((place.height, place.width), np.float32)
        height, width = anomaly_map.shape
        whole[-place.top : height - place.top, -place.left : width - place.left] = anomaly_map
        return whole

    def inside(self, image_size: tuple[int, int]) -> NDArray[np.bool_] | None:
        """(H, W) of the canvas: the places that show an inspected part of a photograph of (width, height); None if all
        do."""
        place = self.placed(image_size)
        rows, columns = (
            np.arange(length) - first for length, first in zip(self.canvas, (place.top, place.left), strict=True)
        )
        within = ((rows >= 0) & (rows < place.height))[:, None] & ((columns >= 0) & (columns < place.width))
        if self.inspected is None:
            return None if within.all() else within
        return np.asarray(within & self.inspected.sampled(rows, columns, place.height, place.width))

    def tiled(self, canvas: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(H, W) of the canvas -> (T, height, width)."""
        return np.stack([canvas[top : top + self.height, left : left + self.width] for top, left in self.origins])

    def not_inspected(self, image_size: tuple[int, int]) -> NDArray[np.bool_] | None:
        """(H, W) over the whole photograph of (width, height), as for `over_photograph`: the places that are not
        inspected; None if all are inspected."""
        place = self.placed(image_size)
        cut = place.height > self.canvas[0] or place.width > self.canvas[1]
        if self.inspected is None and not cut:
            return None
        inside = self.inside(image_size)
        ones = np.ones(self.canvas, np.float32) if inside is None else inside.astype(np.float32)
        return np.asarray(self.over_photograph(ones, image_size) == 0)

    def sees(self, image_size: tuple[int, int]) -> bool:
        """Whether any inspected part of a photograph of (width, height) is on the canvas."""
        return self.inspected is None or _sees(self, image_size)

    def check_sees(self, image_size: tuple[int, int], path: Path | None = None) -> None:
        """Refuse a photograph of which no part is inspected. It would be called good.

        Raises:
            ImageError: no inspected part of it is on the canvas.
        """
        if not self.sees(image_size):
            width, height = image_size
            raise ImageError(
                f"{path or 'the photograph'} cannot be inspected: the detector's region is outside of what it sees "
                f"of {width} x {height} pixels, another shape than it learned from"
            )

    def __str__(self) -> str:
        across = f"{self.rows} x {self.columns} tiles of " if self.tiles > 1 else ""
        kept = {"squash": "", "pad": ", proportions kept, padded", "crop": ", proportions kept, cropped"}[self.fit]
        overlap = f" that overlap by {self.overlap[0]} and {self.overlap[1]}" if any(self.overlap) else ""
        part = "" if self.inspected is None else f", {100 * self.inspected.share:.0f} % inspected"
        return f"{across}{self.height} x {self.width}{overlap}{kept}{part}"


@functools.lru_cache(maxsize=256)
def _sees(view: View, image_size: tuple[int, int]) -> bool:
    inside = view.inside(image_size)
    return inside is None or bool(inside.any())


def as_view(size: View | int) -> View:
    """A view itself, or a square of that side if `size` is a number."""
    if isinstance(size, View):
        return size
    if not isinstance(size, int):
        raise TypeError(f"{size!r} is neither a view nor a side")
    return View(size, size)
