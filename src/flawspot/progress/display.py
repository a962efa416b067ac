"""The display that ``progress=True`` stands for, wherever Python runs."""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from flawspot.progress import length_of
from flawspot.progress.work import Surface, Work
from flawspot.texts import visible

T = TypeVar("T")


class Display:
    """A `flawspot.progress.Progress` that shows bars on a terminal and in notebooks, else lines on standard error.

    A bar vanishes when its work is done. Work within work is shown below it. All displays of a process share one
    surface, so that two of them never draw over each other; any thread may call it. Words that hold file names may be
    anything: what is not printable in them is shown escaped.
    """

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        """Show how many of `items` are done while they are worked on."""
        work = Work(visible(description), total if total is not None else length_of(items))
        with _shown(work) as surface:
            for item in items:
                yield item
                work.done += 1
                surface.advanced(work)

    def step(self, description: str) -> AbstractContextManager[None]:
        """Show a moving bar for work that cannot be counted."""
        return _step(Work(visible(description), counted=False))

    def line(self) -> AbstractContextManager[Line]:
        """A line on a terminal or in a notebook whose words are the caller's; elsewhere nothing."""
        return _line()

    def note(self, message: str) -> None:
        """Print a line that stays, above the bar."""
        surface().note(visible(message))

    def clear(self) -> None:
        """End whatever is shown: after an error or Ctrl-C, before a line that says so."""
        surface().clear()


class Line:
    """A line of words under way."""

    def __init__(self, work: Work, shown: Surface) -> None:
        self._work, self._surface = work, shown

    def say(self, words: str) -> None:
        """Show `words` from now on."""
        self._work.line = visible(words)
        self._surface.advanced(self._work)


DISPLAY = Display()
_choosing = threading.Lock()


def surface() -> Surface:
    """Where this process shows its work now: standard error may be another than a moment ago."""
    with _choosing:
        if _in_notebook():
            return _notebook()
        # While bars are drawn it is a proxy of rich's, which in some versions denies being a terminal.
        stream = getattr(sys.stderr, "rich_proxied_file", sys.stderr)
        if stream is not None and stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown"):
            return _terminal()
        return _plain()


def _in_notebook() -> bool:
    """Whether a notebook's kernel runs this process; an IPython at a terminal has none."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


@functools.cache
def _notebook() -> Surface:
    from flawspot.progress.notebook import NotebookBars

    return NotebookBars()


@functools.cache
def _terminal() -> Surface:
    from flawspot.progress.terminal import TerminalBars

    return TerminalBars()


@functools.cache
def _plain() -> Surface:
    from flawspot.progress.lines import PlainLines

    return PlainLines()


@contextmanager
def _shown(work: Work) -> Iterator[Surface]:
    here = surface()
    here.begin(work)
    try:
        yield here
    finally:
        here.end(work)


@contextmanager
def _step(work: Work) -> Iterator[None]:
    with _shown(work):
        yield


@contextmanager
def _line() -> Iterator[Line]:
    work = Work("", counted=False, line="")
    with _shown(work) as here:
        yield Line(work, here)
