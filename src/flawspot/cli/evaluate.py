"""``flawspot evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.cli import FAST_JPEG, MAX_THREADS, UNREADABLE_IMAGES
from flawspot.cli.console import note, print_json, print_pairs
from flawspot.progress.display import DISPLAY

if TYPE_CHECKING:
    from flawspot.metrics import Metrics


def evaluate(
    file: Annotated[Path, typer.Argument(help="The artifact, an .onnx file.")],
    data: Annotated[Path, typer.Argument(help="A folder in the MVTec layout, with test and ground_truth.")],
    strict: Annotated[bool, typer.Option("--strict", help="Fail at the first photograph that cannot be read.")] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, max=MAX_THREADS, help="How many threads to use. Default: all cores.")
    ] = None,
    fast_jpeg: Annotated[bool, typer.Option("--fast-jpeg", help=FAST_JPEG)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a detector on labelled photographs that it has never seen."""
    from flawspot.evaluation import evaluate as run
    from flawspot.runtime.detector import load

    detector = load(file, threads=threads, fast_jpeg=fast_jpeg)
    evaluation = run(detector, data, strict=strict, progress=DISPLAY)
    manifest = detector.manifest
    if as_json:
        skipped = len(evaluation.skipped)
        print_json({**evaluation.metrics.as_dict(), "skipped": skipped, "weights": manifest.backbone.weights})
    else:
        if manifest.backbone.weights == "random":
            note("the backbone of this detector has random weights")
        print_pairs(_rows(evaluation.metrics, manifest.calibration.threshold))
    if evaluation.skipped:
        raise typer.Exit(UNREADABLE_IMAGES)


def _rows(metrics: Metrics, threshold: float) -> list[tuple[str, str]]:
    return [
        ("images", f"{metrics.good_images} good, {metrics.defective_images} defective"),
        ("image level", _line(AUROC=metrics.image_auroc, AP=metrics.image_ap, F1_max=metrics.image_f1_max)),
        (
            "pixel level",
            _line(
                AUROC=metrics.pixel_auroc,
                AP=metrics.pixel_ap,
                F1_max=metrics.pixel_f1_max,
                AUPRO=metrics.pixel_aupro_normalized,
            ),
        ),
        (
            f"at the threshold {threshold:.5g}",
            _line(
                F1=metrics.image_f1,
                precision=metrics.image_precision,
                recall=metrics.image_recall,
                false_alarm_rate=metrics.image_false_alarm_rate,
            ),
        ),
    ]


def _line(**figures: float | None) -> str:
    return "   ".join(
        f"{name.replace('_', ' ')} {'undefined' if value is None else f'{value:.4f}'}"
        for name, value in figures.items()
    )
