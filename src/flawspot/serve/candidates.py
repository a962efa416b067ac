"""An artifact that waits for approval, and what its trial on the last pictures has shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Difference:
    """A picture that the two artifacts judge differently: by their verdicts and severities, before and after."""

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
        pictures: on how many it was tried.
        changed: those whose verdict changes.
        largest_change: the largest change of severity among those whose verdict stays.
        update_of: the SHA-256 of the artifact that it is an update of, made at the station; None where it was sent.
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
        """Whether a person has to decide of it."""
        return self.state != "failed"

    def as_dict(self) -> dict[str, Any]:
        """As the API gives it."""
        return asdict(self)
