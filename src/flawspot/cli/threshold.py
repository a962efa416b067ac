"""``flawspot threshold``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flawspot.cli import UNREADABLE_IMAGES
from flawspot.cli.calibration import threshold_rows
from flawspot.cli.console import note, out, print_json, print_pairs
from flawspot.cli.detectors import THREADS, TRUSTED_KEYS, load_tested
from flawspot.cli.outputs import refuse_input
from flawspot.progress.display import DISPLAY
from flawspot.texts import visible

if TYPE_CHECKING:
    from flawspot.metrics.trade_off import Point
    from flawspot.runtime.artifact import Artifact

_SHOWN_RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)

FILE = Annotated[Path, typer.Argument(help="The artifact, an .onnx file.")]
RATE = Annotated[
    float | None,
    typer.Option(help="The share of good parts that may be called anomalous. Default: keep the threshold."),
]
RULE = Annotated[
    str | None,
    typer.Option(
        help="How the rate becomes a threshold. conformal: a rate that the good photographs prove. pareto: a tail "
        "fitted to their highest scores, an estimate that reaches lower rates."
    ),
]
VALUE = Annotated[float | None, typer.Option(help="Set this threshold. No false-alarm rate is promised for it.")]
LABELLED = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="DATA",
        help="Labelled photographs, good and defective, without masks: print false alarms and escapes for several "
        "thresholds. Once a threshold is chosen by them, they no longer serve as a test set.",
    ),
]
BEST_F1 = Annotated[bool, typer.Option("--best-f1", help="With --from: set the threshold with the highest F1.")]
RECALL = Annotated[
    float | None, typer.Option(help="With --from: the highest threshold that finds this share of the defective ones.")
]
ESCAPE_RATE = Annotated[
    float | None,
    typer.Option(
        help="With --from: the highest threshold at which at most this share of defective parts escapes, with 95 % "
        "confidence."
    ),
]
OUTPUT = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write the artifact with the new threshold here. Default: in its place."
    ),
]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def threshold(
    file: FILE,
    false_alarm_rate: RATE = None,
    rule: RULE = None,
    value: VALUE = None,
    labelled: LABELLED = None,
    best_f1: BEST_F1 = False,
    recall: RECALL = None,
    escape_rate: ESCAPE_RATE = None,
    output: OUTPUT = None,
    threads: THREADS = None,
    trusted_keys: TRUSTED_KEYS = None,
    as_json: JSON = False,
) -> None:
    """Show the threshold, or choose another one without training again.

    The file is then rewritten, or with --output another one is written.
    """
    from flawspot.errors import ConfigurationError
    from flawspot.files import check_writable
    from flawspot.runtime.signature import read_trusted

    choices = {"--best-f1": best_f1 or None, "--recall": recall, "--escape-rate": escape_rate}
    chosen = [name for name, given in choices.items() if given is not None]
    if chosen and labelled is None:
        raise ConfigurationError(f"{chosen[0]} needs labelled photographs: add --from DATA")
    if rule is not None and (chosen or value is not None):
        raise ConfigurationError(f"--rule goes with a rate, not with {(chosen or ['--value'])[0]}")
    given = [
        *chosen,
        *(name for name, v in (("--value", value), ("--false-alarm-rate", false_alarm_rate)) if v is not None),
    ]
    if len(given) > 1:
        raise ConfigurationError(f"{' and '.join(given)} exclude each other: give one")
    if output is not None and not given:
        raise ConfigurationError("--output needs a new threshold: add --false-alarm-rate, --value or --from DATA")
    if output is not None:
        refuse_input(output)
        check_writable(output)
    points: list[Point] | None = None
    unseen = 0
    if labelled is not None:
        points, unseen = _points(file, labelled, threads, trusted_keys)
    artifact = read_trusted(file, trusted_keys or None)
    before = artifact.manifest.calibration.threshold
    changed = _changed(artifact, points, false_alarm_rate, rule, value, best_f1, recall, escape_rate)
    told: list[tuple[str, str]] = []
    if changed is not None:
        told.append(_written(file, output))
        told.append(("threshold before", f"{before:.6g}"))
        file = output or file
        _replace(file, artifact, changed)
        artifact = changed
    if as_json:
        _print_json(file, artifact, points, unseen, before)
    else:
        _show(artifact, points, told)
    if unseen:
        note(f"{unseen} of the labelled photographs were not inspected, and are left out of these figures")
        raise typer.Exit(UNREADABLE_IMAGES)


def _points(
    file: Path, labelled: Path, threads: int | None, trusted_keys: list[Path] | None
) -> tuple[list[Point], int]:
    """The figures at each threshold, and the number of files that were not inspected."""
    import numpy as np

    from flawspot.evaluation import evaluate
    from flawspot.metrics.trade_off import trade_off

    detector = load_tested(file, threads=threads, trusted_keys=trusted_keys)
    evaluation = evaluate(detector, labelled, pixels=False, progress=DISPLAY)
    labels = np.array([sample.is_defective for sample in evaluation.samples], np.bool_)
    points = trade_off(evaluation.scores, labels, [evaluation.threshold])
    return points, len(evaluation.skipped) + len(evaluation.data.unread)


def _changed(
    artifact: Artifact,
    points: list[Point] | None,
    false_alarm_rate: float | None,
    rule: str | None,
    value: float | None,
    best: bool,
    recall: float | None,
    escape_rate: float | None,
) -> Artifact | None:
    """The artifact with the new threshold; None if none was asked for."""
    from flawspot.metrics.trade_off import at_escape_rate, at_recall, best_f1

    if value is not None:
        return artifact.with_threshold(value)
    if points is not None:
        point = None
        if best:
            point = best_f1(points)
        elif recall is not None:
            point = at_recall(points, recall)
        elif escape_rate is not None:
            point = at_escape_rate(points, escape_rate)
        if point is not None:
            return artifact.with_threshold(point.threshold)
    if false_alarm_rate is None and rule is None:
        return None
    rate = artifact.manifest.calibration.false_alarm_rate if false_alarm_rate is None else false_alarm_rate
    return artifact.recalibrated(rate, rule=rule or "conformal")


def _replace(file: Path, before: Artifact, after: Artifact) -> None:
    from flawspot.runtime.calibration import shortfall
    from flawspot.runtime.signature import signature_of

    after.save(file)
    if after.manifest.calibration.threshold <= 0:
        note("no score is below 0: every photograph is anomalous at this threshold")
    if before.manifest.smallest is not None and after.manifest.smallest is None:
        note("the smallest defects were measured at the old threshold and are removed: run `flawspot smallest` again")
    if signature_of(before) is not None:
        note(
            "its signature is removed, because the threshold has changed. Devices with trusted keys refuse it: sign it "
            "again with `flawspot sign`"
        )
    warning = shortfall(after.manifest.calibration, updatable=bool(after.manifest.updates))
    if warning:
        note(warning)


def _written(file: Path, output: Path | None) -> tuple[str, str]:
    """The line that says which file has the new threshold."""
    if output is None or (output.exists() and output.samefile(file)):
        return "artifact", f"{visible(str(file))}, rewritten in its place"
    return "artifact", f"{visible(str(output))}; {visible(str(file))} is unchanged"


def _print_json(file: Path, artifact: Artifact, points: list[Point] | None, unseen: int, before: float) -> None:
    from flawspot.runtime.calibration import proved_rate

    calibration = artifact.manifest.calibration
    table: dict[str, Any] = {}
    if points is not None:
        table = {"trade_off": [_as_dict(point) for point in points], "not_inspected": unseen}
    print_json(
        {
            "artifact": str(file),
            "false_alarm_rate": calibration.false_alarm_rate,
            "promised_rate": calibration.promised_rate,
            "proved_rate": proved_rate(calibration),
            "rule": calibration.rule,
            "threshold": calibration.threshold,
            "threshold_before": before,
            "pixel_threshold": calibration.region_threshold,
            "calibration_images": len(calibration.scores),
            **table,
        }
    )


def _show(artifact: Artifact, points: list[Point] | None, told: list[tuple[str, str]]) -> None:
    """Print the trade-off, if there is one, what was written, and the threshold."""
    calibration = artifact.manifest.calibration
    if points is not None:
        _print_trade_off(points, calibration.threshold)
    print_pairs([*told, *threshold_rows(calibration), ("scored images", str(len(calibration.scores)))])


def _print_trade_off(points: list[Point], threshold: float) -> None:
    from flawspot.metrics.trade_off import best_f1

    # With few good photographs, several rates have the same threshold.
    rates = {rate: _within(points, rate) for rate in reversed(_SHOWN_RATES)}
    first = {point.threshold: rate for rate, point in rates.items()}
    rows = {f"at most {rate:g} of good": rates[rate] for rate in sorted(first.values())}
    rows["highest F1"] = best_f1(points)
    present = [point for point in points if point.threshold == threshold]
    if present:
        rows["this detector"] = present[0]
    out.print(f"{'':<20}  {'threshold':>10}  {'false alarms (95 %)':>26}  {'found (95 %)':>26}  {'F1':>5}")
    for name, point in rows.items():
        alarms, found = _share(point.false_alarms, point.good), _share(point.found, point.defective)
        out.print(f"{name:<20}  {point.threshold:>10.5g}  {alarms:>26}  {found:>26}  {point.f1:>5.3f}")


def _within(points: list[Point], rate: float) -> Point:
    """The lowest threshold whose share of false alarms is at most `rate`."""
    return min((p for p in points if p.false_alarms <= rate * p.good + 1e-9), key=lambda p: p.threshold)


def _share(count: int, total: int) -> str:
    from flawspot.metrics.intervals import wilson

    low, high = wilson(count, total)
    return f"{count} of {total} ({low:.3f} to {high:.3f})"


def _as_dict(point: Point) -> dict[str, float]:
    return {
        "threshold": point.threshold,
        "false_alarms": point.false_alarms,
        "good": point.good,
        "found": point.found,
        "defective": point.defective,
        "f1": point.f1,
    }
