"""What the terminal shows: results on standard output, everything else (bars, notes, errors) on standard error.

A printed string is never read as markup or control codes: see `flawspot.progress.console.PlainConsole`. JSON is ASCII,
so it holds no control codes for a terminal and fits every encoding. Bytes of a file name that are not UTF-8 are
written as ``\\udc80`` to ``\\udcff``, as in Python: ``os.fsencode(json.loads(line)["path"])`` is the name.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import IO, Any, NoReturn, cast

from flawspot.progress.console import PlainConsole, styled
from flawspot.progress.display import DISPLAY
from flawspot.progress.terminal import console
from flawspot.texts import visible

__all__ = ["err", "fail", "note", "out", "print_json", "print_lines", "print_pairs", "styled", "tell"]


class _StandardOutput:
    """Writes to the `sys.stdout` of the moment.

    While bars are drawn on the same terminal, `sys.stdout` is a proxy of rich that writes above them. A console that
    holds the proxy itself bypasses it and writes into the middle of a bar.
    """

    def write(self, text: str) -> int:
        """See `io.TextIOBase`."""
        return sys.stdout.write(text)

    def isatty(self) -> bool:
        """Whether it is a terminal. The proxy may wrongly say that it is not."""
        stream = getattr(sys.stdout, "rich_proxied_file", sys.stdout)
        return stream is not None and bool(stream.isatty())

    def __getattr__(self, name: str) -> Any:
        if name == "rich_proxied_file":
            raise AttributeError(name)
        return getattr(sys.stdout, name)


out = PlainConsole(file=cast("IO[str]", _StandardOutput()), highlight=False, soft_wrap=True)
err = console


def tell(message: str, code: int = 1) -> int:
    """Print one line about what went wrong, below any bars, and return `code`."""
    DISPLAY.clear()
    err.print(styled("error:", "bold red"), message)
    return code


def fail(message: str, code: int = 1) -> NoReturn:
    """Do as `tell`, and exit with `code`."""
    sys.exit(tell(message, code))


def note(message: str) -> None:
    """Print one line that the user should see."""
    DISPLAY.note(message)


def print_json(value: Mapping[str, Any]) -> None:
    """One object in one line, for other programs; on standard output, unstyled."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")
    sys.stdout.flush()


def print_pairs(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values, a line each. Long lines are wrapped on a terminal and kept whole in a file."""
    shown = [(visible(name), value) for name, value in rows]
    width = max(len(name) for name, _ in shown)
    for name, value in shown:
        out.print(styled(f"{name:<{width}}", "dim"), value, sep="  ")


def print_lines(text: str) -> None:
    """Print a text of several lines, such as a traceback."""
    for line in text.rstrip().split("\n"):
        out.print(line)
