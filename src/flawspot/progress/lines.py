"""Shows progress as lines on standard error, for logs and pipes."""

from __future__ import annotations

import contextlib
import sys
import threading
import time

from flawspot.progress.work import Work, sentence

GAP_SECONDS = 5.0
"""Seconds between two lines at first, and before the first one, so that short work prints nothing."""
LONGEST_GAP_SECONDS = 60.0
GAP_SHARE = 0.1
"""Longer work prints less often: the gap is this share of the time so far, within the two limits above."""


class PlainLines:
    """A `flawspot.progress.work.Surface` that now and then prints the progress.

    A separate thread prints, because a single step may take minutes. It lives while there is work.
    """

    def __init__(self, gap: float = GAP_SECONDS) -> None:
        self._gap = gap
        self._changed = threading.Condition()
        self._running: list[Work] = []
        self._speaking = False
        self._began = self._spoke = self._ended = float("-inf")

    def begin(self, work: Work) -> None:
        """Start to count time, unless this continues work that has just ended."""
        if work.line is not None:  # the caller counts and prints its own lines
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
        """Do nothing: the printing thread looks when it is time."""

    def end(self, work: Work) -> None:
        """Forget `work`."""
        with self._changed:
            if work in self._running:
                self._running.remove(work)
                self._ended = time.monotonic()
                self._changed.notify_all()

    def clear(self) -> None:
        """Forget all work. New work does not continue it."""
        with self._changed:
            self._running.clear()
            self._ended = float("-inf")
            self._changed.notify_all()

    def note(self, message: str) -> None:
        """Print a separate line."""
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
    """Write one line in one call. If standard error is closed or full, the work still continues."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
