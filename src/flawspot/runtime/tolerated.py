"""What a detector was taught to tolerate: what a manifest keeps of `flawspot.data.tolerances`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flawspot.runtime.manifest import CalibrationInfo

_MOST = 100
_WORST = 5
_MOST_COPIES = 1000


@dataclass(frozen=True)
class Tolerated:
    """How far good photographs may vary, so that the promised false-alarm rate holds.

    Attributes:
        severities: by corruption, above 0 and at most 5; see `flawspot.data.corruptions`.
        copies: of each photograph that was learned from.
        decisive: the threshold and the scores beside it are of photographs that were varied so far, for it was the
            higher one; False: of photographs as they are.
    """

    severities: dict[str, float]
    copies: int
    decisive: bool

    def __str__(self) -> str:
        told = ", ".join(f"{name} {severity:g}" for name, severity in self.severities.items())
        return f"{told} ({self.copies} varied copies of each photograph)"


def wrong_in(tolerated: Tolerated) -> bool:
    """Whether a value is one that no training gives. A newer flawspot may know other corruptions."""
    severities = tolerated.severities
    return (
        not 1 <= len(severities) <= _MOST
        or not all(name.isascii() and name.isidentifier() and len(name) <= _MOST for name in severities)
        or not all(0 < severity <= _WORST for severity in severities.values())
        or not 1 <= tolerated.copies <= _MOST_COPIES
    )


def tolerant(
    as_taken: CalibrationInfo, varied: CalibrationInfo, severities: Mapping[str, float], copies: int
) -> CalibrationInfo:
    """The one with the higher threshold, so that the rate is kept for both.

    Args:
        as_taken: of photographs as they are.
        varied: of the same, varied as far as is tolerated.
        severities, copies: see `Tolerated`.
    """
    decisive = varied.threshold > as_taken.threshold
    told = Tolerated(dict(severities), copies, decisive)
    return dataclasses.replace(varied if decisive else as_taken, tolerated=told)
