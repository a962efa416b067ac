"""What commands say of a threshold, and of the good photographs that it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flawspot.runtime.manifest import CalibrationInfo

_NAMED = 3
"""Photographs named that set the threshold."""


def scored(calibration: CalibrationInfo) -> str:
    """How many photographs, and how they were scored."""
    count = len(calibration.scores)
    groups = f" of {len(set(calibration.groups))} parts" if calibration.groups else ""
    return f"the same {count}{groups}, in {calibration.folds} folds," if calibration.folds else f"{count}{groups}"


def rates(calibration: CalibrationInfo) -> str:
    """The false-alarm rate as it can be had, and how sure that is."""
    from flawspot.runtime.calibration import proved_rate

    rate = f"{calibration.promised_rate:.2g}"
    if calibration.rule == "value":
        return f"{rate} on the good photographs, by a threshold that was given: nothing is promised"
    if calibration.rule == "pareto":
        return f"{rate}, an estimate by a smooth tail: nothing is proved"
    proved = proved_rate(calibration)
    worst = (
        f"; proved for the detectors of the folds, in the worst case: {proved:.2g}"
        if proved is not None and calibration.folds
        else ""
    )
    return f"{rate} (asked: {calibration.false_alarm_rate:g}{worst})"


def highest(calibration: CalibrationInfo) -> str | None:
    """The good photographs with the highest scores, which the threshold rests on; None where no names were kept."""
    if not calibration.names:
        return None
    last = list(zip(calibration.names, calibration.scores, strict=True))[-_NAMED:]
    return ", ".join(f"{name} {score:.5g}" for name, score in reversed(last))


def threshold_rows(calibration: CalibrationInfo) -> list[tuple[str, str]]:
    """Lines for `flawspot.cli.console.print_pairs`."""
    from flawspot.runtime.calibration import price

    rows = [("threshold", f"{calibration.threshold:.6g}"), ("false-alarm rate", rates(calibration))]
    if calibration.tolerated is not None:
        rows.append(("tolerates", str(calibration.tolerated)))
        of = "photographs varied as far" if calibration.tolerated.decisive else "the photographs as they are"
        rows.append(("threshold set by", f"{of}, the higher one of both"))
    names = highest(calibration)
    if names is not None:
        rows.append(("highest good", names))
    prices = [f"{p.recall:.2f} at rate {p.rate:.2g} ({p.threshold:.5g})" for p in price(calibration)]
    return [*rows, ("pasted defects found", ", ".join(prices))] if prices else rows
