"""Computes AUROC, AP, F1-max and AUPRO over all thresholds from sorted scores.

Only the scores of defective items matter as thresholds: between two of them recall and the overlap of regions are
constant, and precision only falls. So each figure is a sum or a maximum over the defective items, in any order, of a
function of three counts: the good items above its score, the good items at or above it, and the defective items at or
above it. A count is a binary search in sorted scores, and counts in several sorted runs add up. So no runs are merged,
no array as long as the scores is made beyond the runs themselves, and ties are handled exactly because a search has two
sides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import DataError

AUPRO_LIMIT = 0.3
"""The false-positive rate up to which AUPRO is integrated, as by the authors of MVTec AD (IJCV 2021, section 4.2)."""

_BLOCK = 8192
"""Defective items ranked at a time; limits the temporary arrays to about 1 MB."""


@dataclass(frozen=True)
class Curves:
    """Figures in 0..1 of a ranking. Tied scores are one threshold.

    A figure that needs both classes is None if there is only one: it is undefined then, not zero.

    Attributes:
        auroc: area under the receiver operating characteristic; half the tied pairs count.
        average_precision: sum over thresholds of precision times the step in recall, not interpolated.
        f1_max: the best harmonic mean of precision and recall over all thresholds.
        aupro: area under the mean overlap of regions against the false-positive rate, up to a rate of 0.3 and
            interpolated linearly there. Not rescaled: 0.3 is perfect. None without regions.
        positives, negatives: items of each class.
        regions: connected defects.
    """

    auroc: float | None
    average_precision: float | None
    f1_max: float | None
    aupro: float | None
    positives: int
    negatives: int
    regions: int


def rank_scores(scores: NDArray[np.floating], labels: NDArray[np.bool_]) -> Curves:
    """The curves of plain scores, without regions.

    Args:
        scores: (n,), larger is more anomalous; infinities are allowed.
        labels: (n,), True where defective.

    Raises:
        DataError: there are no scores, or one is not a number.
    """
    check_scores(scores)
    return rank_runs([np.sort(scores[~labels])], [np.sort(paired(scores[labels], 1))], 0)


def check_scores(scores: NDArray[np.floating]) -> None:
    """Refuse scores that cannot be ranked.

    Raises:
        DataError: there are no scores, or one is not a number.
    """
    if not scores.size:
        raise DataError("no scores to measure")
    if np.isnan(scores).any():
        raise DataError("a score is not a number: the detector or its photographs are damaged")


def paired(scores: NDArray[np.floating], sizes: NDArray[np.integer] | int) -> NDArray[Any]:
    """Pair scores with the sizes of their regions, as (n,) complex: numpy sorts such pairs in place, by score first.

    Args:
        scores: (n,) float32 or float64, which gives complex64 or complex128.
        sizes: (n,) or one for all: number of pixels of the region of each score, at least 1.
    """
    pairs = np.empty(len(scores), np.result_type(scores.dtype, np.complex64))
    pairs.real, pairs.imag = scores, sizes
    return pairs


def rank_runs(
    negatives: Sequence[NDArray[Any]],
    positives: Sequence[NDArray[Any]],
    regions: int,
    limit: float = AUPRO_LIMIT,
) -> Curves:
    """The curves of scores given as sorted runs.

    Args:
        negatives: runs of scores of good items, each ascending, none NaN; all of one float type.
        positives: runs of `paired` scores of defective items, each sorted; of the complex type that goes with it.
        regions: number of regions of the defective items; 0 leaves AUPRO out.
        limit: the false-positive rate up to which AUPRO integrates.
    """
    good, defective = sum(map(len, negatives)), sum(map(len, positives))
    inverted, precisions, areas, f1_max = 0, [0.0], [0.0], 0.0
    for run in positives:
        for start in range(0, len(run), _BLOCK):
            block = run[start : start + _BLOCK]
            scores = np.ascontiguousarray(block.real)
            # Sizes are 1 or more, so a pair of size 0 comes before all pairs with the same score.
            before = paired(scores, 0)
            above = good - _count(negatives, scores, "right")
            reached = good - _count(negatives, scores, "left")
            hits = defective - _count(positives, before, "left")
            inverted += int(np.sum(above + reached))
            precisions.append(float(np.sum(hits / (hits + reached))))
            f1_max = max(f1_max, float(np.max(2 * hits / (hits + reached + defective))))
            if regions and good:
                areas.append(float(np.sum(_area(above / good, reached / good, limit) / block.imag.astype(np.float64))))
    both = bool(good and defective)
    # Integers until the division. In `inverted` a pair in wrong order counts two, and a tied one counts one.
    pairs = 2 * good * defective
    return Curves(
        auroc=(pairs - inverted) / pairs if both else None,
        average_precision=math.fsum(precisions) / defective if defective else None,
        f1_max=f1_max if defective else None,
        aupro=math.fsum(areas) / regions if both and regions else None,
        positives=defective,
        negatives=good,
        regions=regions,
    )


def _count(runs: Sequence[NDArray[Any]], scores: NDArray[Any], side: Literal["left", "right"]) -> NDArray[np.int64]:
    """How many items of all runs are below each score; including equal ones if `side` is "right"."""
    count = np.zeros(len(scores), np.int64)
    for run in runs:
        count += np.searchsorted(run, scores, side=side)
    return count


def _area(start: NDArray[np.float64], stop: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """The area that finding one pixel adds under the curve up to `limit`.

    A pixel counts as found from the false-positive rate `stop` on, and as missed before `start`. Between them, where
    good pixels have the same score, the curve is a straight line. The curve of all regions is the sum of these.
    """
    inside = limit - (start + stop) / 2
    rest = np.maximum(limit - start, 0.0)
    slope = stop > start
    cut = np.divide(rest * rest, 2 * (stop - start), out=np.zeros_like(start), where=slope)
    return np.where(stop <= limit, inside, cut)
