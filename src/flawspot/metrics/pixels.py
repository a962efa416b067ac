"""Computes pixel-level figures by one sort, in memory or, for large sets, through a temporary file."""

from __future__ import annotations

import os
from types import TracebackType

import numpy as np
from numpy.typing import DTypeLike, NDArray

from flawspot.errors import DataError
from flawspot.metrics.curves import AUPRO_LIMIT, Curves, check_scores, paired, rank_runs
from flawspot.metrics.runs import SortedRuns
from flawspot.runtime.regions import label_regions

_EXACT_SIZE = 1 << 24
"""The largest pixel count of a region that is exact in float32, beside the score of a pixel."""


class PixelScores:
    """Collects the pixels of a test set, map by map, and measures them exactly.

    Memory: 4 bytes per `good` and 8 per `defective`, 128 MiB by default, plus a few MB and one map, however large the
    set. In float64 it is twice that. Disk: the same bytes per pixel, in temporary files that vanish with the object;
    none for a set that fits the two buffers. The files are memory-mapped. The system may count them as memory of the
    process, but frees them when needed.

    The figures do not depend on the size of the buffers, up to the rounding of sums. The time grows with the number of
    defective pixels times the number of full buffers, so larger buffers are faster.

    Use it in a ``with`` statement, or call `close`.
    """

    def __init__(
        self,
        good: int = 24 << 20,
        defective: int = 4 << 20,
        *,
        dtype: DTypeLike = np.float32,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        """Allocate the buffers.

        Args:
            good: good pixels held in memory.
            defective: defective pixels held in memory.
            dtype: float32 or float64. Scores of a wider type are refused, since rounding could make them equal.
            folder: folder for the temporary files; None for the system's.
        """
        self._dtype = np.dtype(dtype)
        self._good = SortedRuns(good, self._dtype, folder)
        self._defective = SortedRuns(defective, np.result_type(self._dtype, np.complex64), folder)
        self._regions = 0

    def add(self, maps: NDArray[np.floating], masks: NDArray[np.bool_]) -> None:
        """Add one image or several.

        Args:
            maps: (H, W) or (N, H, W) anomaly scores; infinities are allowed.
            masks: of the same shape, True where a pixel is defective. 8-connected pixels of one image are a region.

        Raises:
            DataError: shapes differ, there are no pixels, a score is not a number, scores have a wider type than
                `dtype`, or a region has more than 2^24 pixels in float32.
            FlawspotError: a temporary file cannot be written.
        """
        if maps.shape != masks.shape:
            raise DataError(f"maps of shape {maps.shape} and masks of shape {masks.shape} do not fit each other")
        if not np.can_cast(maps.dtype, self._dtype):
            raise DataError(f"scores of type {maps.dtype} do not fit into {self._dtype}: choose a wider type")
        if maps.ndim == 3:
            for one_map, one_mask in zip(maps, masks, strict=True):
                self.add(one_map, one_mask)
            return
        check_scores(maps)
        if not masks.any():
            self._good.append(maps.reshape(-1))
            return
        labels, count = label_regions(masks)
        region = labels[masks]
        sizes = np.bincount(region)
        if self._dtype == np.float32 and sizes.max() > _EXACT_SIZE:
            raise DataError(f"a region of {sizes.max()} pixels cannot be measured in float32: choose float64")
        self._good.append(maps[~masks])
        self._defective.append(paired(maps[masks].astype(self._dtype), sizes[region]))
        self._regions += count

    def curves(self, limit: float = AUPRO_LIMIT) -> Curves:
        """Measure the pixels added so far. More can follow.

        Raises:
            DataError: nothing has been added.
        """
        with self._good.sorted() as negatives, self._defective.sorted() as positives:
            if not len(negatives[0]) and not len(positives[0]):
                raise DataError("no scores to measure")
            return rank_runs(negatives, positives, self._regions, limit)

    def close(self) -> None:
        """Remove the temporary files and free the memory."""
        self._good.close()
        self._defective.close()

    def __enter__(self) -> PixelScores:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def rank_pixels(maps: NDArray[np.floating], masks: NDArray[np.bool_], limit: float = AUPRO_LIMIT) -> Curves:
    """The curves of a test set, in memory.

    Beyond `maps` and `masks`, which may be memory-mapped files, it takes 4 bytes per good pixel and 8 per defective
    one, plus a few MB: under 6 bytes per pixel unless half of the pixels are defective. Twice that in float64.

    Args:
        maps: (N, H, W) anomaly scores; infinities are allowed.
        masks: (N, H, W), True where a pixel is defective. 8-connected pixels of one image are a region.
        limit: the false-positive rate up to which AUPRO integrates.

    Raises:
        DataError: shapes differ, there are no pixels, or a score is not a number.
    """
    defective = sum(int(np.count_nonzero(mask)) for mask in masks)
    wide = not np.can_cast(maps.dtype, np.float32) or maps[:1].size > _EXACT_SIZE
    # Buffers of the exact size never spill.
    with PixelScores(masks.size - defective, defective, dtype=np.float64 if wide else np.float32) as pixels:
        pixels.add(maps, masks)
        return pixels.curves(limit)
