"""The state of current work, which every surface shows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from flawspot.progress import duration


@dataclass(eq=False)
class Work:
    """One current loop, step or line.

    Attributes:
        description: in a few words.
        total: the number of items, if known.
        counted: whether its items are counted; those of a step are not.
        done: the number of finished items.
        started: start time on the clock `time.monotonic`, in seconds.
        line: a text that replaces all of the above, if the caller counts itself.
    """

    description: str
    total: int | None = None
    counted: bool = True
    done: int = 0
    started: float = field(default_factory=time.monotonic)
    line: str | None = None

    def seconds(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.started

    def seconds_left(self) -> float | None:
        """Estimated seconds left at the present pace; None if unknown."""
        if not self.counted or not self.total or not self.done:
            return None
        return self.seconds() / self.done * max(0, self.total - self.done)

    def said(self) -> str:
        """Description and progress, such as ``training the student 12/20``."""
        if self.line is not None:
            return self.line
        if not self.counted:
            return self.description
        return f"{self.description} {self.done}" + (f"/{self.total}" if self.total is not None else "")


def sentence(running: Sequence[Work]) -> str:
    """All current work in one line, outermost first, with that one's elapsed and remaining time."""
    outermost = running[0]
    parts = [": ".join(work.said() for work in running), duration(outermost.seconds())]
    left = outermost.seconds_left()
    return ", ".join([*parts, *([f"about {duration(left)} left"] if left is not None else [])])


class Surface(Protocol):
    """A place where work is shown. Its methods are called from any thread."""

    def begin(self, work: Work) -> None:
        """Show `work` from now on, inside the current work."""
        ...

    def advanced(self, work: Work) -> None:
        """`work` has changed."""
        ...

    def end(self, work: Work) -> None:
        """Remove `work`. It is no error if it is not shown."""
        ...

    def clear(self) -> None:
        """End all work, so that the next output starts on a new line."""
        ...

    def note(self, message: str) -> None:
        """Print a lasting line."""
        ...
