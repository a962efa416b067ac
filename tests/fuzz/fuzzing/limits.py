"""What a case may take and say before it counts as a failure."""

from __future__ import annotations

from dataclasses import dataclass

CPU_SECONDS = 5
"""Of processor time for one case."""
MEMORY = 600
"""Million bytes that are resident in the child at the peak, its libraries counted."""
ARENA_MEGABYTES = 256
"""What an artifact may take while it runs, of the above."""
OWN_MEMORY = 120
"""Million bytes between cases after which a child is replaced: what thousands of models have left in its heap is not
the next case's."""
ADDRESS_SPACE = 3 << 30
"""Bytes that the child may ask for, so that the machine survives what the harness is there to find."""
WALL_SECONDS = 120
"""Without an answer, after which a child hangs: it waits for something that uses no processor."""

REFUSED, ACCEPTED = "refused", "accepted"
FAILURES = (
    "crash",
    "too slow",
    "too much memory",
    "foreign exception",
    "not finite",
    "printed",
    "message",
    "hang",
    "wrong outcome",
)


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Attributes:
        what: `REFUSED`, `ACCEPTED` or one of `FAILURES`.
        detail: the message, exception or figure.
        cpu: seconds.
        megabytes, before: resident at the peak, and before the case.
    """

    what: str
    detail: str = ""
    cpu: float = 0.0
    megabytes: float = 0.0
    before: float = 0.0

    @property
    def is_failure(self) -> bool:
        """Whether flawspot has not kept a promise."""
        return self.what in FAILURES
