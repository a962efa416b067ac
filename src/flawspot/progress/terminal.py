"""Shows bars on a terminal, drawn by rich."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable

from rich.console import RenderableType
from rich.constrain import Constrain
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from flawspot.progress.console import ErrorConsole, styled
from flawspot.progress.work import Work

console = ErrorConsole(stderr=True, highlight=False, soft_wrap=True)
"""Standard error of the moment. Lines printed here while bars are drawn appear above them."""

SPARE_COLUMNS = 3
"""Spare columns at the right of a bar, where the terminal writes ^C, so that it does not start a new line."""


class TerminalBars:
    """A `flawspot.progress.work.Surface`: one live display, with a bar for each piece of work.

    A second live display on the same terminal would be an error in some versions of rich and garbled in others.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._bars: _Bars | None = None

    def begin(self, work: Work) -> None:
        """Draw a bar for `work` below the others."""
        with self._lock:
            if self._bars is None:
                self._bars = _Bars()
                self._bars.start()
            self._bars.show(work)

    def advanced(self, work: Work) -> None:
        """Do nothing: the bars read their work whenever they are drawn."""

    def end(self, work: Work) -> None:
        """Remove the bar. The last one also ends the display."""
        with self._lock:
            if self._bars is not None and self._bars.remove(work) == 0:
                self.clear()

    def clear(self) -> None:
        """Remove all bars and show the cursor again."""
        with self._lock:
            bars, self._bars = self._bars, None
            if bars is not None:
                bars.stop()

    def note(self, message: str) -> None:
        """Print a line above the bars."""
        console.print(styled("note:", "yellow"), message)


class _Bars(Progress):
    """rich's bars. They read their work when they are drawn, so an item costs nothing."""

    def __init__(self) -> None:
        self._shown: dict[Work, TaskID] = {}
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            _Count(),
            TimeElapsedColumn(),
            _Left(),
            console=console,
            transient=True,
            # Standard output may be a file, which must get everything written to it.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )

    def show(self, work: Work) -> None:
        """Add a bar."""
        task = self.add_task(work.description, total=work.total, visible=work.line is None)
        with self._lock:
            self._shown[work] = task

    def remove(self, work: Work) -> int:
        """Remove the bar, if there is one, and return the number of bars left."""
        with self._lock:
            task = self._shown.pop(work, None)
            if task is not None:
                self.remove_task(task)
            return len(self._shown)

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bars, and below them the lines with the callers' own text."""
        with self._lock:
            shown = list(self._shown)
            for work, task in self._shown.items():
                if work.counted:
                    self.update(task, completed=work.done)
        width = max(1, console.width - SPARE_COLUMNS)
        yield from (Constrain(table, width) for table in super().get_renderables())
        for work in shown:
            if work.line:
                yield Text(work.line)


class _Count(MofNCompleteColumn):
    """``12/20``; nothing for a step."""

    def render(self, task: Task) -> Text:
        """See `MofNCompleteColumn`."""
        return super().render(task) if task.total is not None or task.completed else Text()


class _Left(TimeRemainingColumn):
    """``left 0:00:20``; nothing for a step."""

    def render(self, task: Task) -> Text:
        """See `TimeRemainingColumn`."""
        return Text("left ").append_text(super().render(task)) if task.total is not None else Text()
