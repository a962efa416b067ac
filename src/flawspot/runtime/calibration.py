"""The threshold, from good parts only: conformal prediction on good images that the scoring detector has not seen.

Split conformal: of n good images that served for nothing else and a new good image, each of the n + 1 is equally likely
to have the k-th largest score. So ``p = (1 + #{held-out scores >= s}) / (n + 1)`` is a valid p-value of score s: for a
good part, P(p <= a) <= a for every rate a (Vovk et al., Algorithmic Learning in a Random World, 2005; Laxhammar and
Falkman, 2010, for anomaly detection). An image is called anomalous where p <= a, that is where its score is above the
k-th largest held-out score with ``k = floor(a (n + 1))``. With n images no rate below 1 / (n + 1) can be promised.

Groups: several photographs of one part are no news. With G groups of sizes n_g the p-value becomes
``(1 + sum_g #{scores of g >= s} / n_g) / (G + 1)``: the hierarchical conformal prediction of Lee, Barber and Willett
(Distribution-free inference with hierarchical data, 2023, arXiv 2306.06342), valid for a photograph of a new group. It
is the same as above where every group has one photograph.

Cross-conformal: each image is scored by a detector that learned from the other folds (Vovk, Cross-conformal predictors,
2015). A new good part then has P(p <= a) <= 2 a + a term that falls with the images, for the detectors of the folds
(Vovk et al., 2018; CV+ of Barber, Candes, Ramdas and Tibshirani, Predictive inference with the jackknife+, Annals of
Statistics 2021, theorem 4), and mostly a itself. What is shipped learned from all folds; that it scores new good parts
no higher than those did is not proved, but measured.
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
"""How a rate becomes a threshold: what can be promised, or a smooth tail, which is an estimate."""

_LEAST_SPREAD = 0.01
"""Of the third quartile: scores that are nearly all the same have no outliers for that."""
_NAMED = 3
"""Photographs named that lie far out."""
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
        scores: of each of n good images, by a detector that has not learned from it.
        false_alarm_rate: the share of good parts that may be called anomalous, in (0, 1).
        groups: (n,) which images show one part; empty where each is another.
        folds: into how many the images were cut for their scores; 0 where they served for nothing else.
        names, hashes: (n,) of the images' files, as they are kept; empty where nobody asks.
        pasted: scores of photographs with pasted defects, for `price`.
        rule: one of `RULES`.

    Raises:
        ConfigurationError: a rate outside (0, 1), an unknown rule, or too few scores for a smooth tail.
        DataError: no scores, or one that is not finite.
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
    """Choose another false-alarm rate from the same images. What is of schema 1 keeps both its thresholds.

    Raises:
        ConfigurationError: a rate outside (0, 1), an unknown rule, or too few scores for a smooth tail.
    """
    _check(calibration.scores, false_alarm_rate, rule)
    changed = _with_rate(calibration, false_alarm_rate, rule)
    if calibration.pixel_threshold is None:
        return changed
    of_map = calibrate(calibration.map_maxima, false_alarm_rate, rule=rule)
    return dataclasses.replace(changed, pixel_threshold=of_map.threshold)


def set_threshold(calibration: CalibrationInfo, threshold: float) -> CalibrationInfo:
    """Take `threshold` as it is. The rates become what the same images say of it; nothing proves a threshold that was
    chosen in another way.

    Raises:
        ConfigurationError: it is not finite, or the detector is of schema 1 and has two thresholds.
    """
    if not abs(threshold) <= MAX_NUMBER:
        raise ConfigurationError(f"a threshold of {threshold:g} tells nothing apart: give a finite, smaller number")
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
    """The share of good parts, the new one counted among them, that look at least as anomalous; in (0, 1]."""
    scores = calibration.scores
    if not calibration.groups:
        return (1 + sum(other >= score for other in scores)) / (len(scores) + 1)
    weight = np.array(_weights(calibration))
    count = _count(calibration)
    return float((1 + weight[np.array(scores) >= score].sum()) / (count + 1))


def proved_rate(calibration: CalibrationInfo) -> float | None:
    """The false-alarm rate that is proved in the worst case; None for a threshold that no proof speaks of.

    Of held-out images that is the promised rate. Of n images (or groups) in K folds it is, by theorem 4 of Barber et
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
    """What a false-alarm rate costs.

    Attributes:
        rate: that is promised; not below what the photographs can promise.
        threshold: for it.
        recall: the share of pasted defects that it finds, in [0, 1].
    """

    rate: float
    threshold: float
    recall: float


