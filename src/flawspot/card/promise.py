"""The false-alarm rate in sentences: how large it is, how it was promised, and what for."""

from __future__ import annotations

from collections.abc import Iterator

from flawspot.runtime.calibration import images_needed, proved_rate
from flawspot.runtime.manifest import CalibrationInfo, Manifest
from flawspot.texts import counted


def promise(manifest: Manifest) -> Iterator[str]:
    """Sentences, most important first."""
    calibration = manifest.calibration
    yield f"Threshold: a photograph is called anomalous where its score is above {calibration.threshold:.6g}."
    yield from _rate(calibration)
    count, groups = len(calibration.scores), len(set(calibration.groups))
    of = f", which show {counted(groups, 'part')}: photographs of one part count once" if groups else ""
    varied = " in varied copies" if calibration.scores != calibration.as_taken else ""
    yield f"It rests on the scores of {counted(count, 'good photograph')}{varied}{of}."
    if calibration.pixel_threshold is not None:
        yield (
            f"The anomaly map has a threshold of its own, {calibration.pixel_threshold:.6g}: regions and verdict may "
            "contradict each other (an artifact of schema 1)."
        )


def _rate(calibration: CalibrationInfo) -> Iterator[str]:
    rate = f"{calibration.promised_rate:.2g}"
    if calibration.rule == "value":
        yield (
            f"False-alarm rate: nothing is promised, for the threshold was given. On the good photographs that it was "
            f"held against the rate is {rate}."
        )
        return
    if calibration.rule == "pareto":
        yield (
            f"False-alarm rate: {rate}, an estimate by a smooth tail of the scores of good photographs. Nothing is "
            "proved."
        )
        return
    yield (
        f"False-alarm rate: at most {rate} of good parts are called anomalous, provided that they are like the "
        "photographs that the threshold rests on: the same product, camera, light and fixture."
    )
    proved = proved_rate(calibration)
    if not calibration.folds:
        yield (
            "How it is promised: these photographs served for nothing else (split conformal prediction), so the rate "
            "is proved, on average over which photographs were held out."
        )
    else:
        yield (
            f"How it is promised: each of these photographs was scored by a detector that had not learned from it, in "
            f"{calibration.folds} folds (cross-conformal prediction). Proved is a rate of {proved:.2g} in the worst "
            "case, for the detectors of the folds; this one has learned from all of them, and mostly keeps the rate "
            "itself."
        )
    asked = calibration.false_alarm_rate
    if calibration.promised_rate > asked:
        yield (
            f"Asked for was {asked:g}, which takes {images_needed(asked)} photographs of different parts: there were "
            "fewer, and the threshold is the highest of their scores."
        )
