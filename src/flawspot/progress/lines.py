"""Lines on standard error, for logs and pipes."""

from __future__ import annotations

import contextlib
import sys
import threading
import time

from flawspot.progress.work import Work, sentence

GAP_SECONDS = 5.0
"""Between two lines at first, and before the first one, so that short work says nothing."""
LONGEST_GAP_SECONDS = 60.0
GAP_SHARE = 0.1
"""Long work speaks less often: the gap is this share of the time until the last line, within the two above."""


class PlainLines:
    """A `flawspot.progress.work.Surface` that says now and then how far the work is.

    A thread of its own speaks, because a single step may take minutes; it lives while there is work.
    """

    def __init__(self, gap: float = GAP_SECONDS) -> None:
        self._gap = gap
        self._changed = threading.Condition()
        self._running: list[Work] = []
        self._speaking = False
        self._began = self._spoke = self._ended = float("-inf")

    def begin(self, work: Work) -> None:
        """Count from now, unless this goes on with what ended a moment ago."""
        if work.line is not None:  # whoever counts by himself prints his own lines
            return
        with self._changed:
            now = time.monotonic()
            if not self._running and now - self._ended > self._gap:
                self._began = self._spoke = now
            self._running.append(work)
            if not self._speaking:
                self._speaking = True
                threading.Thread(target=self._speak, name="flawspot progress", daemon=True).start()

    def advanced(self, work: Work) -> None:
        """Nothing: the speaker looks when it is time."""

    def end(self, work: Work) -> None:
        """Forget `work`."""
        with self._changed:
            if work in self._running:
                self._running.remove(work)
                self._ended = time.monotonic()
                self._changed.notify_all()

    def clear(self) -> None:
        """Forget all work; what begins next does not go on with it."""
        with self._changed:
            self._running.clear()
            self._ended = float("-inf")
            self._changed.notify_all()

    def note(self, message: str) -> None:
        """A line of its own."""
        _write(f"note: {message}")

    def _speak(self) -> None:
        with self._changed:
            while self._running:
                now = time.monotonic()
                gap = max(self._gap, min(GAP_SHARE * (self._spoke - self._began), LONGEST_GAP_SECONDS))
                if now - self._spoke < gap:
                    self._changed.wait(self._spoke + gap - now)
                    continue
                self._spoke = now
                _write(sentence(self._running))
            self._speaking = False


def _write(line: str) -> None:
    """One line in one write; a standard error that is closed or full is no reason to end the work."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
