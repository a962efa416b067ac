"""The threshold, from good parts only: split-conformal prediction on held-out good images.

Of n good images that served for nothing else and a new good image, each of the n + 1 is equally likely to have the k-th
largest score. So ``p = (1 + #{held-out scores >= s}) / (n + 1)`` is a valid p-value of score s: for a good part,
P(p <= a) <= a for every rate a (Vovk et al., Algorithmic Learning in a Random World, 2005; Laxhammar and Falkman, 2010,
for anomaly detection). An image is called anomalous where p <= a, that is where its score is above the k-th largest
held-out score with ``k = floor(a (n + 1))``. With n images no rate below 1 / (n + 1) can be promised.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from flawspot.errors import ConfigurationError, DataError
from flawspot.runtime.manifest import CalibrationInfo

DEFAULT_FALSE_ALARM_RATE = 0.01

# floor(0.29 * 100) is 28 in binary floating point.
_ROUNDING = 1e-9


def calibrate(scores: Sequence[float], false_alarm_rate: float = DEFAULT_FALSE_ALARM_RATE) -> CalibrationInfo:
    """Choose the threshold for `false_alarm_rate` from the scores of held-out good images.

    Args:
        scores: image scores of the n held-out good images.
        false_alarm_rate: the share of good parts that may be called anomalous, in (0, 1).

    Raises:
        ConfigurationError: a rate outside (0, 1).
        DataError: no scores, or one that is not finite.
    """
    if not 0 < false_alarm_rate < 1:
        raise ConfigurationError(f"false-alarm rate {false_alarm_rate:g} is not between 0 and 1: try 0.01")
    if not scores:
        raise DataError("no held-out good images to choose the threshold from")
    if not all(map(math.isfinite, scores)):
        raise DataError("a held-out good image has a score that is not a finite number")
    count = len(scores)
    allowed = math.floor(false_alarm_rate * (count + 1) + _ROUNDING)
    # All n can lie above the threshold at most, and the n-th largest of them is the lowest that n images can tell.
    allowed = min(max(allowed, 1), count)
    ascending = sorted(scores)
    return CalibrationInfo(
        false_alarm_rate=false_alarm_rate,
        promised_rate=max(false_alarm_rate, 1 / (count + 1)),
        threshold=ascending[-allowed],
        scores=tuple(ascending),
    )


def recalibrate(calibration: CalibrationInfo, false_alarm_rate: float) -> CalibrationInfo:
    """Choose another false-alarm rate from the same held-out images. What is of schema 1 keeps both its thresholds.

    Raises:
        ConfigurationError: a rate outside (0, 1).
    """
    changed = calibrate(calibration.scores, false_alarm_rate)
    if calibration.pixel_threshold is None:
        return changed
    of_map = calibrate(calibration.map_maxima, false_alarm_rate)
    return dataclasses.replace(changed, pixel_threshold=of_map.threshold, map_maxima=of_map.scores)


def p_value(score: float, held_out: Sequence[float]) -> float:
    """The share of good parts, the new one counted among them, that look at least as anomalous; in (0, 1]."""
    return (1 + sum(other >= score for other in held_out)) / (len(held_out) + 1)


def images_needed(false_alarm_rate: float) -> int:
    """How many held-out good images it takes to promise `false_alarm_rate`; above 10^18 no longer exactly."""
    return math.ceil(min(1 / false_alarm_rate, 1e18) - 1 - _ROUNDING)


def shortfall(calibration: CalibrationInfo) -> str | None:
    """What to tell the user where there are too few held-out images for the asked rate, else None."""
    count, needed = len(calibration.scores), images_needed(calibration.false_alarm_rate)
    if count >= needed:
        return None
    return (
        f"{count} held-out good images can promise a false-alarm rate of {calibration.promised_rate:.2g}, not "
        f"{calibration.false_alarm_rate:g}: the threshold is the highest of their scores. "
        f"{needed} held-out images would do."
    )
