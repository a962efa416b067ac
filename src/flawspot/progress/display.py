"""The display for ``progress=True``, wherever Python runs."""

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
    """A `flawspot.progress.Progress` with bars on a terminal and in notebooks, else lines on standard error.

    A bar vanishes when its work is done. Nested work is shown below it. All displays of a process share one surface, so
    two of them never overlap. Any thread may call it. Unprintable characters in file names are escaped.
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
        """Show a line with the caller's own text, on a terminal or in a notebook; elsewhere nothing."""
        return _line()

    def note(self, message: str) -> None:
        """Print a lasting line above the bar."""
        surface().note(visible(message))

    def clear(self) -> None:
        """Remove all bars: after an error or Ctrl-C, before its message is printed."""
        surface().clear()


class Line:
    """A line of text for current work."""

    def __init__(self, work: Work, shown: Surface) -> None:
        self._work, self._surface = work, shown

    def say(self, words: str) -> None:
        """Show `words` from now on."""
        self._work.line = visible(words)
        self._surface.advanced(self._work)


DISPLAY = Display()
_choosing = threading.Lock()


def surface() -> Surface:
    """The surface where this process shows its work now. Standard error may have changed since the last call."""
    with _choosing:
        if _in_notebook():
            return _notebook()
        # While bars are drawn it is a proxy of rich, which in some versions says that it is not a terminal.
        stream = getattr(sys.stderr, "rich_proxied_file", sys.stderr)
        if stream is not None and stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown"):
            return _terminal()
        return _plain()


def _in_notebook() -> bool:
    """Whether a notebook's kernel runs this process. An IPython at a terminal has none."""
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
