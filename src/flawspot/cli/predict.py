"""``flawspot predict``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.cli import ANOMALIES_FOUND, UNREADABLE_IMAGES
from flawspot.cli.console import err, note, out, print_json, styled
from flawspot.cli.detectors import FAST_JPEG, THREADS, TRUSTED_KEYS, load_tested
from flawspot.cli.streams import OutputError
from flawspot.errors import FlawspotError, ImageError, InspectionError
from flawspot.files import check_folder
from flawspot.progress.display import DISPLAY
from flawspot.texts import counted, listed

if TYPE_CHECKING:
    from flawspot.runtime.detector import Detector
    from flawspot.runtime.photographs import Photographs
    from flawspot.runtime.prediction import Prediction

EXPLAINED = "severity: score / threshold, anomalous above 1;  p: the share of good parts as anomalous"


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
        bool,
        typer.Option(
            "--fail-on-anomaly",
            help="End with exit code 4 if any photograph is anomalous; with 3, as always, if one was not inspected.",
        ),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail at the first file that cannot be inspected.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line for each photograph.")] = False,
) -> None:
    """Find the defects in new photographs."""
    from flawspot.runtime.photographs import find_photographs
    from flawspot.runtime.pictures import picture_paths

    if output is not None:
        check_folder(output)
    detector = load_tested(file, threads=threads, fast_jpeg=fast_jpeg, trusted_keys=trusted_keys)
    photographs = find_photographs(images)
    _tell_passed_over(photographs)
    paths = [path for path, _ in photographs.found]
    pictures = picture_paths(photographs.found, output) if output is not None else {}
    for folder in {picture.parent for picture in pictures.values()}:
        check_folder(folder)
    if not as_json:
        err.print(styled(EXPLAINED, "dim"))
    counts = _Counts()
    try:
        _tell_unread(photographs.unread, counts, as_json, strict)
        _predict(detector, paths, pictures, counts, as_json, strict)
    except OutputError as error:
        if error.reader_is_gone and fail_on_anomaly:  # whose exit code 0 would mean that all is good
            raise FlawspotError(f"{error}: not all photographs were inspected") from error
        raise
    if not as_json and counts.predicted:
        where = f"; pictures in {output}" if output else ""
        said = (
            f"{counts.predicted} photographs: {counts.anomalous} anomalous, {counts.predicted - counts.anomalous} good"
        )
        err.print(f"{said}; {1000 * counts.seconds / counts.predicted:.1f} ms each{where}")
    if counts.not_inspected:
        whole = len(paths) + len(photographs.unread)
        note(f"{counts.not_inspected} of {whole} photographs were not inspected")
        raise typer.Exit(UNREADABLE_IMAGES)
    if fail_on_anomaly and counts.anomalous:
        raise typer.Exit(ANOMALIES_FOUND)


@dataclass
class _Counts:
    """What has been found so far, and the seconds that the detector took."""

    predicted: int = 0
    anomalous: int = 0
    not_inspected: int = 0
    seconds: float = 0.0


def _predict(
    detector: Detector,
    paths: Sequence[Path],
    pictures: Mapping[Path, Path],
    counts: _Counts,
    as_json: bool,
    strict: bool,
) -> None:
    """Predict, print and draw one photograph after the other."""
    from flawspot.runtime.prefetch import prefetch

    for path, image in DISPLAY.track(prefetch(paths, detector.read), "predicting", len(paths)):
        try:
            if isinstance(image, Exception):
                raise image
            prediction = detector.predict(image)
        except (ImageError, InspectionError) as error:
            if strict:
                raise
            counts.not_inspected += 1
            _print_not_inspected(path, error, as_json)
            continue
        counts.predicted += 1
        counts.anomalous += prediction.is_anomalous
        counts.seconds += prediction.seconds
        _print_prediction(path, prediction, as_json)
        if path in pictures:
            prediction.save(pictures[path])


def _tell_passed_over(photographs: Photographs) -> None:
    """What lies in a folder and is no photograph."""
    if photographs.drawn:
        note(f"passed over {counted(photographs.drawn, 'picture')} that flawspot drew itself")
    if photographs.companions:
        names = listed((path.name for path in photographs.companions), 5)
        note(f"passed over {counted(len(photographs.companions), 'file')} of texts and tables: {names}")


def _tell_unread(paths: Sequence[Path], counts: _Counts, as_json: bool, strict: bool) -> None:
    """What lies in a folder and is not read has not been judged."""
    for path in paths:
        kind = path.suffix or "no suffix"
        error = ImageError(f"{path} is of a kind that is not read ({kind}): save it as PNG or JPEG")
        if strict:
            raise error
        counts.not_inspected += 1
        _print_not_inspected(path, error, as_json)


def _print_prediction(path: Path, prediction: Prediction, as_json: bool) -> None:
    if as_json:
        print_json(prediction.to_dict())
        return
    verdict = styled("anomalous ", "bold red") if prediction.is_anomalous else styled("good      ", "green")
    figures = f"severity {prediction.severity_text:<7} score {prediction.score:<10.5g} p {prediction.p_value:.4f}"
    out.print(verdict, figures, str(path), sep="  ")


def _print_not_inspected(path: Path, error: ImageError | InspectionError, as_json: bool) -> None:
    reason = str(error).removeprefix("not inspected: ")
    if as_json:
        print_json({"path": str(path), "verdict": "not inspected", "is_anomalous": None, "error": reason})
    else:
        named = "" if str(path) in reason else f"{path}: "
        out.print(styled("not inspected", "bold yellow"), named + reason, sep="  ")
