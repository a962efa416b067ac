"""``flawspot doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flawspot.cli.console import fail, print_json, print_pairs
from flawspot.texts import counted


def doctor(
    file: Annotated[Path | None, typer.Argument(help="An artifact whose self-test is run too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what is installed, which folders are used and whether this machine computes correctly, for a bug report.

    Exits with code 1 if something is broken. Nothing is fetched or sent. Your home folder is shown as ~.
    """
    from flawspot.diagnosis import diagnose

    found = diagnose(file)
    if as_json:
        print_json(found.as_dict())
    else:
        print_pairs(found.rows())
    if found.faults:
        fail(
            f"{counted(len(found.faults), 'thing')} {'is' if len(found.faults) == 1 else 'are'} broken: "
            f"{'; '.join(found.faults)}"
        )
