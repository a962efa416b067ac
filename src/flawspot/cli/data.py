"""The options by which commands are given labelled photographs, and the table of how the folders were read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.cli.console import out, styled
from flawspot.errors import ConfigurationError

if TYPE_CHECKING:
    from flawspot.data.folders import ImageFolder

_NAMES_SHOWN = 5

GOOD = Annotated[
    list[str] | None,
    typer.Option(
        "--good",
        metavar="NAME",
        help="A folder of good parts (its name, its path below DATA or a pattern), or a label in a list; repeatable. "
        "Default: the usual names, such as good, OK and normal.",
    ),
]
LIST = Annotated[
    Path | None,
    typer.Option(
        "--list",
        metavar="FILE",
        help="Instead of DATA: a file with one photograph's path a line; CSV with path, label and mask; or JSON Lines "
        "with source-ref and anomaly-label.",
    ),
]


def open_given(data: Path | None, from_list: Path | None, good: list[str] | None) -> ImageFolder:
    """The photographs that a command line names.

    Raises:
        DataError: as `flawspot.data.folders.open_data`.
        ConfigurationError: both were given, or none.
    """
    from flawspot.data.folders import open_data
    from flawspot.data.lists import open_list

    if data is None and from_list is None:
        raise ConfigurationError("no photographs were named: give a folder of them, or --list FILE")
    if data is not None and from_list is not None:
        raise ConfigurationError(f"give a folder or a list, not both: {data} or --list {from_list}")
    return open_list(from_list, good or ()) if from_list is not None else open_data(data or Path(), good or ())


def print_data(folder: ImageFolder) -> None:
    """Print a line for each folder: what it was read as, or why it was left out."""
    rows = [(taken.count, taken.folder, taken.role, "") for taken in folder.taken]
    for left in folder.left_out:
        names = ", ".join(path.name for path in left.paths[:_NAMES_SHOWN])
        more = f" and {len(left.paths) - _NAMES_SHOWN} more" if len(left.paths) > _NAMES_SHOWN else ""
        rows.append((len(left.paths), left.folder, "left out", f": {left.reason}: {names}{more}"))
    counts = max((len(str(row[0])) for row in rows), default=0)
    width = min(max((len(row[1]) for row in rows), default=0), 40)
    for count, name, role, why in rows:
        style = "yellow" if why else "dim"
        out.print(f"{count:>{counts}}  {name:<{width}}  ", styled(role + why, style), sep="")
