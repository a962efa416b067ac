"""Measure the effect of `--tolerate` on false alarms under corruptions, and its cost on photographs as they are.

    python benchmarks/tolerance.py --data FOLDER --work FOLDER [--tolerate line] [--methods padim ...] [--rate 0.05]
        [--photographs N] [--tested M]

FOLDER is a product in the MVTec layout. Every fifth of its good training photographs, or of N drawn ones, is held out;
the rest trains each method with and without the tolerance. Those that are held out and the good ones of the test set
are new good parts. All test photographs, or M drawn ones, are then corrupted one axis at a time, at their full
resolution, by seeds that training has not used. Detectors and figures are kept in WORK, so that an interrupted run
continues. Nothing is chosen by these figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import KeptRows
from numpy.typing import NDArray

import flawspot
from flawspot.data.corruptions import corrupt, image_seed
from flawspot.data.folders import ImageFolder, Sample, open_folder
from flawspot.metrics.measure import measure
from flawspot.runtime.images import read_image
from flawspot.runtime.prefetch import prefetch
from flawspot.runtime.reduced import prepare

SETTINGS: dict[str, dict[str, Any]] = {"patchcore": {"bank_size": 4000}, "stfpm": {"recipe": "fast"}}
AXES = ("noise", "brightness", "blur", "shift", "rotation")
CLEAN = "clean"
SEVERITIES = (1, 2, 3)
HELD_OUT = 5
SEED = 1_000_000
"""Of the corruptions of test photographs."""


@dataclass(frozen=True)
class Trained:
    """A detector and what it learned to tolerate."""

    method: str
    tolerated: bool
    file: Path

    @property
    def name(self) -> str:
        return f"{self.method}{' tolerant' if self.tolerated else ''}"


def main() -> None:
    """Train, measure, and print a table for each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--tolerate", default="line")
    parser.add_argument("--methods", nargs="+", default=["padim", "patchcore", "paste"])
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--photographs", type=int, help="so many of the good training ones, drawn by a seed")
    parser.add_argument("--tested", type=int, help="so many of the test ones, likewise")
    options = parser.parse_args()
    folder = open_folder(options.data)
    learned = drawn(folder.train, options.photographs)
    good = [path for number, path in enumerate(learned) if number % HELD_OUT]
    new = [Sample(path, None, None) for number, path in enumerate(learned) if not number % HELD_OUT]
    tested = replace(folder, test=(*drawn(folder.test, options.tested), *new))
    detectors = []
    for method in options.methods:
        for tolerated in (False, True):
            file = options.work / f"{folder.name}-{method}{'-tolerant' if tolerated else ''}.onnx"
            if not file.exists():
                tolerate = options.tolerate if tolerated else None
                flawspot.train(
                    good,
                    method=method,
                    settings=SETTINGS.get(method),
                    tolerate=tolerate,
                    false_alarm_rate=options.rate,
                    output=file,
                )
            detectors.append(Trained(method, tolerated, file))
    measured = KeptRows(options.work / f"{folder.name}.jsonl")
    for axis, severity in [(CLEAN, 0), *((axis, severity) for severity in SEVERITIES for axis in AXES)]:
        done = {(row["detector"], row["axis"], row["severity"]) for row in measured.rows}
        missing = [each for each in detectors if (each.name, axis, severity) not in done]
        for row in scored(tested, missing, axis, severity) if missing else []:
            measured.add(row)
    print_tables(measured.rows, detectors, np.array([sample.is_defective for sample in tested.test]))


def drawn(images: Sequence[Any], count: int | None) -> list[Any]:
    """So many of the photographs, in their order; all of them where nothing is asked."""
    if count is None or count >= len(images):
        return list(images)
    return [images[index] for index in sorted(np.random.default_rng(SEED).permutation(len(images))[:count])]


def scored(folder: ImageFolder, trained: Sequence[Trained], axis: str, severity: int) -> list[dict[str, Any]]:
    """Of each detector the scores under one condition; of photographs as they are also the pixel F1."""
    loaded = [flawspot.load(each.file) for each in trained]
    pixel_f1: list[float | None] = [None] * len(trained)
    if axis == CLEAN:
        found = [flawspot.evaluate(detector, folder) for detector in loaded]
        scores = [list(each.scores) for each in found]
        pixel_f1 = [each.metrics.pixel_f1_max for each in found]
    else:
        scores = corrupted_scores(folder, loaded, axis, severity)
    return [
        {"detector": each.name, "axis": axis, "severity": severity, "pixel_f1": f1, "scores": own}
        for each, f1, own in zip(trained, pixel_f1, scores, strict=True)
    ]


def corrupted_scores(
    folder: ImageFolder, detectors: Sequence[flawspot.Detector], axis: str, severity: int
) -> list[list[float]]:
    """By each detector, of each test photograph with a corruption."""

    def read(sample: Sample) -> Any:
        image = read_image(sample.path)
        seed = image_seed(SEED, sample.path.relative_to(folder.root).as_posix())
        return prepare(corrupt(image, axis, severity, seed), detectors[0].manifest.view).pixels

    scores: list[list[float]] = [[] for _ in detectors]
    for _, pixels in prefetch(folder.test, read):
        if isinstance(pixels, Exception):
            raise pixels
        for own, detector in zip(scores, detectors, strict=True):
            own.append(float(detector.run(pixels[None])[1][0]))
    return scores


def print_tables(measured: Sequence[dict[str, Any]], detectors: Sequence[Trained], labels: NDArray[np.bool_]) -> None:
    """One row for each detector, figures of photographs as they are first; at the thresholds that are shipped."""
    found = {(row["detector"], row["axis"], row["severity"]): row for row in measured}

    def figures(each: Trained, axis: str, severity: int) -> Any:
        threshold = flawspot.load(each.file).manifest.calibration.threshold
        return measure(np.array(found[each.name, axis, severity]["scores"]), None, labels, None, threshold)

    print("| detector | false alarms | recall | image AUROC | pixel F1 | training, s |")
    print("|:--|:--|:--|:--|:--|:--|")
    for each in detectors:
        row = figures(each, CLEAN, 0)
        seconds = sum(flawspot.load(each.file).manifest.training.seconds.values())
        print(
            f"| {each.name} | {row.image_false_alarm_rate:.2f} | {row.image_recall:.2f} | {row.image_auroc:.3f} "
            f"| {found[each.name, CLEAN, 0]['pixel_f1']:.3f} | {seconds:.0f} |"
        )
    for title, figure, digits in (
        ("false alarms", "image_false_alarm_rate", 2),
        ("recall", "image_recall", 2),
        ("image AUROC", "image_auroc", 3),
    ):
        print(f"\n| {title} at severity 1 / 2 / 3 | {' | '.join(AXES)} |")
        print(f"|:--|{':--|' * len(AXES)}")
        for each in detectors:
            cells = [
                " / ".join(f"{getattr(figures(each, axis, level), figure):.{digits}f}" for level in SEVERITIES)
                for axis in AXES
            ]
            print(f"| {each.name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
