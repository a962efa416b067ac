"""The false-alarm rate in sentences: its size, how it was promised, and under which conditions."""

from __future__ import annotations

from collections.abc import Iterator

from flawspot.runtime.calibration import images_needed, proved_rate
from flawspot.runtime.manifest import CalibrationInfo, Manifest
from flawspot.texts import counted


def promise(manifest: Manifest) -> Iterator[str]:
    """Sentences, most important first."""
    calibration = manifest.calibration
    yield f"Threshold: a photograph is called anomalous if its score is above {calibration.threshold:.6g}."
    yield from _rate(calibration)
    count, groups = len(calibration.scores), len(set(calibration.groups))
    of = f", which show {counted(groups, 'part')}: photographs of one part count once" if groups else ""
    varied = " in varied copies" if calibration.scores != calibration.as_taken else ""
    yield f"It is set by the scores of {counted(count, 'good photograph')}{varied}{of}."
    if calibration.pixel_threshold is not None:
        yield (
            f"The anomaly map has a separate threshold, {calibration.pixel_threshold:.6g}: regions and verdict may "
            "contradict each other (an artifact of schema 1)."
        )


def _rate(calibration: CalibrationInfo) -> Iterator[str]:
    rate = f"{calibration.promised_rate:.2g}"
    if calibration.rule == "value":
        yield (
            f"False-alarm rate: nothing is promised, because the threshold was given by hand. On the good photographs "
            f"that it was compared with, the rate is {rate}."
        )
        return
    if calibration.rule == "pareto":
        yield (
            f"False-alarm rate: {rate}, an estimate from a tail fitted to the scores of good photographs. Nothing is "
            "proved."
        )
        return
    proved = proved_rate(calibration)
    provided = (
        "provided that they are like the photographs that set the threshold: the same product, camera, light and "
        "fixture."
    )
    if not calibration.folds:
        yield f"False-alarm rate: at most {rate} of good parts are called anomalous, {provided}"
        yield (
            "How it is promised: these photographs were used for nothing else (split conformal prediction), so the "
            "rate is proved, on average over the choice of held-out photographs."
        )
    else:
        yield (
            f"False-alarm rate: the threshold is set for {rate}. What is proved is that at most {proved:.2g} of good "
            f"parts are called anomalous, {provided}"
        )
        yield (
            f"How it is promised: each of these photographs was scored by a detector that had not learned from it, in "
            f"{calibration.folds} folds (cross-conformal prediction). In the worst case a rate of {proved:.2g} is "
            "proved for the detectors of the folds. This detector has learned from all of them, and mostly keeps the "
            "rate itself."
        )
    asked = calibration.false_alarm_rate
    if calibration.promised_rate > asked:
        yield (
            f"The rate asked for was {asked:g}, which needs {images_needed(asked)} photographs of different parts. "
            "There were fewer, and the threshold is the highest of their scores."
        )
