"""``flawspot export``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.cli.console import note, print_json, print_pairs
from flawspot.cli.detectors import TRUSTED_KEYS
from flawspot.progress.display import DISPLAY
from flawspot.texts import visible

if TYPE_CHECKING:
    from flawspot.export.translate import Report

TARGET = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="TARGET",
        help="The target. c: a C99 file with its header. onnx-fixed: ONNX of one fixed shape in plain operators. "
        "tflite: a file for TFLite-Micro and LiteRT. web: a folder with a page that inspects photographs.",
    ),
]
OUTPUT = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="The file or folder to write: part.c (its header goes beside it), part_fixed.onnx, part.tflite, or a "
        "folder for web.",
    ),
]
PHOTOGRAPHS = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Compare on the good photographs of this folder: on those that set the threshold, if their names are "
        "known. Default: pictures that flawspot draws.",
    ),
]
DATA = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Also measure both on labelled photographs, as evaluate does.")
]
RUNTIME = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER_OR_TGZ",
        help="For web: take onnxruntime-web from here. Default: fetch it once, with npm or from npm's registry.",
    ),
]
UNVERIFIED = Annotated[bool, typer.Option("--unverified", help="Write it even if nothing here can run it to compare.")]
INT8 = Annotated[bool, typer.Option("--int8", hidden=True)]


def export(
    file: Annotated[Path, typer.Argument(help="The artifact, an .onnx file.")],
    output: OUTPUT,
    target: TARGET = "c",
    photographs: PHOTOGRAPHS = None,
    data: DATA = None,
    unverified: UNVERIFIED = False,
    runtime: RUNTIME = None,
    trusted_keys: TRUSTED_KEYS = None,
    int8: INT8 = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Translate an artifact for a target, and check that the translation computes the same."""
    from flawspot.errors import ConfigurationError
    from flawspot.export.translate import export as translate
    from flawspot.runtime.signature import read_trusted

    if int8:
        raise ConfigurationError(
            "a trained detector is not converted to int8, as it would call good parts anomalous. Train one with "
            "flawspot train --precision int8"
        )
    with contextlib.suppress(OSError):
        if output.samefile(file):
            raise ConfigurationError(f"cannot write {output}: it is the artifact itself; name another file")
    artifact = read_trusted(file, trusted_keys or None)
    report = translate(
        artifact,
        output,
        target,
        folder=photographs,
        data=data,
        unverified=unverified,
        runtime=runtime,
        progress=DISPLAY,
    )
    if as_json:
        print_json(report.as_dict())
    else:
        print_pairs(_rows(report))
    if report.parity is not None and photographs is None and report.parity.artifact_false_alarms > 0:
        note(
            "some pictures that flawspot drew were called anomalous, as they do not show your parts. Their verdicts "
            "say little: compare with --photographs"
        )
    if not report.verified:
        note("the translation was not compared with the artifact, because nothing here can run it")


def _rows(report: Report) -> list[tuple[str, str]]:
    total = sum(report.parts.values())
    rows = [
        ("detector", report.title),
        ("written", ", ".join(report.files)),
        *((f"bytes: {name}", f"{size:,}") for name, size in report.parts.items()),
        ("bytes: all" if report.arena is None else "bytes: constants", f"{total:,}"),
        *([] if report.code is None else [("bytes: code", f"{report.code:,} on this machine's processor")]),
        *([] if report.arena is None else [("arena", f"{report.arena:,} bytes")]),
        ("multiply-accumulates", f"{report.macs:,}"),
    ]
    parity = report.parity
    if parity is None:
        return [*rows, ("compared", "no")]
    rows += [
        ("compared on", visible(parity.pictures)),
        ("compared with", visible(report.compared_with or "")),
        ("map, score", f"differ by {parity.map_difference:.1e} and {parity.score_difference:.1e} of the map's maximum"),
    ]
    if parity.layers is not None:
        layers = parity.layers
        share = f"at most {100 * layers.share:.2g} % of a layer's numbers differ, by at most {layers.steps}"
        rows.append(("layers", f"{layers.compared}: {share}"))
    drawn = "generated" in parity.pictures
    alarms = f"{parity.false_alarms:.3f}; the artifact's: {parity.artifact_false_alarms:.3f}"
    rows += [
        (
            "verdicts",
            f"{100 * parity.verdicts:.4g} % agree; the scores' ranks correlate with {parity.rank_correlation:.5f}",
        ),
        *([] if drawn else [("false alarms", alarms)]),
        ("threshold", f"{parity.threshold:.9g}"),
    ]
    for name, values in (report.figures or {}).items():
        shown = ", ".join(f"{figure.replace('_', ' ')} {_shown(value)}" for figure, value in values.items())
        rows.append((f"{name}, labelled photographs", shown))
    return rows


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
