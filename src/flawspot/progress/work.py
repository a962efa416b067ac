"""What is under way: the state that every way of showing it reads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from flawspot.progress import duration


@dataclass(eq=False)
class Work:
    """One loop, step or line under way.

    Attributes:
        description: in a few words.
        total: how many items there are, if that is known.
        counted: whether its items are counted; a step's are not.
        done: items behind it.
        started: on the clock `time.monotonic`, in seconds.
        line: words that stand for all of the above, where whoever works counts by himself.
    """

    description: str
    total: int | None = None
    counted: bool = True
    done: int = 0
    started: float = field(default_factory=time.monotonic)
    line: str | None = None

    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.started

    def seconds_left(self) -> float | None:
        """About how long it will take at the pace so far, or None where nothing tells."""
        if not self.counted or not self.total or not self.done:
            return None
        return self.seconds() / self.done * max(0, self.total - self.done)

    def said(self) -> str:
        """What it is and how far, such as ``training the student 12/20``."""
        if self.line is not None:
            return self.line
        if not self.counted:
            return self.description
        return f"{self.description} {self.done}" + (f"/{self.total}" if self.total is not None else "")


def sentence(running: Sequence[Work]) -> str:
    """All that is under way in one line, the outermost first, whose time it tells."""
    outermost = running[0]
    parts = [": ".join(work.said() for work in running), duration(outermost.seconds())]
    left = outermost.seconds_left()
    return ", ".join([*parts, *([f"about {duration(left)} left"] if left is not None else [])])


class Surface(Protocol):
    """Where work is shown. Its calls come from any thread."""

    def begin(self, work: Work) -> None:
        """Show `work` from now on, within what is under way already."""
        ...

    def advanced(self, work: Work) -> None:
        """`work` has changed."""
        ...

    def end(self, work: Work) -> None:
        """Show `work` no more; not shown, it is no error."""
        ...

    def clear(self) -> None:
        """End all work, so that what is written next stands on a line of its own."""
        ...

    def note(self, message: str) -> None:
        """Say a line that stays."""
        ...
