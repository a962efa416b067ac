"""What the terminal shows: results on standard output, everything else (bars, notes, errors) on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import IO, Any, NoReturn, cast

from rich.console import Console
from rich.markup import escape

from flawspot.progress.display import DISPLAY
from flawspot.progress.terminal import console


class _StandardOutput:
    """Whatever `sys.stdout` is when something is written.

    While bars are drawn on the same terminal that is a proxy of rich's, which writes above them. A console given the
    proxy itself goes past it, into the middle of a bar.
    """

    def write(self, text: str) -> int:
        """See `io.TextIOBase`."""
        return sys.stdout.write(text)

    def isatty(self) -> bool:
        """Whether it is a terminal, which the proxy may deny."""
        return bool(getattr(sys.stdout, "rich_proxied_file", sys.stdout).isatty())

    def __getattr__(self, name: str) -> Any:
        if name == "rich_proxied_file":
            raise AttributeError(name)
        return getattr(sys.stdout, name)


out = Console(file=cast("IO[str]", _StandardOutput()), highlight=False, soft_wrap=True)
err = console


def fail(message: str, code: int = 1) -> NoReturn:
    """Say what went wrong in one line, below what is left of any bars, and end with `code`."""
    DISPLAY.clear()
    err.print(f"[bold red]error:[/] {escape(message)}")
    sys.exit(code)


def note(message: str) -> None:
    """Say one line that the user should see."""
    DISPLAY.note(message)


def print_json(value: Mapping[str, Any]) -> None:
    """One object in one line, for other programs; on standard output, unstyled."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def print_pairs(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values, a line each; a terminal wraps long lines, a file keeps them whole."""
    rows = list(rows)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        out.print(f"[dim]{escape(name):<{width}}[/]  {escape(value)}")
