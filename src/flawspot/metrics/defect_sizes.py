"""Small-defect analysis: how well defects are found, by their area."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import DataError
from flawspot.metrics.curves import check_scores, paired, rank_runs
from flawspot.runtime.regions import label_regions

DEFAULT_BANDS: tuple[tuple[float, float], ...] = ((0, 0.5), (0.5, 2), (2, 10), (10, 50), (50, 1000))
"""Areas of a defect in thousandths of the photograph. 0.5 is a spot of 5 x 5 pixels at 224 x 224, and 50 is 50 x 50."""

FOUND_SHARE = 0.5
"""A defect counts as found when at least this share of its pixels is at or above the threshold."""

_BLOCK = 8192
"""Defective pixels ranked at a time."""


def defect_sizes(
    maps: NDArray[np.floating], masks: NDArray[np.bool_], bands: Sequence[tuple[float, float]] = DEFAULT_BANDS
) -> tuple[dict[str, float | int | None], ...]:
    """How well the defects of each band of area are found.

    A defect is an 8-connected region of a mask. It belongs to the band with ``smallest <= area < largest``. A defect
    with the area of the whole photograph belongs to the band that ends there.

    Args:
        maps: (N, S, S) anomaly maps.
        masks: (N, S, S) True where a pixel is defective.
        bands: smallest and largest area in thousandths of the photograph; ascending and apart.

    Returns:
        For each band ``smallest``, ``largest``; ``regions`` in it; ``found``, the number found of them; ``recall``, the
        share found; and ``f1_max``. A region is found if at least `FOUND_SHARE` of its pixels are at or above a
        threshold. It is the threshold of the best pixel F1 over defects of all sizes (the highest of several), and the
        same for all bands, because a user has one threshold for all sizes. ``f1_max`` is the best pixel F1 over all
        thresholds for the pixels of the band's regions against all good pixels; pixels of other regions are left out.
        `recall` and `f1_max` are None for a band without regions. With fewer defective pixels in a band, the same false
        alarms give a lower `f1_max`: compare detectors within a band, not bands with each other.

    Raises:
        DataError: shapes that differ, no pixels, a score that is not a number, or bands that overlap.
    """
    if maps.ndim != 3 or maps.shape != masks.shape:
        raise DataError(f"maps of shape {maps.shape} and masks of shape {masks.shape} do not fit each other")
    edges = [edge for band in bands for edge in band]
    if edges != sorted(edges) or any(smallest == largest for smallest, largest in bands):
        raise DataError(f"bands of area must ascend and not overlap, unlike {list(bands)}")
    check_scores(maps)
    area = maps.shape[1] * maps.shape[2]
    good = np.sort(np.concatenate([one_map[~mask] for one_map, mask in zip(maps, masks, strict=True)]))
    regions: list[NDArray[np.floating]] = []
    for one_map, mask in zip(maps, masks, strict=True):
        labels, count = label_regions(mask)
        inside = labels[mask]
        order = np.argsort(inside, kind="stable")
        ends = np.cumsum(np.bincount(inside, minlength=count + 1)[1:])
        if count:
            regions += np.split(one_map[mask][order], ends[:-1])
    threshold = _best_threshold(good, np.sort(np.concatenate(regions))) if regions else np.inf
    result: list[dict[str, float | int | None]] = []
    for smallest, largest in bands:
        chosen = [r for r in regions if _within(1000 * len(r) / area, smallest, largest)]
        found = sum(int(np.count_nonzero(r >= threshold)) >= FOUND_SHARE * len(r) for r in chosen)
        f1_max = None
        if chosen:
            f1_max = rank_runs([good], [np.sort(paired(np.concatenate(chosen), 1))], 0).f1_max
        result.append(
            {
                "smallest": smallest,
                "largest": largest,
                "regions": len(chosen),
                "found": found,
                "recall": found / len(chosen) if chosen else None,
                "f1_max": f1_max,
            }
        )
    return tuple(result)


def _within(area: float, smallest: float, largest: float) -> bool:
    return smallest <= area < largest or area == largest == 1000


def _best_threshold(good: NDArray[np.floating], defective: NDArray[np.floating]) -> float:
    """The highest of the thresholds with the best F1. Both arrays ascend, and `defective` is not empty.

    Between two scores of defective pixels recall is constant and precision only falls, so only their scores are tried.
    """
    best, threshold = -1.0, 0.0
    for start in range(0, len(defective), _BLOCK):
        scores = defective[start : start + _BLOCK]
        hits = len(defective) - np.searchsorted(defective, scores, side="left")
        alarms = len(good) - np.searchsorted(good, scores, side="left")
        f1 = 2 * hits / (hits + alarms + len(defective))
        last = len(f1) - 1 - int(np.argmax(f1[::-1]))
        if f1[last] >= best:
            best, threshold = float(f1[last]), float(scores[last])
    return threshold
