"""A candidate: an artifact that waits for approval, with the results of its trial on the last pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Difference:
    """A picture on which the two artifacts differ: verdicts and severities, before and after."""

    picture: str
    before: str
    after: str
    severity_before: float | None
    severity_after: float | None


@dataclass
class Candidate:
    """An artifact that waits for approval.

    Attributes:
        state: ``trying``, ``tried`` or ``failed``.
        pictures: the number of pictures in its trial.
        changed: the pictures whose verdict changes.
        largest_change: the largest change of severity among pictures whose verdict stays.
        update_of: SHA-256 of the artifact that it updates, if it was made at the station; None if it was sent.
    """

    sha256: str
    title: str
    threshold: float
    by: str
    state: str = "trying"
    pictures: int = 0
    of: int = 0
    changed: list[Difference] = field(default_factory=list)
    largest_change: float = 0.0
    reason: str | None = None
    update_of: str | None = None

    @property
    def waits(self) -> bool:
        """Whether a person has to decide about it."""
        return self.state != "failed"

    def as_dict(self) -> dict[str, Any]:
        """The candidate in the form of the API."""
        return asdict(self)
