"""The report on an update, which a person reads before approving it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

BY_CHANCE = 0.05
"""An update that changes nothing for the better or worse is called worse at most so often."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """An update in numbers.

    Attributes:
        learned, held_out, validated: numbers of new photographs that were learned from, that set the threshold, and
            that chose the epoch.
        known: number of photographs that were left out because the detector knows them.
        not_inspected: names of files that could not be read.
        threshold_before, threshold: thresholds of the image score before and after.
        threshold_alike: the threshold that the old detector would have by the photographs that set the new one's, by
            the rule ``conformal``. With it, both have one promised rate, so that only what was learned differs.
        promised_rate: promised false-alarm rate, from old and new held-out photographs.
        new_alarms_before, new_alarms: how many of the new held-out photographs the old and the new detector call
            anomalous.
        old_held_out: number of photographs of earlier days that also set the threshold.
        old_alarms_before, old_alarms: how many of these the old and the new detector call anomalous.
        told: the method's remarks, one line each.
        anomalous_before: how many of all new photographs the old detector calls anomalous. If these are most of them,
            none stands out among `suspects`: all parts have changed, or all are bad.
        suspects: names of new photographs that score unusually high: among the new ones by the old detector, or among
            all that set the threshold by the new one. They may show bad parts.
        threshold_without: the threshold without those of the suspects that set it; None if none did.
        pasted: number of new photographs with a pasted defect.
        pasted_found_before, pasted_found: how many of them the old and the new detector find at their thresholds.
        pasted_shown_before, pasted_shown: how many of them the defect alone makes anomalous to the old and to the new
            detector, at one promised rate: without it they are not.
        pasted_lost: how many do so to the old detector and not to the new one.
        seconds: seconds that it took.
    """

    learned: int = 0
    held_out: int = 0
    validated: int = 0
    known: int
    not_inspected: tuple[str, ...]
    threshold_before: float
    threshold_alike: float
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
    threshold_without: float | None = None
    pasted: int = 0
    pasted_found_before: int = 0
    pasted_found: int = 0
    pasted_shown_before: int = 0
    pasted_shown: int = 0
    pasted_lost: int = 0
    seconds: float = 0.0

    @property
    def pasted_gained(self) -> int:
        """How many of the defects make a photograph anomalous to the new detector and not to the old one."""
        return self.pasted_shown - (self.pasted_shown_before - self.pasted_lost)

    @property
    def worse(self) -> bool:
        """Whether learning has clearly made the detector worse: at one promised rate, fewer pasted defects are what
        makes a photograph anomalous, by more than chance explains (an exact one-sided sign test of those that are so
        for one of the two detectors; McNemar, 1947)."""
        only_one = self.pasted_lost + self.pasted_gained
        as_extreme = sum(math.comb(only_one, count) for count in range(self.pasted_lost, only_one + 1))
        return as_extreme / (1 << only_one) <= BY_CHANCE

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        return dataclasses.asdict(self) | {"worse": self.worse}
