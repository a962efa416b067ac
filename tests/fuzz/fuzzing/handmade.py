"""Cases made by hand, each with the outcome that is right."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fuzzing.child_process import Child
from fuzzing.limits import REFUSED, Outcome


@dataclass(frozen=True)
class HandMade:
    """A case.

    Attributes:
        name: what it does.
        target: what is done with it in the child; see `fuzzing.targets`.
        write: writes it to a path; it is given the tiny artifact too.
        right: `REFUSED`, ``accepted``, or empty where either is right.
        message: what the message matches, where it is refused.
        slow: to make or to try; not in the ordinary suite.
    """

    name: str
    target: str
    write: Callable[[Path, Path], None]
    right: str = REFUSED
    message: str = ""
    slow: bool = False

    def tried(self, child: Child, folder: Path, tiny: Path) -> Outcome:
        """The outcome; where it is not the right one, that is a failure."""
        path = folder / "made by hand"
        self.write(path, tiny)
        outcome = child.tried_file(self.target, path, tiny)
        path.unlink()
        if outcome.is_failure:
            return outcome
        if outcome.what != (self.right or outcome.what) or not re.search(self.message, outcome.detail):
            detail = f"{outcome.what} ({outcome.detail}), not {self.right} ({self.message})"
            return Outcome("wrong outcome", detail, outcome.cpu, outcome.megabytes)
        return outcome
