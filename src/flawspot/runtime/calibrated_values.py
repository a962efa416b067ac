"""Refuses calibration values that are impossible, whatever their type, as a manifest may come from anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flawspot.runtime.tolerated import wrong_in

if TYPE_CHECKING:
    from flawspot.runtime.manifest import CalibrationInfo


def wrong_in_calibration(calibration: CalibrationInfo) -> dict[str, bool]:
    """For each field of the manifest, whether it has an impossible value."""
    scores, maxima, groups = calibration.scores, calibration.map_maxima, calibration.groups
    known = calibration.rule in ("conformal", "pareto", "value")
    wrong = {
        "false_alarm_rate": not 0 < calibration.false_alarm_rate < 1,
        "promised_rate": not 0 < calibration.promised_rate <= 1,
        "scores": not scores or list(scores) != sorted(scores),
        "rule": not known,
        "threshold": calibration.rule == "conformal" and calibration.threshold not in scores,
        "folds": not 0 <= calibration.folds <= len(scores),
        "groups": bool(groups) and (len(groups) != len(scores) or min(groups) < 0 or max(groups) >= len(scores)),
        "names": len(calibration.names) not in (0, len(scores)),
        "hashes": len(calibration.hashes) not in (0, len(scores)),
        "pasted": list(calibration.pasted) != sorted(calibration.pasted),
        "tolerated": calibration.tolerated is not None and wrong_in(calibration.tolerated),
        "map_maxima": list(maxima) != sorted(maxima),
        "pixel_threshold": calibration.rule == "conformal"
        and calibration.pixel_threshold is not None
        and calibration.pixel_threshold not in maxima,
    }
    return {f"calibration.{name}": is_wrong for name, is_wrong in wrong.items()}
