"""What the terminal shows: results on standard output, everything else (bars, notes, errors) on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NoReturn, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from flawspot.progress import length_of

T = TypeVar("T")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str, code: int = 1) -> NoReturn:
    """Say what went wrong in one line and end with `code`."""
    err.print(f"[bold red]error:[/] {escape(message)}")
    sys.exit(code)


def note(message: str) -> None:
    """Say one line that the user should see."""
    err.print(f"[yellow]note:[/] {escape(message)}")


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


class TerminalProgress:
    """A `flawspot.progress.Progress` that draws bars with the time left; where standard error is no terminal it only
    passes notes on."""

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        """Draw a bar while `items` are worked on; it vanishes when they are done."""
        with self._bars() as bars:
            task = bars.add_task(description, total=total if total is not None else length_of(items))
            for item in items:
                yield item
                bars.advance(task)

    def step(self, description: str) -> AbstractContextManager[None]:
        """Show a moving bar for work that cannot be counted."""

        @contextmanager
        def moving() -> Iterator[None]:
            with self._bars() as bars:
                bars.add_task(description, total=None)
                yield

        return moving()

    def note(self, message: str) -> None:
        """Print a line above the bar."""
        note(message)

    @staticmethod
    def _bars() -> Bars:
        return Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
