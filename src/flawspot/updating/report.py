"""What an update has changed: what a person looks at before approving it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Report:
    """An update in numbers.

    Attributes:
        learned, held_out, validated: new photographs that were learned from, that set the threshold, and that chose the
            epoch.
        known: photographs that were left out since the detector knows them.
        not_inspected: names of files that could not be read.
        threshold_before, threshold: of the image score.
        promised_rate: of false alarms, by old and new held-out photographs.
        new_alarms_before, new_alarms: of the new held-out photographs, how many the old and the new detector call
            anomalous.
        old_held_out: how many photographs of earlier days set the threshold as well.
        old_alarms_before, old_alarms: of these, likewise.
        told: what the method says of it, a line each.
        anomalous_before: of all new photographs, how many the old detector calls anomalous. Where these are most of
            them, no one stands out among `suspects`: all parts have changed, or all are bad.
        suspects: names of new photographs that score far above the other new ones by the old detector: they may show
            bad parts.
        seconds: it took.
    """

    learned: int = 0
    held_out: int = 0
    validated: int = 0
    known: int
    not_inspected: tuple[str, ...]
    threshold_before: float
    threshold: float
    promised_rate: float
    new_alarms_before: int = 0
    new_alarms: int = 0
    old_held_out: int = 0
    old_alarms_before: int = 0
    old_alarms: int = 0
    told: tuple[str, ...] = ()
    anomalous_before: int = 0
    suspects: tuple[str, ...] = ()
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return dataclasses.asdict(self)
