"""The variations that a detector was taught to tolerate: the manifest's part of `flawspot.data.tolerances`."""

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
    """How far good photographs may vary without exceeding the promised false-alarm rate.

    Attributes:
        severities: by corruption, above 0 and at most 5; see `flawspot.data.corruptions`.
        copies: number of varied copies of each training photograph.
        decisive: True if the threshold and its scores are of varied photographs, whose threshold was the higher one;
            False if they are of unchanged photographs.
    """

    severities: dict[str, float]
    copies: int
    decisive: bool

    def __str__(self) -> str:
        told = ", ".join(f"{name} {severity:g}" for name, severity in self.severities.items())
        return f"{told} ({self.copies} varied copies of each photograph)"


def copies_of(tolerated: Tolerated | None) -> int:
    """Number of varied copies that each photograph is learned with; 0 without a tolerance."""
    return 0 if tolerated is None else tolerated.copies


def wrong_in(tolerated: Tolerated) -> bool:
    """Whether no training gives this value. A newer flawspot may know other corruptions."""
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
    """The calibration with the higher threshold, so that the rate holds for both.

    Args:
        as_taken: the calibration from unchanged photographs.
        varied: the calibration from the same photographs, varied as far as is tolerated.
        severities, copies: see `Tolerated`.
    """
    decisive = varied.threshold > as_taken.threshold
    told = Tolerated(dict(severities), copies, decisive)
    return dataclasses.replace(varied if decisive else as_taken, tolerated=told)
