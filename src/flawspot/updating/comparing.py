"""The old and the new detector, compared for a person who decides whether to use the new one."""

from __future__ import annotations

from collections.abc import Sequence

from flawspot.errors import ConfigurationError
from flawspot.runtime.calibration import outlying, recalibrate, without
from flawspot.runtime.manifest import CalibrationInfo
from flawspot.runtime.state import CALIBRATION, Kept
from flawspot.updating.finishing import After, Learned, Old, Tried, scores_by
from flawspot.updating.new_photographs import NewPhotographs
from flawspot.updating.report import Found, Report

BY_HAND = "the threshold that was set by hand is replaced by one for the false-alarm rate"
_FEW = 4
"""So few scores cannot have outliers."""


def compared(old: Old, new: NewPhotographs, learned: Learned, after: After) -> Report:
    """The changes, measured on photographs that neither detector has learned from.

    Args:
        old: the detector to update.
        new: the new photographs.
        learned: the result of learning from them.
        after: what the new detector is found to be.
    """
    limit_before, limit = old.manifest.calibration.threshold, after.calibration.threshold
    held_out_before = old.state.of(CALIBRATION)
    count = len(held_out_before)
    scores_before = _earlier_scores(old, held_out_before)
    scores_before += [learned.scores[name] for name in learned.fresh[CALIBRATION].names]
    before = [score > limit_before for score in scores_before]
    now_above = [score > limit for score in after.scores]
    names, scores = list(learned.scores), list(learned.scores.values())
    odd = [names[row] for row in outlying(scores)] if len(scores) >= _FEW else []
    high, threshold_without = _unusual(after.calibration, learned.fresh[CALIBRATION])
    return Report(
        learned=len(new.fit),
        held_out=len(new.calibration),
        validated=len(new.validation),
        known=new.known,
        not_inspected=new.skipped,
        threshold_before=limit_before,
        threshold=limit,
        promised_rate=after.calibration.promised_rate,
        new_alarms_before=sum(before[count:]),
        new_alarms=sum(now_above[count:]),
        old_held_out=count,
        old_alarms_before=sum(before[:count]),
        old_alarms=sum(now_above[:count]),
        told=(*learned.changed.told, *([BY_HAND] if old.manifest.calibration.rule == "value" else [])),
        anomalous_before=sum(score > limit_before for score in scores),
        suspects=tuple(dict.fromkeys((*odd, *high))),
        threshold_without=threshold_without,
        threshold_alike=after.alike[0],
        pasted=len(after.tried),
        pasted_found_before=sum(by_old.pasted > limit_before for by_old, _ in after.tried),
        pasted_found=sum(by_new.pasted > limit for _, by_new in after.tried),
        pasted_alone=_found(after.tried, limit_before, limit),
        pasted_alike=_found(after.tried, *after.alike),
    )


def _found(tried: Sequence[tuple[Tried, Tried]], limit_before: float, limit: float) -> Found:
    """What both find by the defect alone, at these thresholds."""
    found = [(by_old.shows(limit_before), by_new.shows(limit)) for by_old, by_new in tried]
    return Found(
        before=sum(by_old for by_old, _ in found),
        now=sum(by_new for _, by_new in found),
        lost=sum(by_old and not by_new for by_old, by_new in found),
    )


def _earlier_scores(old: Old, photographs: Kept) -> list[float]:
    """Scores of held-out photographs of earlier days by the old detector.

    Where its manifest has them, they are taken from there: the features that are kept are rounded, and by them the
    photograph that set the threshold may be a hair above it.
    """
    calibration = old.manifest.calibration
    known = dict(zip(calibration.hashes, calibration.as_taken, strict=False))
    if all(each in known for each in photographs.hashes):
        return [known[each] for each in photographs.hashes]
    return scores_by(old.artifact.model, photographs)


def _unusual(calibration: CalibrationInfo, new: Kept) -> tuple[list[str], float | None]:
    """New photographs among those that set the threshold whose scores are unusually high, and the threshold without
    them; None if there are none, or too few are left. As they were not learned from, a bad one among them makes the
    threshold too high."""
    if len(calibration.scores) < _FEW or calibration.rule == "value":
        return [], None
    own = set(new.hashes)
    odd = [row for row in outlying(calibration.scores) if calibration.hashes[row] in own]
    if not odd:
        return [], None
    names, rest = [calibration.names[row] for row in odd], without(calibration, odd)
    if calibration.rule == "pareto":
        try:
            rest = recalibrate(rest, calibration.false_alarm_rate, rule="pareto")
        except ConfigurationError:  # too few to fit a tail
            return names, None
    return names, rest.threshold


def nothing_new(old: Old, new: NewPhotographs, seconds: float) -> Report:
    """The result if the detector already knows every photograph."""
    calibration = old.manifest.calibration
    return Report(
        known=new.known,
        not_inspected=new.skipped,
        threshold_before=calibration.threshold,
        threshold_alike=calibration.threshold,
        threshold=calibration.threshold,
        promised_rate=calibration.promised_rate,
        told=("nothing is new: the artifact is not changed",),
        seconds=round(seconds, 3),
    )
