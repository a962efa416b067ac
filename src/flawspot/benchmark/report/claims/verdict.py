"""The verdict on a claim. Each part of a claim is a figure with an interval, compared with the claim's condition."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flawspot.benchmark.report.claims.interval import mean_interval
from flawspot.benchmark.report.names import RANDOM

HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot be said"

CONFIDENCE = 0.95
LEAST_CATEGORIES = 3
"""Smallest number of categories for a meaningful interval."""

SAME = 1e-9
"""Figures that differ by less are the same but for rounding."""

Place = tuple[str, str]
"""Data set and category."""


@dataclass(frozen=True)
class Wanted:
    """The range of figures that support a claim.

    Attributes:
        least, most: the ends; None for no end.
        strictly: whether the ends themselves are excluded.
    """

    least: float | None = None
    most: float | None = None
    strictly: bool = False

    def verdict(self, low: float, high: float) -> str:
        """The verdict for an interval: inside the range, outside, or neither."""
        edge: Callable[[float, float], bool] = operator.lt if self.strictly else operator.le
        over = self.least is None or edge(self.least, low)
        under = self.most is None or edge(high, self.most)
        if over and under:
            return HOLDS
        below = self.least is not None and not edge(self.least, high)
        above = self.most is not None and not edge(low, self.most)
        return FAILS if below or above else OPEN

    def text(self, unit: str) -> str:
        """In words."""
        if self.least is not None and self.most is not None:
            return f"from {shown(self.least, unit)} to {shown(self.most, unit)}"
        words = ("above", "below") if self.strictly else ("at least", "at most")
        if self.least is not None:
            return f"{words[0]} {shown(self.least, unit)}"
        return "anything" if self.most is None else f"{words[1]} {shown(self.most, unit)}"


@dataclass(frozen=True)
class Evidence:
    """The runs' figures on one part of a claim.

    Attributes:
        what: the comparison, such as ``PaSTe − STFPM, pixel F1``.
        figures: one for each category, averaged over seeds first and then over detectors.
        pairs: number of compared pairs of runs.
        unit: empty for a difference of F1, ``%`` for a saving, ``×`` for a factor.
        counted: whether it is counted by formulas and so equal for every photograph and seed, without uncertainty.
        reason: why there are no figures.
        random_weights: whether some runs have untrained networks, which is only allowed for costs.
        detectors: the mean figure of each compared detector, by name.
        extremes: the smallest and the largest figure of a pair; None if they are those of `figures`.
    """

    what: str
    figures: dict[Place, float]
    pairs: int
    unit: str = ""
    counted: bool = False
    reason: str = ""
    random_weights: bool = False
    detectors: Mapping[str, float] = field(default_factory=dict)
    extremes: tuple[float, float] | None = None


@dataclass(frozen=True)
class Part:
    """One figure of a claim with its verdict.

    Attributes:
        what, unit, pairs, counted, random_weights: as in `Evidence`.
        wanted: the claim's condition in words.
        mean: mean over the categories; None without figures.
        low, high: ends of the interval, or smallest and largest counted figure; None with too few categories.
        confidence: confidence of the interval.
        categories: categories of the mean.
        verdict: `HOLDS`, `FAILS` or `OPEN`.
        reason: reason for `OPEN`.
    """

    what: str
    unit: str
    wanted: str
    mean: float | None
    low: float | None
    high: float | None
    confidence: float
    pairs: int
    counted: bool
    categories: tuple[Place, ...]
    verdict: str
    reason: str = ""
    random_weights: bool = False

    @property
    def text(self) -> str:
        """The figure in one line, or the reason why there is none."""
        if self.mean is None:
            return f"{self.what}: – ({self.reason})"
        said = f"{self.what}: {shown(self.mean, self.unit)}"
        if self.counted:
            same = self.low is None or shown(self.low, self.unit) == shown(self.high or 0.0, self.unit)
            return said + (
                "" if same else f" ({shown(self.low or 0.0, self.unit)} to {shown(self.high or 0.0, self.unit)})"
            )
        if self.low is None or self.high is None:
            return said
        ends = f"{shown(self.low, self.unit)} to {shown(self.high, self.unit)}"
        return f"{said} ({100 * self.confidence:.3g} % interval {ends})"

    @property
    def over(self) -> str:
        """The numbers of runs and categories of the figure, in a few words."""
        runs = "pair" if self.pairs == 1 else "pairs"
        places = "category" if len(self.categories) == 1 else "categories"
        untrained = f", {RANDOM}" if self.random_weights else ""
        return f"{self.pairs:,} {runs}, {len(self.categories)} {places}{untrained}"


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, tested on the runs.

    Attributes:
        key: name for programs.
        section: section of the paper.
        text: the claim.
        rule: the condition under which it holds.
        parts: the parts of the claim. All must hold, or with `any_of` at least one.
        any_of: see `parts`.
    """

    key: str
    section: str
    text: str
    rule: str
    parts: tuple[Part, ...]
    any_of: bool = False

    @property
    def verdict(self) -> str:
        """The verdict of all parts together."""
        found = [part.verdict for part in self.parts]
        first, last = (FAILS, HOLDS) if not self.any_of else (HOLDS, FAILS)
        if first in found:
            return first
        return last if found and set(found) == {last} else OPEN

    @property
    def lines(self) -> list[tuple[str, Part]]:
        """The parts in words, each with its numbers of runs and categories; empty if no part has a figure."""
        if all(part.mean is None for part in self.parts):
            return []
        return [(part.text if part.mean is None else f"{part.text}; {part.over}", part) for part in self.parts]

    @property
    def reason(self) -> str:
        """Why the claim cannot be decided; empty if it can."""
        if self.verdict != OPEN:
            return ""
        return "; ".join(dict.fromkeys(part.reason for part in self.parts if part.verdict == OPEN))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {
            "key": self.key,
            "section": self.section,
            "claim": self.text,
            "rule": self.rule,
            "verdict": self.verdict,
            "reason": self.reason,
            "parts": [
                {
                    **{name: getattr(part, name) for name in ("what", "unit", "wanted", "mean", "low", "high")},
                    **{name: getattr(part, name) for name in TOLD},
                    "categories": [{"data": data, "category": category} for data, category in part.categories],
                }
                for part in self.parts
            ],
        }


