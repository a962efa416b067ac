"""``flawspot tokens add | list | remove``: who may do what at a station."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flawspot.cli.console import note, out, print_json
from flawspot.errors import ConfigurationError
from flawspot.files import is_folder, is_there

if TYPE_CHECKING:
    from flawspot.serve.tokens import Tokens

app = typer.Typer(no_args_is_help=True, help="Who may do what at a station: add, list and remove people's tokens.")

Folder = Annotated[Path, typer.Argument(help="The folder of the station.")]
Name = Annotated[str, typer.Option(help="Whose token it is. The record names them beside their actions.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class RoleName(StrEnum):
    """The roles. Each one may also do what the roles before it may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"


@app.command()
def add(
    folder: Folder,
    name: Name,
    role: Annotated[
        RoleName,
        typer.Option(help="viewer: look; operator: also send pictures and say what parts were; engineer: everything."),
    ],
    as_json: AsJson = False,
) -> None:
    """Make a token and print it. It is shown only once, as only its hash is kept."""
    from flawspot.serve.tokens import Role

    token = _tokens(folder, new=True).add(name, Role(role.value))
    if as_json:
        print_json({"name": name, "role": role.value, "token": token})
    else:
        note(f"the token of {name}, {role.value}, at {folder}; it is shown only once")
        out.print(token)


@app.command(name="list")
def list_(folder: Folder, as_json: AsJson = False) -> None:
    """List the tokens' owners, roles and dates."""
    found = _tokens(folder).people()
    if as_json:
        rows = [{"name": person.name, "role": person.role.value, "added": added} for person, added in found]
        print_json({"tokens": rows})
        return
    if not found:
        note(f"{folder} has no tokens: `flawspot tokens add` makes one")
    for person, added in found:
        out.print(f"{person.role.value:<8}", added[:19] + "Z", person.name, sep="  ")


@app.command()
def remove(folder: Folder, name: Name, as_json: AsJson = False) -> None:
    """Remove somebody's token. It stops working at once, also at a running station."""
    _tokens(folder).remove(name)
    if as_json:
        print_json({"removed": name})
    else:
        out.print(f"the token of {name} is removed")


def _tokens(folder: Path, *, new: bool = False) -> Tokens:
    from flawspot.serve.tokens import FILE, Tokens

    if not is_folder(folder) and (is_there(folder) or not new):
        raise ConfigurationError(f"{folder} is not a folder: give the station's folder")
    return Tokens(folder / FILE)
