"""The reference of ``flawspot``'s commands as Markdown, from the commands themselves."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import typer

from flawspot.cli.commands import EPILOG, app

_HEAD = """# Commands

Every command and option, as `flawspot COMMAND --help` prints them. This page is made from the commands. `--json`, where
a command has it, prints the result for programs.

"""


def reference() -> str:
    """The page."""
    lines = [_HEAD + EPILOG + "\n"]
    for name, command in commands():
        lines += [f"## flawspot {name}", "", _text(command.help or ""), "", f"    {_usage(name, command)}", ""]
        rows = [row for parameter in command.params if (row := _row(parameter)) is not None]
        if rows:
            lines += ["| argument, option | what it does |", "|:--|:--|", *rows, ""]
    return "\n".join(lines)


def commands() -> Iterator[tuple[str, Any]]:
    """Name and command of each, those of groups included: ``audit verify``."""
    yield from _below(typer.main.get_command(app), "")


def _below(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if getattr(command, "hidden", False):
            continue
        if hasattr(command, "commands"):
            yield from _below(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _usage(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = any(p.param_type_name == "option" for p in command.params)
    return " ".join(["flawspot", name, *(_argument(p) for p in arguments), *(["[OPTIONS]"] if options else [])])


def _argument(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name).upper()
    return name if parameter.required else f"[{name.strip('[]')}]"


def _row(parameter: Any) -> str | None:
    """One row of the table of a command, or None where its help shows nothing either."""
    if getattr(parameter, "hidden", False) or "--help" in parameter.opts:
        return None
    if parameter.param_type_name == "argument":
        name = f"`{_argument(parameter)}`"
    else:
        *others, last = sorted({*parameter.opts, *parameter.secondary_opts}, key=len)
        takes = "" if parameter.is_flag or parameter.count else f" {_metavar(parameter)}"
        name = ", ".join([*(f"`{each}`" for each in others), f"`{last}{takes}`"]).replace("|", "\\|")
    told = _text(getattr(parameter, "help", None) or "")
    default = parameter.default
    if isinstance(default, int | float | str) and not isinstance(default, bool) and default != "":
        told = f"{told} Default: `{default}`."
    return f"| {name} | {told} |"


def _metavar(parameter: Any) -> str:
    """What an option takes, in capitals."""
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", str)
    return str(parameter.metavar or ("NUMBER" if kind in (int, float) else "TEXT")).strip("[]")


def _text(told: str) -> str:
    """One line of Markdown: what looks like HTML or a table's border is text, and code stays code."""
    pieces = " ".join(told.split()).split("`")
    pieces[::2] = [html.escape(piece, quote=False).replace("*", "\\*").replace("[", "\\[") for piece in pieces[::2]]
    return "`".join(pieces).replace("|", "\\|")