TOLD = ("confidence", "pairs", "counted", "random_weights", "verdict", "reason")
"""Fields of a part in JSON."""

Judge = Callable[[float], Part]
"""Makes a part with an interval of the given confidence."""


def claim(key: str, section: str, text: str, rule: str, judges: Sequence[Judge], *, any_of: bool = False) -> Claim:
    """A claim with its judged parts. With several, each interval is wider, so that all together are as certain as one
    (Bonferroni)."""
    confidence = 1 - (1 - CONFIDENCE) / max(len(judges), 1)
    return Claim(key, section, text, rule, tuple(judge(confidence) for judge in judges), any_of)


def judged(evidence: Evidence, wanted: Wanted) -> Judge:
    """The part of a claim from its `evidence`, with the condition `wanted`."""

    def judge(confidence: float) -> Part:
        values = list(evidence.figures.values())
        places = tuple(evidence.figures)
        mean = sum(values) / len(values) if values else None
        low = high = None
        reason = evidence.reason
        if values and evidence.counted:
            low, high = evidence.extremes or (min(values), max(values))
        elif len(values) >= LEAST_CATEGORIES and max(values) - min(values) > SAME:
            low, high = mean_interval(values, confidence)
        elif len(values) >= LEAST_CATEGORIES:
            reason = "the figure is the same in every category, so that its uncertainty is not known"
        elif values:
            names = ", ".join(category for _, category in places)
            reason = f"too few categories for an interval ({names}): {LEAST_CATEGORIES} are needed"
        return part(evidence, wanted, mean, low, high, confidence, reason)

    return judge


def part(
    evidence: Evidence,
    wanted: Wanted,
    mean: float | None,
    low: float | None,
    high: float | None,
    confidence: float,
    reason: str,
) -> Part:
    """A part with its verdict; `reason` is that of a missing interval."""
    verdict = OPEN
    if low is not None and high is not None:
        verdict = wanted.verdict(low, high)
        limits = [shown(end, evidence.unit) for end in (wanted.least, wanted.most) if end is not None]
        sides = f"the interval lies on both sides of {' and '.join(limits)}"
        reason = ("the runs differ" if evidence.counted else sides) if verdict == OPEN else ""
        outside = [name for name, mean in evidence.detectors.items() if wanted.verdict(mean, mean) != HOLDS]
        if verdict == HOLDS and outside and not evidence.counted:
            verdict = OPEN
            named = ", ".join(f"{name} ({shown(evidence.detectors[name], evidence.unit)})" for name in outside)
            reason = f"it holds on average, but not for {named}"
    ends = (mean, low, high, confidence)
    told = (evidence.pairs, evidence.counted, tuple(evidence.figures))
    return Part(
        evidence.what, evidence.unit, wanted.text(evidence.unit), *ends, *told, verdict, reason, evidence.random_weights
    )


def shown(value: float, unit: str) -> str:
    """A figure as text: +0.012 for a difference of F1, 24.9 % for a saving, 9.6 times for a factor."""
    if unit == "%":
        return f"{round(value, 1) + 0.0:.1f} %".replace("-", "−")
    if unit == "×":
        return f"{value:.3g} times"
    return f"{round(value, 3) + 0.0:+.3f}".replace("-", "−").replace("+0.000", "0")
