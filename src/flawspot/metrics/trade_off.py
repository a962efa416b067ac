"""False alarms and escapes at every threshold, on labelled photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ConfigurationError, DataError
from flawspot.metrics.intervals import CONFIDENCE, at_most


@dataclass(frozen=True)
class Point:
    """One threshold and its effect: a photograph is called anomalous if its score is above it.

    Attributes:
        threshold: the threshold, finite.
        false_alarms, good: good photographs called anomalous, of how many.
        found, defective: defective photographs called anomalous, of how many.
    """

    threshold: float
    false_alarms: int
    good: int
    found: int
    defective: int

    @property
    def escapes(self) -> int:
        """Defective photographs called good."""
        return self.defective - self.found

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, in [0, 1]."""
        return 2 * self.found / (self.found + self.false_alarms + self.defective)


def trade_off(scores: Sequence[float], labels: NDArray[np.bool_], also: Sequence[float] = ()) -> list[Point]:
    """Every threshold with a different effect, ascending: one below all scores, one half-way between any two
    neighbours, and the highest score.

    Args:
        scores: (N,), finite.
        labels: (N,), True where defective.
        also: further thresholds.

    Raises:
        DataError: there are no good or no defective photographs, so there is no trade-off.
    """
    values = np.array(scores, np.float64)
    good, defective = np.sort(values[~labels]), np.sort(values[labels])
    if not len(good) or not len(defective):
        missing = "good" if not len(good) else "defective"
        raise DataError(f"there are no {missing} photographs: a trade-off needs good and defective ones")
    distinct = np.unique(values)
    between = distinct[:-1] + (distinct[1:] - distinct[:-1]) / 2
    thresholds = {float(np.nextafter(distinct[0], -np.inf)), *between.tolist(), float(distinct[-1]), *also}
    return [at(threshold, good, defective) for threshold in sorted(thresholds)]


def at(threshold: float, good: NDArray[np.float64], defective: NDArray[np.float64]) -> Point:
    """The effect of `threshold` on ascending scores of good and defective photographs."""
    alarms = len(good) - int(np.searchsorted(good, threshold, "right"))
    found = len(defective) - int(np.searchsorted(defective, threshold, "right"))
    return Point(threshold, alarms, len(good), found, len(defective))


def best_f1(points: Sequence[Point]) -> Point:
    """The threshold with the best F1; of equal ones, the one with the fewest false alarms."""
    return max(points, key=lambda point: (point.f1, point.threshold))


def at_recall(points: Sequence[Point], recall: float) -> Point:
    """The highest threshold that finds at least the share `recall` of these defective photographs.

    Raises:
        ConfigurationError: a recall outside (0, 1].
    """
    if not 0 < recall <= 1:
        raise ConfigurationError(f"a recall of {recall:g} is not above 0 and at most 1: try 0.95")
    return max((p for p in points if p.found >= recall * p.defective - 1e-9), key=lambda p: p.threshold)


def at_escape_rate(points: Sequence[Point], rate: float, confidence: float = CONFIDENCE) -> Point:
    """The highest threshold at which at most the share `rate` of defective parts escapes, with `confidence`.

    A tolerance limit (Wilks, Annals of Mathematical Statistics, 1941). With e escapes allowed among n exchangeable
    defective photographs, the share that escapes is above `rate` with a probability of at most P(Binomial(n, rate) <=
    e), however the threshold was chosen among their scores.

    Raises:
        ConfigurationError: a rate outside (0, 1).
        DataError: there are too few defective photographs for this confidence.
    """
    if not 0 < rate < 1:
        raise ConfigurationError(f"an escape rate of {rate:g} is not between 0 and 1: try 0.05")
    count = points[0].defective
    # `e` escapes mean a threshold below the score of rank e + 1.
    sure = [p for p in points if at_most(p.escapes, count, rate) <= 1 - confidence]
    if not sure:
        needed = int(min(np.ceil(np.log(1 - confidence) / np.log1p(-rate)), 1e18))
        raise DataError(
            f"{count} defective photographs cannot show that at most {rate:g} of defective parts escape: this needs "
            f"{needed}, all of them found"
        )
    return max(sure, key=lambda p: p.threshold)
