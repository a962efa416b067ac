"""How commands describe a threshold and the good photographs that set it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flawspot.runtime.manifest import CalibrationInfo

_NAMED = 3
"""How many of the photographs that set the threshold are named."""


def scored(calibration: CalibrationInfo) -> str:
    """How many photographs, and how they were scored."""
    count = len(calibration.scores)
    groups = f" of {len(set(calibration.groups))} parts" if calibration.groups else ""
    return f"the same {count}{groups}, in {calibration.folds} folds," if calibration.folds else f"{count}{groups}"


def rates(calibration: CalibrationInfo) -> str:
    """The false-alarm rate of the threshold, and how sure it is."""
    from flawspot.runtime.calibration import proved_rate

    rate = f"{calibration.promised_rate:.2g}"
    if calibration.rule == "value":
        return f"{rate} on the good photographs; the threshold was given by hand, so nothing is promised"
    if calibration.rule == "pareto":
        return f"{rate}, an estimate from a fitted tail: nothing is proved"
    proved = proved_rate(calibration)
    worst = (
        f"; proved for the detectors of the folds, in the worst case: {proved:.2g}"
        if proved is not None and calibration.folds
        else ""
    )
    return f"{rate} (asked: {calibration.false_alarm_rate:g}{worst})"


def highest(calibration: CalibrationInfo) -> str | None:
    """The good photographs with the highest scores, which set the threshold. None if no names were kept."""
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
        of = "the varied photographs" if calibration.tolerated.decisive else "the unchanged photographs"
        rows.append(("threshold set by", f"{of}, whose threshold is the higher one"))
    names = highest(calibration)
    if names is not None:
        rows.append(("highest good", names))
    prices = [f"{p.recall:.2f} at rate {p.rate:.2g} ({p.threshold:.5g})" for p in price(calibration)]
    if calibration.pasted_found is not None:
        share = f"{calibration.pasted_found:.2f} of {len(calibration.pasted)}"
        rows.append(("pasted defects found", f"{share} at this threshold"))
        rows.append(("at other rates", ", ".join(prices)))
    return rows
