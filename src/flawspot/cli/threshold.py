"""``flawspot threshold``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flawspot.cli.console import note, print_json, print_pairs


def threshold(
    file: Annotated[Path, typer.Argument(help="The artifact, an .onnx file.")],
    false_alarm_rate: Annotated[
        float | None,
        typer.Option(help="The share of good parts that may be called anomalous. Default: show the present."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the threshold, or choose another false-alarm rate, without training again."""
    from flawspot.runtime.artifact import read
    from flawspot.runtime.calibration import shortfall
    from flawspot.runtime.signature import signature_of

    artifact = read(file)
    if false_alarm_rate is not None:
        was_signed = signature_of(artifact) is not None
        artifact = artifact.recalibrated(false_alarm_rate)
        artifact.save(file)
        if was_signed:
            note("its signature no longer fits, for the threshold is signed too: sign it again with `flawspot sign`")
        warning = shortfall(artifact.manifest.calibration)
        if warning:
            note(warning)
    calibration = artifact.manifest.calibration
    if as_json:
        print_json(
            {
                "artifact": str(file),
                "false_alarm_rate": calibration.false_alarm_rate,
                "promised_rate": calibration.promised_rate,
                "threshold": calibration.threshold,
                "pixel_threshold": calibration.region_threshold,
                "calibration_images": len(calibration.scores),
            }
        )
        return
    print_pairs(
        [
            ("threshold", f"{calibration.threshold:.6g}"),
            ("false-alarm rate", f"{calibration.promised_rate:.2g} (asked: {calibration.false_alarm_rate:g})"),
            ("held-out images", str(len(calibration.scores))),
        ]
    )
