"""A bar below a notebook's cell, using only IPython's display: no widgets need be installed."""

from __future__ import annotations

import html
import sys
import threading
import time
from typing import Any

from flawspot.progress.work import Work, sentence

SECONDS_BETWEEN = 0.2
"""Least seconds between two drawings."""


class NotebookBars:
    """A `flawspot.progress.work.Surface`: one output area for each cell, emptied when the work is done."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._running: list[Work] = []
        self._area: Any = None
        self._cell: object = None
        self._drawn = float("-inf")

    def begin(self, work: Work) -> None:
        """Draw `work` below the work that contains it."""
        with self._lock:
            self._running.append(work)
            self._draw()

    def advanced(self, work: Work) -> None:
        """Redraw, if the last drawing is old enough."""
        if time.monotonic() - self._drawn >= SECONDS_BETWEEN:
            with self._lock:
                self._draw()

    def end(self, work: Work) -> None:
        """Remove the bar."""
        with self._lock:
            if work in self._running:
                self._running.remove(work)
                self._draw()

    def clear(self) -> None:
        """Remove all bars."""
        with self._lock:
            self._running.clear()
            self._draw()

    def note(self, message: str) -> None:
        """Print a line in the cell's output."""
        sys.stderr.write(f"note: {message}\n")

    def _draw(self) -> None:
        from IPython import get_ipython
        from IPython.display import display

        content = {
            "text/plain": sentence(self._running) if self._running else "",
            "text/html": "".join(_bar(work) for work in self._running) or "<span></span>",
        }
        cell = get_ipython().execution_count
        if self._area is not None and cell == self._cell:
            self._area.update(content, raw=True)
        elif self._running:
            self._area, self._cell = display(content, raw=True, display_id=True), cell
        self._drawn = time.monotonic()


def _bar(work: Work) -> str:
    """One piece of work as HTML."""
    if work.line is not None:
        return f"<div>{html.escape(work.line)}</div>"
    share = f' value="{work.done}" max="{work.total}"' if work.counted and work.total else ""
    return f"<div><progress{share}></progress> {html.escape(sentence([work]))}</div>"
