"""``flawspot check``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.cli import UNREADABLE_IMAGES
from flawspot.cli.console import note, out, print_json, styled
from flawspot.cli.data import GOOD, LIST, open_given, print_data
from flawspot.cli.outputs import PAGES, check_output
from flawspot.progress.display import DISPLAY
from flawspot.texts import counted

if TYPE_CHECKING:
    from flawspot.checking import Check


def check(
    data: Annotated[
        Path | None, typer.Argument(help="Photographs of good parts: a folder of them, or the MVTec layout.")
    ] = None,
    from_list: LIST = None,
    good: GOOD = None,
    false_alarm_rate: Annotated[float, typer.Option(help="The false-alarm rate that training will ask for.")] = 0.01,
    method: Annotated[
        str | None,
        typer.Option(
            help="Also train detectors of this method, each without some of the photographs, and name those that score "
            "unusually high: perhaps bad parts among the good. `padim` takes seconds."
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.html", help="Write one page with the photographs of each finding."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="End with exit code 1 if there is a problem.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check photographs of good parts before training: copies, blur, light, sizes, depth."""
    from flawspot.checking import check as run
    from flawspot.checking.page import write_page
    from flawspot.errors import DataError

    check_output(page, PAGES, from_list)
    checked = run(open_given(data, from_list, good), false_alarm_rate=false_alarm_rate, progress=DISPLAY)
    if method is not None:
        checked = _with_suspects(checked, method)
    if page is not None:
        write_page(checked, page)
        note(f"the page is {page}")
    if as_json:
        print_json(checked.as_dict())
    else:
        print_data(checked.data)
        count, shown = counted(len(checked.images), "photograph"), counted(checked.parts, "part")
        out.print(f"{count} of {shown}, {counted(checked.problems, 'problem')}")
        for finding, line in zip(checked.findings, checked.lines(), strict=True):
            kind = styled("problem", "bold red") if finding.is_problem else styled("remark ", "dim")
            out.print(kind, line)
    if strict and checked.problems:
        raise DataError(f"{counted(checked.problems, 'problem')} in {checked.data.root}: see above")
    if checked.skipped:
        raise typer.Exit(UNREADABLE_IMAGES)


def _with_suspects(checked: Check, method: str) -> Check:
    """Add the photographs that score unusually high by a detector that has not seen them."""
    from flawspot.data.findings import Finding
    from flawspot.runtime.calibration import outlying
    from flawspot.training import train

    artifact = train(checked.data, method=method, calibration="cross", progress=DISPLAY)
    calibration = artifact.manifest.calibration
    odd = {calibration.names[place] for place in outlying(calibration.scores)}
    rows = tuple(row for row, name in enumerate(checked.names()) if name in odd)
    if not rows:
        return checked
    finding = Finding("suspect", f"scores unusually high by {method}; a bad part among the good?", rows, True)
    return dataclasses.replace(checked, findings=(finding, *checked.findings))
