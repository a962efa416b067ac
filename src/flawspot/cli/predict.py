"""``flawspot predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from flawspot.cli import ANOMALIES_FOUND, UNREADABLE_IMAGES
from flawspot.cli.console import err, note, out, print_json
from flawspot.cli.detectors import FAST_JPEG, THREADS, TRUSTED_KEYS, load_tested
from flawspot.errors import ImageError, InspectionError
from flawspot.progress.display import DISPLAY

if TYPE_CHECKING:
    from flawspot.runtime.prediction import Prediction


def predict(
    file: Annotated[Path, typer.Argument(help="The artifact, an .onnx file.")],
    images: Annotated[list[str], typer.Argument(help="Photographs: files, folders or patterns such as 'new/*.png'.")],
    output: Annotated[
        Path | None,
        typer.Option("--out", help="Write a picture of each photograph with its heat map into this folder."),
    ] = None,
    threads: THREADS = None,
    fast_jpeg: FAST_JPEG = False,
    trusted_keys: TRUSTED_KEYS = None,
    fail_on_anomaly: Annotated[
        bool, typer.Option("--fail-on-anomaly", help="End with exit code 4 if any photograph is anomalous.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line for each photograph.")] = False,
) -> None:
    """Find the defects in new photographs."""
    from flawspot.runtime.photographs import find_photographs
    from flawspot.runtime.pictures import picture_paths
    from flawspot.runtime.prefetch import prefetch

    detector = load_tested(file, threads=threads, fast_jpeg=fast_jpeg, trusted_keys=trusted_keys)
    photographs = find_photographs(images)
    if photographs.drawn:
        count = f"{photographs.drawn} picture{'' if photographs.drawn == 1 else 's'}"
        note(f"passed over {count} that flawspot drew itself")
    paths = [path for path, _ in photographs.found]
    pictures = picture_paths(photographs.found, output) if output is not None else {}
    anomalous = missed = 0
    seconds = 0.0
    if not as_json:
        err.print("[dim]severity: score / threshold, anomalous above 1;  p: the share of good parts as anomalous[/]")
    for path, image in DISPLAY.track(prefetch(paths, detector.read), "predicting", len(paths)):
        try:
            if isinstance(image, Exception):
                raise image
            prediction = detector.predict(image)
        except (ImageError, InspectionError) as error:
            missed += 1
            _print_not_inspected(path, error, as_json)
            continue
        anomalous += prediction.is_anomalous
        seconds += prediction.seconds
        _print_prediction(path, prediction, as_json)
        if path in pictures:
            prediction.save(pictures[path])
    predicted = len(paths) - missed
    if not as_json and predicted:
        where = f"; pictures in {output}" if output else ""
        counts = f"{predicted} photographs: {anomalous} anomalous, {predicted - anomalous} good"
        err.print(f"{counts}; {1000 * seconds / predicted:.1f} ms each{where}")
    if missed:
        note(f"{missed} of {len(paths)} photographs were not inspected")
        raise typer.Exit(UNREADABLE_IMAGES)
    if fail_on_anomaly and anomalous:
        raise typer.Exit(ANOMALIES_FOUND)


def _print_prediction(path: Path, prediction: Prediction, as_json: bool) -> None:
    if as_json:
        print_json(prediction.to_dict())
        return
    verdict = "[bold red]anomalous[/] " if prediction.is_anomalous else "[green]good[/]      "
    figures = f"severity {prediction.severity_text:<7} score {prediction.score:<10.5g} p {prediction.p_value:.4f}"
    out.print(f"{verdict}  {figures}  {escape(str(path))}")


def _print_not_inspected(path: Path, error: ImageError | InspectionError, as_json: bool) -> None:
    reason = str(error).removeprefix("not inspected: ")
    if as_json:
        print_json({"path": str(path), "verdict": "not inspected", "is_anomalous": None, "error": reason})
    else:
        named = "" if str(path) in reason else f"{path}: "
        out.print(f"[bold yellow]not inspected[/]  {escape(named + reason)}")
