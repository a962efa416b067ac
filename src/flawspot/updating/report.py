"""The report on an update, which a person reads before approving it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from flawspot.texts import counted, listed, visible

BY_CHANCE = 0.05
"""Of two detectors that find equally many, one is said to find fewer at most so often."""


@dataclass(frozen=True)
class Found:
    """How many pasted defects the old and the new detector find by the defect alone: without it the photograph is good.

    Attributes:
        before, now: how many each finds.
        lost: how many only the old one finds.
    """

    before: int = 0
    now: int = 0
    lost: int = 0

    @property
    def gained(self) -> int:
        """How many only the new one finds."""
        return self.now - (self.before - self.lost)

    @property
    def fewer(self) -> bool:
        """Whether the new one finds fewer, by more than chance explains: an exact one-sided sign test of those that
        only one finds (McNemar, 1947)."""
        only_one = self.lost + self.gained
        as_extreme = sum(math.comb(only_one, count) for count in range(self.lost, only_one + 1))
        return as_extreme / (1 << only_one) <= BY_CHANCE


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
        pasted_alone: the same by the defect alone, each at its own threshold.
        pasted_alike: the same by the defect alone, at one promised rate: the old one at `threshold_alike`.
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
    pasted_alone: Found = Found()
    pasted_alike: Found = Found()
    seconds: float = 0.0

    @property
    def worse(self) -> bool:
        """Whether learning has clearly made the detector worse: at one promised rate it finds fewer pasted defects."""
        return self.pasted_alike.fewer

    @property
    def finds_fewer(self) -> bool:
        """Whether the new detector at its threshold clearly finds fewer pasted defects than the old one at its own."""
        return self.pasted_alone.fewer

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before approving the new artifact, one line each. The manifest keeps them."""
        lines, new = [], self.learned + self.validated + self.held_out
        if self.learned and not self.held_out:
            lines.append(
                "no new photograph was held out, so the threshold does not reflect new parts: give two or more"
            )
        if 2 * self.anomalous_before > new:
            called = f"the old detector calls {self.anomalous_before} of {counted(new, 'new photograph')} anomalous"
            lines.append(
                f"{called}: look at them, and do not use the new artifact if they show bad parts instead of changed "
                "good ones"
            )
        alone, alike = self.pasted_alone, self.pasted_alike
        if self.worse:
            lines.append(
                f"learning has made it worse: at one promised rate it misses {alike.lost} of {alike.before} pasted "
                f"defects that the old detector finds, and finds {alike.gained} others: keep the old one"
            )
        elif self.finds_fewer:
            lines.append(
                f"at its threshold it misses {alone.lost} of {alone.before} pasted defects that the old detector finds "
                f"at its own, and finds {alone.gained} others: look at the photographs with the highest scores, and do "
                "not use it if they show bad parts"
            )
        if self.suspects:
            without = self.threshold_without
            effect = "" if without is None else f" (without them the threshold would be {without:.5g})"
            lines.append(
                f"unusual among the new photographs: {listed(map(visible, self.suspects), 3)}; if they show bad parts, "
                f"remove them and update the old artifact again{effect}"
            )
        return tuple(lines)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        return dataclasses.asdict(self) | {"worse": self.worse, "finds_fewer": self.finds_fewer}
