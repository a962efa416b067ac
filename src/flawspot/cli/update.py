"""``flawspot update``: write a new artifact that has also learned from new good photographs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.cli import UNREADABLE_IMAGES
from flawspot.cli.calibration import threshold_rows
from flawspot.cli.console import note, print_json, print_pairs
from flawspot.cli.data import GOOD, LIST, open_given
from flawspot.cli.detectors import TRUSTED_KEYS
from flawspot.cli.train import GROUP, STRICT
from flawspot.progress.display import DISPLAY
from flawspot.texts import counted, visible

if TYPE_CHECKING:
    from flawspot.updating import Report, Updated

OUTPUT = Annotated[
    Path,
    typer.Option("--output", "-o", help="The new artifact to write, an .onnx file; its state is written beside it."),
]


def update(
    file: Annotated[Path, typer.Argument(help="The artifact, an .onnx file that `train --state` wrote.")],
    output: OUTPUT,
    data: Annotated[
        Path | None, typer.Argument(help="New photographs of good parts: a folder of them, or the MVTec layout.")
    ] = None,
    from_list: LIST = None,
    good: GOOD = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The .state file that training or the last update wrote. Default: the one beside the artifact.",
        ),
    ] = None,
    group: GROUP = None,
    calibration_fraction: Annotated[
        float, typer.Option(help="The share of new photographs that is held out for the threshold, between 0 and 1.")
    ] = 0.2,
    false_alarm_rate: Annotated[
        float | None,
        typer.Option(help="The share of good parts that may be called anomalous. Default: as in training."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    strict: STRICT = False,
    trusted_keys: TRUSTED_KEYS = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Learn from new good photographs, without the old ones, and write a new artifact.

    Photographs that the detector knows are left out. A share of the new ones sets the threshold, together with those
    that were held out before. The old artifact is not changed. Methods that train a student need torch: stfpm, paste,
    and jury, the default. cfa trains its descriptor further where torch is. The others do without.
    """
    from flawspot.updating import update as run

    folder = open_given(data, from_list, good)
    found = run(
        file,
        folder,
        state=state,
        output=output,
        group=group,
        calibration_fraction=calibration_fraction,
        false_alarm_rate=false_alarm_rate,
        seed=seed,
        strict=strict,
        trusted_keys=trusted_keys or None,
        progress=DISPLAY,
    )
    written = output if found.report.learned or found.report.held_out else None
    if as_json:
        print_json({"artifact": None if written is None else str(written), **found.report.as_dict()})
    else:
        print_pairs(_rows(found, file, output, written))
    _notes(found, written)
    if found.report.not_inspected:
        raise typer.Exit(UNREADABLE_IMAGES)


def _notes(found: Updated, written: Path | None) -> None:
    """Print what a person should know before approving the new artifact."""
    from flawspot.runtime.calibration import shortfall

    warning = None if written is None else shortfall(found.artifact.manifest.calibration, updatable=True)
    if warning is not None:
        note(warning)
    for line in found.report.warnings:
        note(line)


def _rows(found: Updated, file: Path, output: Path, written: Path | None) -> list[tuple[str, str]]:
    report, calibration = found.report, found.artifact.manifest.calibration
    unchanged = f"{visible(str(file))}, unchanged; {visible(str(output))} is not written"
    rows = [("artifact", unchanged if written is None else _sizes(found, written))]
    rows.append(("new photographs", _photographs(report)))
    rows += [("learned" if not number else "", line) for number, line in enumerate(report.told)]
    if written is None:
        return rows
    rows.append(("threshold before", f"{report.threshold_before:.6g}"))
    rows += threshold_rows(calibration)
    rows.append(("alarms on new ones", _alarms(report.new_alarms_before, report.new_alarms, report.held_out)))
    rows.append(("alarms on old ones", _alarms(report.old_alarms_before, report.old_alarms, report.old_held_out)))
    if report.pasted:
        found_now = f"{report.pasted_found} of {report.pasted} found"
        rows.append(("pasted defects", f"{found_now}; the old detector at its threshold: {report.pasted_found_before}"))
        alone, alike = report.pasted_alone, report.pasted_alike
        rows.append(("by the defect alone", f"{alone.now}; the old detector at its threshold: {alone.before}"))
        before = f"the old detector, at {report.threshold_alike:.6g}: {alike.before}"
        rows.append(("at one promised rate", f"{alike.now}; {before}"))
    if report.suspects:
        rows.append(("unusual new ones", ", ".join(map(visible, report.suspects))))
    rows.append(("seconds", f"{report.seconds:.1f}"))
    return rows


def _sizes(found: Updated, written: Path) -> str:
    state = found.artifact.state
    assert state is not None  # an update keeps one
    sizes = f"{len(found.artifact.model) / 2**20:.1f} MiB; its state {state.nbytes / 2**20:.1f} MiB"
    return f"{visible(str(written))} ({sizes})"


def _photographs(report: Report) -> str:
    held_out = f"{report.held_out} held out to set the threshold"
    chose = f", {report.validated} chose the epoch" if report.validated else ""
    known = f"; {counted(report.known, 'known one')} left out" if report.known else ""
    unread = f"; {len(report.not_inspected)} unreadable" if report.not_inspected else ""
    return f"{report.learned} to learn from, {held_out}{chose}{known}{unread}"


def _alarms(before: int, after: int, held_out: int) -> str:
    return f"{after} of {counted(held_out, 'held-out photograph')}; the old detector at its threshold: {before}"
