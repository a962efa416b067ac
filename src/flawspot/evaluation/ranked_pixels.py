"""Ranks the pixels of a test set at the size of the anomaly maps and, on request, at the masks' own size."""

from __future__ import annotations

import math
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.data.folders import ImageFolder
from flawspot.data.reading import at_centres
from flawspot.metrics import Curves, PixelMetrics, PixelScores
from flawspot.runtime.view import View

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]


class RankedPixels:
    """Collects maps and masks one by one, and measures them.

    Use it in a ``with`` statement: it holds memory and temporary files.
    """

    def __init__(self, folder: ImageFolder, view: View, memory: int, *, mask_size: bool) -> None:
        """Allocate buffers for the test photographs of `folder`, within `memory` bytes, three quarters of it for the
        good pixels.

        Args:
            folder: the photographs.
            view: the detector's view, which gives the size of its maps.
            memory: limit in bytes; further data go to a temporary file.
            mask_size: also rank at the masks' own size.
        """
        pixels = math.prod(view.canvas)  # more for cropped photographs, whose data then go to a file
        everything = len(folder.test) * pixels
        defective = everything - sum(not sample.is_defective for sample in folder.test) * pixels
        if mask_size:
            memory //= 2
        good, flawed = memory * 3 // 16, memory // 32
        self._at_maps = PixelScores(min(everything, good), min(defective, flawed))
        # The size of the masks is not known before they are read.
        self._at_masks = PixelScores(good, flawed) if mask_size else None

    def add(self, anomaly_map: Map, mask: Mask) -> Mask:
        """Add one photograph: its map (h, w), and its mask of any size, which is returned at the map's size."""
        reduced = mask if mask.shape == anomaly_map.shape else at_centres(mask, anomaly_map.shape)
        self._at_maps.add(anomaly_map, reduced)
        if self._at_masks is not None:
            self._at_masks.add(enlarged(anomaly_map, mask.shape), mask)
        return reduced

    def at_maps(self) -> Curves:
        """The figures at the size of the maps."""
        return self._at_maps.curves()

    def at_masks(self, *, both: bool) -> PixelMetrics | None:
        """The figures at the masks' own size, None unless asked for; see `PixelMetrics.of` for `both`."""
        return None if self._at_masks is None else PixelMetrics.of(self._at_masks.curves(), both=both)

    def __enter__(self) -> RankedPixels:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._at_maps.close()
        if self._at_masks is not None:
            self._at_masks.close()


def enlarged(anomaly_map: Map, size: tuple[int, int]) -> Map:
    """Resize the map (h, w) to `size` (height, width): bilinear between the centres of its cells. If `size` is smaller,
    the cells under a pixel are averaged."""
    if anomaly_map.shape == size:
        return anomaly_map
    height, width = size
    return np.asarray(Image.fromarray(anomaly_map).resize((width, height), Image.Resampling.BILINEAR), np.float32)
