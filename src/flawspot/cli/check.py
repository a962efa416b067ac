"""``flawspot check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flawspot.cli import UNREADABLE_IMAGES
from flawspot.cli.console import note, out, print_json, styled
from flawspot.cli.data import GOOD, LIST, open_given, print_data
from flawspot.progress.display import DISPLAY


def check(
    data: Annotated[
        Path | None, typer.Argument(help="Photographs of good parts: a folder of them, or the MVTec layout.")
    ] = None,
    from_list: LIST = None,
    good: GOOD = None,
    false_alarm_rate: Annotated[float, typer.Option(help="The rate that the detector is to have.")] = 0.01,
    page: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.html", help="Write one page with the photographs of each finding."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="End with exit code 1 if there is a problem.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look at photographs of good parts before a detector learns from them: copies, blur, light, sizes, depth."""
    from flawspot.checking import check as run
    from flawspot.checking.page import write_page
    from flawspot.errors import DataError

    checked = run(open_given(data, from_list, good), false_alarm_rate=false_alarm_rate, progress=DISPLAY)
    if page is not None:
        write_page(checked, page)
        note(f"the page is {page}")
    if as_json:
        print_json(checked.as_dict())
    else:
        print_data(checked.data)
        out.print(f"{len(checked.images)} photographs of {checked.parts} parts, {checked.problems} problems")
        for finding, line in zip(checked.findings, checked.lines(), strict=True):
            kind = styled("problem", "bold red") if finding.is_problem else styled("remark ", "dim")
            out.print(kind, line)
    if strict and checked.problems:
        raise DataError(f"{checked.problems} problems in {checked.data.root}: see above")
    if checked.skipped:
        raise typer.Exit(UNREADABLE_IMAGES)
