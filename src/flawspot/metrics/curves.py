"""One sort of the scores, every curve over all thresholds: AUROC, AP, F1-max, AUPRO."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import DataError

AUPRO_LIMIT = 0.3
"""The false-positive rate up to which AUPRO integrates, as the authors of MVTec AD do (IJCV 2021, section 4.2)."""


class RankedScores:
    """Scores in descending order with the counts at each distinct threshold. Ties are one threshold.

    A figure that needs both classes is None where there is only one: it is undefined then, not zero.
    """

    def __init__(
        self, scores: NDArray[np.floating], labels: NDArray[np.bool_], overlap: NDArray[np.float64] | None = None
    ) -> None:
        """Sort once.

        Args:
            scores: (n,), larger is more anomalous.
            labels: (n,), True where defective.
            overlap: for AUPRO, what each *defective* item adds to the mean overlap of regions, in the order of the True
                labels: 1 / (pixels of its region x number of regions).

        Raises:
            DataError: no scores, or one that is not a number.
        """
        if not len(scores):
            raise DataError("no scores to measure")
        if np.isnan(scores).any():
            raise DataError("a score is not a number: the detector or its photographs are damaged")
        order = np.argsort(scores)[::-1]
        ranked = scores[order]
        # The last item of each run of equal scores.
        ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
        hits = labels[order]
        self._true_positives = np.cumsum(hits, dtype=np.int64)[ends]
        self._false_positives = ends + 1 - self._true_positives
        self.positives = int(self._true_positives[-1])
        self.negatives = len(scores) - self.positives
        self._overlap: NDArray[np.float64] | None = None
        if overlap is not None and self.positives:
            # The rank of each defective item among the defective ones, in the order of the labels.
            number = np.cumsum(labels, dtype=np.int64)[order[hits]] - 1
            cumulative = np.concatenate([[0.0], np.cumsum(overlap[number])])
            self._overlap = cumulative[self._true_positives]

    def auroc(self) -> float | None:
        """Area under the receiver operating characteristic."""
        if not self.positives or not self.negatives:
            return None
        true = np.concatenate([[0], self._true_positives])
        false = np.concatenate([[0], self._false_positives])
        # Trapezoids: half the tied pairs count.
        area = np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2)
        return float(area / (self.positives * self.negatives))

    def average_precision(self) -> float | None:
        """Sum over thresholds of precision times the step in recall, not interpolated."""
        if not self.positives:
            return None
        precision = self._true_positives / (self._true_positives + self._false_positives)
        return float(np.sum(precision * np.diff(self._true_positives, prepend=0)) / self.positives)

    def f1_max(self) -> float | None:
        """The best harmonic mean of precision and recall over all thresholds."""
        if not self.positives:
            return None
        f1 = 2 * self._true_positives / (self._true_positives + self._false_positives + self.positives)
        return float(f1.max())

    def aupro(self, limit: float = AUPRO_LIMIT) -> float | None:
        """Area under the mean overlap of regions against the false-positive rate, from 0 to `limit`.

        Not rescaled: the area of a perfect detector is `limit`. Interpolated linearly at `limit`.
        """
        if self._overlap is None or not self.negatives:
            return None
        overlap = np.concatenate([[0.0], self._overlap])
        rate = np.concatenate([[0], self._false_positives]) / self.negatives
        inside = int(np.searchsorted(rate, limit, side="right"))
        rate, beyond = rate[:inside], rate[inside : inside + 1]
        height = overlap[:inside]
        if len(beyond) and rate[-1] < limit:
            share = (limit - rate[-1]) / (beyond[0] - rate[-1])
            height = np.append(height, height[-1] + share * (overlap[inside] - height[-1]))
            rate = np.append(rate, limit)
        return float(np.sum(np.diff(rate) * (height[1:] + height[:-1]) / 2))