def price(calibration: CalibrationInfo, rates: Sequence[float] = (0.01, 0.02, 0.05)) -> list[Price]:
    """Recall on pasted defects at some rates; of rates that come to the same threshold the first. Empty without any."""
    found: dict[float, Price] = {}
    for rate in rates if calibration.pasted else ():
        threshold, promised = _conformal(calibration, rate)
        recall = sum(score > threshold for score in calibration.pasted) / len(calibration.pasted)
        found.setdefault(threshold, Price(promised, threshold, recall))
    return list(found.values())


def outlying(scores: Sequence[float]) -> list[int]:
    """Places of scores of good parts that lie far above the others: above the third quartile by three times the
    distance of the quartiles (Tukey, Exploratory data analysis, 1977: far out). They may be bad parts among the good.
    """
    values = np.array(scores)
    first, third = np.quantile(values, (0.25, 0.75))
    distance = max(third - first, _LEAST_SPREAD * abs(third))
    return [int(place) for place in np.flatnonzero(values > third + 3 * distance)]


def images_needed(false_alarm_rate: float) -> int:
    """How many unseen good images it takes to promise `false_alarm_rate`; above 10^18 no longer exactly."""
    return math.ceil(min(1 / false_alarm_rate, 1e18) - 1 - _ROUNDING)


def shortfall(calibration: CalibrationInfo, *, updatable: bool = False) -> str | None:
    """What to tell the user where there are too few good images for the asked rate, else None.

    Args:
        calibration: of the detector.
        updatable: it can be updated, which takes held-out images: folds are no way out, but updates bring more.
    """
    count, needed = _count(calibration), images_needed(calibration.false_alarm_rate)
    if count >= needed or calibration.rule != "conformal":
        return None
    held_out = "" if calibration.folds else "held-out "
    good, images = ("groups of good images", "groups") if calibration.groups else ("good images", "images")
    way_out = "" if calibration.folds else ", or --calibration cross, by which every good one counts"
    way_out = ", and updates bring more" if updatable else way_out
    return (
        f"{count} {held_out}{good} can promise a false-alarm rate of {calibration.promised_rate:.2g}, not "
        f"{calibration.false_alarm_rate:g}: the threshold is the highest of their scores. "
        f"{needed} {held_out}{images} would do{way_out}."
    )


def remarks(calibration: CalibrationInfo, *, updatable: bool = False) -> list[str]:
    """What the user should know of a new calibration, a line each; `updatable` as for `shortfall`."""
    found = []
    warning = shortfall(calibration, updatable=updatable)
    if warning:
        found.append(warning)
    odd = outlying(calibration.scores)
    if odd and calibration.names:
        named = ", ".join(calibration.names[place] for place in reversed(odd[-_NAMED:]))
        more = f" and {len(odd) - _NAMED} more" if len(odd) > _NAMED else ""
        varied = ", varied as far as is tolerated" if calibration.scores != calibration.as_taken else ""
        kept = [place for place in range(len(calibration.scores)) if place not in set(odd)]
        without = calibrate(
            [calibration.scores[place] for place in kept],
            calibration.false_alarm_rate,
            groups=[calibration.groups[place] for place in kept] if calibration.groups else (),
        )
        found.append(
            f"{named}{more} {'score' if len(odd) > 1 else 'scores'} far above the other good photographs{varied}: if "
            f"{'they show bad parts, take them' if len(odd) > 1 else 'it shows a bad part, take it'} away and "
            f"train again (without them the threshold would be {without.threshold:.5g}, not "
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
        raise ConfigurationError(f"unknown rule {rule!r} for the threshold: the known ones are {', '.join(RULES)}")
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
    """The lowest score above which p <= the rate, and the rate that this many groups can promise."""
    count = _count(info)
    # All can lie above the threshold at most, and the lowest score is the lowest that they can tell.
    allowed = max(false_alarm_rate * (count + 1), 1.0) - 1 + _ROUNDING  # so many groups' worth above it
    above = 0.0
    weights = _weights(info)
    threshold = info.scores[-1]
    for score, weight in zip(reversed(info.scores), reversed(weights), strict=True):
        # Ties count against an alarm: equal scores are above the threshold together or not at all.
        threshold = score
        above += weight
        if above > allowed:
            break
    return threshold, max(false_alarm_rate, 1 / (count + 1))


def _weights(info: CalibrationInfo) -> list[float]:
    """Of each score: one over the size of its group."""
    if not info.groups:
        return [1.0] * len(info.scores)
    sizes = np.bincount(np.array(info.groups))
    return [1 / float(sizes[group]) for group in info.groups]


def _count(info: CalibrationInfo) -> int:
    """How many groups there are."""
    return len(set(info.groups)) if info.groups else len(info.scores)


def _numbered(groups: Sequence[int]) -> tuple[int, ...]:
    """The same groups, numbered from 0 in the order of their appearance."""
    seen: dict[int, int] = {}
    return tuple(seen.setdefault(int(group), len(seen)) for group in groups)
