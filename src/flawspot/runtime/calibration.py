"""Sets the threshold from good parts only, by conformal prediction on images that the scoring detector has not seen.

Split conformal: take n good images that were used for nothing else, and a new good image. Each of the n + 1 is equally
likely to have the k-th largest score. So ``p = (1 + #{held-out scores >= s}) / (n + 1)`` is a valid p-value of score s:
for a good part, P(p <= a) <= a for every rate a (Vovk et al., Algorithmic Learning in a Random World, 2005; Laxhammar
and Falkman, 2010, for anomaly detection). An image is called anomalous if p <= a, that is, if its score is above the
k-th largest held-out score with ``k = floor(a (n + 1))``. With n images no rate below 1 / (n + 1) can be promised.

Groups: several photographs of one part are not independent. With G groups of sizes n_g the p-value becomes
``(1 + sum_g #{scores of g >= s} / n_g) / (G + 1)``: the hierarchical conformal prediction of Lee, Barber and Willett
(Distribution-free inference with hierarchical data, 2023, arXiv 2306.06342). It is valid for a photograph of a new
group. With one photograph in each group it is the p-value above.

Cross-conformal: each image is scored by a detector that learned from the other folds (Vovk, Cross-conformal predictors,
2015). For the detectors of the folds, a new good part then has P(p <= a) <= 2 a + a term that falls with the number of
images (Vovk et al., 2018; CV+ of Barber, Candes, Ramdas and Tibshirani, Predictive inference with the jackknife+,
Annals of Statistics 2021, theorem 4). Mostly the probability is a itself. The shipped detector learned from all folds.
That it scores new good parts no higher than the detectors of the folds is measured, but not proved.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from flawspot.errors import ConfigurationError, DataError
from flawspot.runtime.json_reading import MAX_NUMBER
from flawspot.runtime.manifest import CalibrationInfo
from flawspot.runtime.tail import tail_threshold

DEFAULT_FALSE_ALARM_RATE = 0.01

RULES = ("conformal", "pareto")
"""How a rate becomes a threshold: conformal gives a proved rate, pareto an estimate from a fitted tail."""

_LEAST_SPREAD = 0.01
"""Least spread, as a share of the third quartile. Scores that are nearly equal then have no outliers."""
_NAMED = 3
"""How many photographs with outlying scores are named."""
# floor(0.29 * 100) is 28 in binary floating point.
_ROUNDING = 1e-9


def calibrate(
    scores: Sequence[float],
    false_alarm_rate: float = DEFAULT_FALSE_ALARM_RATE,
    *,
    groups: Sequence[int] = (),
    folds: int = 0,
    names: Sequence[str] = (),
    hashes: Sequence[str] = (),
    pasted: Sequence[float] = (),
    rule: str = "conformal",
) -> CalibrationInfo:
    """Choose the threshold for `false_alarm_rate` from the scores of good images.

    Args:
        scores: score of each of n good images, by a detector that has not learned from it.
        false_alarm_rate: the share of good parts that may be called anomalous, in (0, 1).
        groups: (n,) numbers of the parts that the images show; empty if each image shows a different part.
        folds: number of folds that the images were scored in; 0 if they were held out.
        names, hashes: (n,) names and hashes of the images' files, in the form that is kept; empty if not wanted.
        pasted: scores of photographs with pasted defects, for `price`.
        rule: one of `RULES`.

    Raises:
        ConfigurationError: a rate outside (0, 1), an unknown rule, or too few scores to fit a tail.
        DataError: there are no scores, or one is not finite.
    """
    _check(scores, false_alarm_rate, rule)
    order = sorted(range(len(scores)), key=lambda row: scores[row])
    ascending = [scores[row] for row in order]
    group_of = _numbered([groups[row] for row in order]) if len(groups) else ()
    info = CalibrationInfo(
        false_alarm_rate=false_alarm_rate,
        promised_rate=1.0,
        threshold=ascending[-1],
        scores=tuple(ascending),
        folds=folds,
        groups=() if len(set(group_of)) == len(ascending) else group_of,
        names=tuple(names[row] for row in order) if names else (),
        hashes=tuple(hashes[row] for row in order) if hashes else (),
        pasted=tuple(sorted(pasted)),
    )
    return _with_rate(info, false_alarm_rate, rule)


def recalibrate(calibration: CalibrationInfo, false_alarm_rate: float, *, rule: str = "conformal") -> CalibrationInfo:
    """Choose another false-alarm rate from the same images. An artifact of schema 1 keeps both its thresholds.

    Raises:
        ConfigurationError: a rate outside (0, 1), an unknown rule, or too few scores to fit a tail.
    """
    _check(calibration.scores, false_alarm_rate, rule)
    changed = _with_rate(calibration, false_alarm_rate, rule)
    if calibration.pixel_threshold is None:
        return changed
    of_map = calibrate(calibration.map_maxima, false_alarm_rate, rule=rule)
    return dataclasses.replace(changed, pixel_threshold=of_map.threshold)


def set_threshold(calibration: CalibrationInfo, threshold: float) -> CalibrationInfo:
    """Set `threshold`. The rates become the shares among the same images. Nothing is proved about a threshold chosen in
    another way.

    Raises:
        ConfigurationError: the threshold is not finite, or the detector is of schema 1 and has two thresholds.
    """
    if not abs(threshold) <= MAX_NUMBER:
        raise ConfigurationError(f"a threshold of {threshold:g} separates nothing: give a finite, smaller number")
    if calibration.pixel_threshold is not None:
        raise ConfigurationError("this detector is of an older flawspot and has two thresholds: train it again")
    rate = p_value(math.nextafter(threshold, math.inf), calibration)
    return dataclasses.replace(
        calibration,
        threshold=threshold,
        promised_rate=rate,
        rule="value",
    )


def p_value(score: float, calibration: CalibrationInfo) -> float:
    """The share of good parts, including the new one, with at least this score; in (0, 1]."""
    scores = calibration.scores
    if not calibration.groups:
        return (1 + sum(other >= score for other in scores)) / (len(scores) + 1)
    weight = np.array(_weights(calibration))
    count = _count(calibration)
    return float((1 + weight[np.array(scores) >= score].sum()) / (count + 1))


def proved_rate(calibration: CalibrationInfo) -> float | None:
    """The false-alarm rate that is proved in the worst case; None if nothing is proved about the threshold.

    For held-out images it is the promised rate. For n images (or groups) in K folds it is, by theorem 4 of Barber et
    al., ``2 a + min(2 (1 - 1/K) / (n/K + 1), (1 - K/n) / (K + 1))`` for the detectors of the folds.
    """
    if calibration.rule != "conformal":
        return None
    promised, folds, count = calibration.promised_rate, calibration.folds, _count(calibration)
    if not folds:
        return promised
    excess = min(2 * (1 - 1 / folds) / (count / folds + 1), (1 - folds / count) / (folds + 1))
    return min(2 * promised + max(excess, 0), 1.0)


@dataclasses.dataclass(frozen=True)
class Price:
    """The cost of a false-alarm rate in missed defects.

    Attributes:
        rate: the promised rate, not below the lowest that the photographs can promise.
        threshold: the threshold for that rate.
        recall: the share of pasted defects found at it, in [0, 1].
    """

    rate: float
    threshold: float
    recall: float


def price(calibration: CalibrationInfo, rates: Sequence[float] = (0.01, 0.02, 0.05)) -> list[Price]:
    """Recall on pasted defects at some rates. Of rates with equal thresholds only the first is listed. Empty without
    pasted defects."""
    found: dict[float, Price] = {}
    for rate in rates if calibration.pasted else ():
        threshold, promised = _conformal(calibration, rate)
        recall = sum(score > threshold for score in calibration.pasted) / len(calibration.pasted)
        found.setdefault(threshold, Price(promised, threshold, recall))
    return list(found.values())


def outlying(scores: Sequence[float]) -> list[int]:
    """Places of scores of good parts that are unusually high: above the third quartile by more than three times the
    interquartile range (Tukey, Exploratory data analysis, 1977: far out). They may be bad parts among the good. The
    next lower score may be near, because no gap is asked for."""
    values = np.array(scores)
    first, third = np.quantile(values, (0.25, 0.75))
    distance = max(third - first, _LEAST_SPREAD * abs(third))
    return [int(place) for place in np.flatnonzero(values > third + 3 * distance)]


def without(calibration: CalibrationInfo, places: Sequence[int]) -> CalibrationInfo:
    """What all scores but those at `places` give at the same rate."""
    groups = np.delete(calibration.groups, places).tolist() if calibration.groups else ()
    return calibrate(np.delete(calibration.scores, places).tolist(), calibration.false_alarm_rate, groups=groups)


def images_needed(false_alarm_rate: float) -> int:
    """How many unseen good images are needed to promise `false_alarm_rate`; not exact above 10^18."""
    return math.ceil(min(1 / false_alarm_rate, 1e18) - 1 - _ROUNDING)


def shortfall(calibration: CalibrationInfo, *, updatable: bool = False) -> str | None:
    """A message if there are too few good images for the asked rate, else None.

    Args:
        calibration: the detector's calibration.
        updatable: whether the detector can be updated. Updating needs held-out images, so folds are not suggested, but
            updates add images.
    """
    count, needed = _count(calibration), images_needed(calibration.false_alarm_rate)
    if count >= needed or calibration.rule != "conformal":
        return None
    held_out = "" if calibration.folds else "held-out "
    good = "groups of good photographs" if calibration.groups else "good photographs"
    images = "groups" if calibration.groups else "photographs"
    way_out = "" if calibration.folds else ", or --calibration cross, which uses every good one"
    way_out = ", and updates add more" if updatable else way_out
    return (
        f"{count} {held_out}{good} can promise a false-alarm rate of {calibration.promised_rate:.2g}, not "
        f"{calibration.false_alarm_rate:g}: the threshold is the highest of their scores. "
        f"{needed} {held_out}{images} would be enough{way_out}."
    )


def remarks(calibration: CalibrationInfo, *, updatable: bool = False) -> list[str]:
    """What the user should know about a new calibration, one line each. `updatable` is as for `shortfall`."""
    warning = shortfall(calibration, updatable=updatable)
    found = [warning] if warning else []
    odd = outlying(calibration.scores)
    if odd and calibration.names:
        named = ", ".join(calibration.names[place] for place in reversed(odd[-_NAMED:]))
        more = f" and {len(odd) - _NAMED} more" if len(odd) > _NAMED else ""
        varied = " in copies varied as far as tolerated" if calibration.scores != calibration.as_taken else ""
        rest, several, third = without(calibration, odd), len(odd) > 1, float(np.quantile(calibration.scores, 0.75))
        found.append(
            f"{named}{more} {'score' if several else 'scores'} unusually high for good photographs{varied}: "
            f"{calibration.scores[odd[0]]:.5g}{' and more' if several else ''}; the next scores "
            f"{rest.scores[-1]:.5g}, three quarters at most {third:.5g}. If "
            f"{'they show bad parts, remove them' if several else 'it shows a bad part, remove it'} and train again "
            f"(without {'them' if several else 'it'} the threshold would be {rest.threshold:.5g}, not "
            f"{calibration.threshold:.5g})"
        )
    return found


def check_rate(false_alarm_rate: float) -> None:
    """Raises ConfigurationError unless it is in (0, 1)."""
    if not 0 < false_alarm_rate < 1:
        raise ConfigurationError(f"false-alarm rate {false_alarm_rate:g} is not between 0 and 1: try 0.01")


def _check(scores: Sequence[float], false_alarm_rate: float, rule: str) -> None:
    check_rate(false_alarm_rate)
    if rule not in RULES:
        raise ConfigurationError(f"unknown rule {rule!r} for the threshold: known rules are {', '.join(RULES)}")
    if not scores:
        raise DataError("no held-out good images to choose the threshold from")
    if not all(map(math.isfinite, scores)):
        raise DataError("a held-out good image has a score that is not a finite number")


def _with_rate(info: CalibrationInfo, false_alarm_rate: float, rule: str) -> CalibrationInfo:
    if rule == "pareto":
        threshold, promised = tail_threshold(info.scores, _weights(info), false_alarm_rate), false_alarm_rate
    else:
        threshold, promised = _conformal(info, false_alarm_rate)
    return dataclasses.replace(
        info, false_alarm_rate=false_alarm_rate, promised_rate=promised, threshold=threshold, rule=rule
    )


def _conformal(info: CalibrationInfo, false_alarm_rate: float) -> tuple[float, float]:
    """The lowest threshold above which p <= `false_alarm_rate`, and the rate that so many groups can promise."""
    count = _count(info)
    # At most all scores are above the threshold, and the lowest score is the lowest possible threshold.
    allowed = max(false_alarm_rate * (count + 1), 1.0) - 1 + _ROUNDING  # weight of groups that may be above it
    above = 0.0
    weights = _weights(info)
    threshold = info.scores[-1]
    for score, weight in zip(reversed(info.scores), reversed(weights), strict=True):
        # Equal scores are above the threshold together or not at all, so ties never add alarms.
        threshold = score
        above += weight
        if above > allowed:
            break
    return threshold, max(false_alarm_rate, 1 / (count + 1))


def _weights(info: CalibrationInfo) -> list[float]:
    """The weight of each score: one over the size of its group."""
    if not info.groups:
        return [1.0] * len(info.scores)
    sizes = np.bincount(np.array(info.groups))
    return [1 / float(sizes[group]) for group in info.groups]


def _count(info: CalibrationInfo) -> int:
    """The number of groups."""
    return len(set(info.groups)) if info.groups else len(info.scores)


def _numbered(groups: Sequence[int]) -> tuple[int, ...]:
    """The same groups, numbered from 0 in the order of their appearance."""
    seen: dict[int, int] = {}
    return tuple(seen.setdefault(int(group), len(seen)) for group in groups)
