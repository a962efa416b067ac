"""``flawspot evaluate``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.cli import UNREADABLE_IMAGES
from flawspot.cli.console import note, print_json, print_pairs
from flawspot.cli.data import GOOD, LIST, open_given, print_data
from flawspot.cli.detectors import FAST_JPEG, THREADS, TRUSTED_KEYS, load_tested
from flawspot.cli.outputs import PAGES, TABLES, check_output
from flawspot.progress.display import DISPLAY
from flawspot.texts import visible

if TYPE_CHECKING:
    from flawspot.evaluation import Evaluation
    from flawspot.evaluation.outcomes import Outcome
    from flawspot.runtime.manifest import Manifest

_TITLES = {
    "auroc": "AUROC",
    "ap": "AP",
    "f1_max": "F1 max",
    "aupro_normalized": "AUPRO",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "false_alarm_rate": "false alarm rate",
}

PAGE = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE.html", help="Write one page with pictures of the wrong verdicts."),
]
SCORES = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the score and verdict of each photograph: .csv or .json.")
]
_NAMED = 5
"""Photographs named for each kind of mistake."""


def evaluate(
    file: Annotated[Path, typer.Argument(help="The artifact, an .onnx file.")],
    data: Annotated[
        Path | None,
        typer.Argument(help="A folder in the MVTec layout, or with folders of good and of defective parts."),
    ] = None,
    from_list: LIST = None,
    good: GOOD = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail at the first file that cannot be read.")] = False,
    threads: THREADS = None,
    fast_jpeg: FAST_JPEG = False,
    trusted_keys: TRUSTED_KEYS = None,
    page: PAGE = None,
    scores: SCORES = None,
    mask_size: Annotated[
        bool,
        typer.Option("--mask-size", help="Also measure pixels at the masks' own size, as some papers do. Slower."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a detector on labelled photographs that it has never seen."""
    from flawspot.evaluation import evaluate as run
    from flawspot.evaluation.outcomes import write_scores
    from flawspot.evaluation.page import write_page

    check_output(page, PAGES, file, from_list)
    check_output(scores, TABLES, file, from_list)
    detector = load_tested(file, threads=threads, fast_jpeg=fast_jpeg, trusted_keys=trusted_keys)
    folder = open_given(data, from_list, good)
    evaluation = run(detector, folder, strict=strict, mask_size=mask_size, progress=DISPLAY)
    if scores is not None:
        write_scores(evaluation, scores)
    if page is not None:
        write_page(evaluation, detector, page, progress=DISPLAY)
    _show(evaluation, detector.manifest, as_json)
    if evaluation.skipped or evaluation.data.unread:
        raise typer.Exit(UNREADABLE_IMAGES)


def _show(evaluation: Evaluation, manifest: Manifest, as_json: bool) -> None:
    from flawspot.evaluation.outcomes import by_kind, outcomes

    folder, found, at_masks = evaluation.data, outcomes(evaluation), evaluation.at_mask_size
    if as_json:
        print_json(
            {
                **evaluation.metrics.as_dict(),
                **({} if at_masks is None else {"at_mask_size": at_masks.as_dict()}),
                "undefined": evaluation.undefined,
                "skipped": len(evaluation.skipped),
                "skipped_names": [visible(path.name) for path, _ in evaluation.skipped],
                "data": folder.as_dict(),
                "weights": manifest.backbone.weights,
                "kinds": [dataclasses.asdict(kind) for kind in by_kind(found)],
                "wrong": [each.name for each in found if not each.is_right],
            }
        )
    else:
        if manifest.backbone.weights == "random":
            note("the backbone of this detector has random weights")
        print_data(folder)
        print_pairs([*_rows(evaluation, manifest.calibration.threshold), *_outcomes(found)])
    if folder.tested_on_what_is_learned:
        note("the good photographs serve for training and testing: if it learned from these, false alarms look rarer")


def _outcomes(found: list[Outcome]) -> list[tuple[str, str]]:
    """Rows with the share called anomalous for each kind, and the wrong verdicts."""
    from flawspot.evaluation.outcomes import by_kind, wrong

    rows = [
        (
            f"anomalous: {kind.name if kind.is_defective else 'good parts'}",
            f"{kind.anomalous} of {kind.total} ({kind.low:.3f} to {kind.high:.3f}, 95 %)",
        )
        for kind in by_kind(found)
    ]
    for title, mistakes in zip(("missed", "false alarms"), wrong(found), strict=True):
        named = ", ".join(each.name for each in mistakes[:_NAMED])
        more = f" and {len(mistakes) - _NAMED} more" if len(mistakes) > _NAMED else ""
        rows += [(title, f"{named}{more}")] if mistakes else []
    return rows


def _rows(evaluation: Evaluation, threshold: float) -> list[tuple[str, str]]:
    metrics = evaluation.metrics
    images, pixels = ("auroc", "ap", "f1_max"), ("auroc", "ap", "f1_max", "aupro_normalized")
    at_threshold = ("f1", "precision", "recall", "false_alarm_rate")
    return [
        ("images", f"{metrics.good_images} good, {metrics.defective_images} defective"),
        ("image level", _line(evaluation, "image", images)),
        ("pixel level", _line(evaluation, "pixel", pixels)),
        *_at_mask_size(evaluation, pixels),
        (f"at the threshold {threshold:.5g}", _line(evaluation, "image", at_threshold)),
    ]


def _at_mask_size(evaluation: Evaluation, names: tuple[str, ...]) -> list[tuple[str, str]]:
    if evaluation.at_mask_size is None:
        return []
    values = evaluation.at_mask_size.as_dict()
    known = [f"{_TITLES[name]} {value:.4f}" for name in names if (value := values[f"pixel_{name}"]) is not None]
    return [("at the masks' size", "   ".join(known) or "no figure: see pixel level")]


def _line(evaluation: Evaluation, level: str, names: tuple[str, ...]) -> str:
    """The known figures, and the reasons why others are unknown."""
    values, undefined = evaluation.metrics.as_dict(), evaluation.undefined
    known = [f"{_TITLES[name]} {value:.4f}" for name in names if (value := values[f"{level}_{name}"]) is not None]
    reasons: dict[str, list[str]] = {}
    for name in names:
        if (reason := undefined.get(f"{level}_{name}")) is not None:
            reasons.setdefault(reason, []).append(_TITLES[name])
    return "   ".join([*known, *(f"no {', '.join(which)}: {reason}" for reason, which in reasons.items())])
