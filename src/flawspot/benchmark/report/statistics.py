"""Means over categories, deviations over seeds, and how sure a mean is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flawspot.benchmark.record import DONE, Record
from flawspot.benchmark.report.names import plain
from flawspot.benchmark.report.results import CLEAN, Condition, Results, Runs, Setup, flat, why_missing

RESAMPLES = 2000
CONFIDENCE = 0.95

HOW = (
    "Means are taken over the seeds of a category first, then over categories. ± is the standard deviation, over "
    f"seeds, of the mean over categories. The interval holds {CONFIDENCE:.0%} of {RESAMPLES:,} bootstrap means "
    "(percentiles, generator seeded with 0): categories are drawn with replacement, and within each drawn category its "
    "seeds. It shows how the figure might differ for other categories and seeds of this kind. The photographs of a "
    "category are not resampled. With one category, only seeds are drawn; with one seed as well, there is no interval."
)


@dataclass(frozen=True)
class Estimate:
    """A figure of one detector on one data set.

    Attributes:
        mean: over categories of the mean over seeds; None where nothing was measured.
        deviation: standard deviation (n - 1) over the seeds that all categories have; None with fewer than two.
        low, high: ends of the confidence interval; None where nothing can be resampled, or where it was not asked for.
        seeds: the most that a category has.
        categories: that the mean is over.
        missing: the other categories asked for, with the reason.
    """

    mean: float | None
    deviation: float | None
    low: float | None
    high: float | None
    seeds: int
    categories: tuple[str, ...]
    missing: dict[str, str]


Value = Callable[[Record], "float | None"]


def metric(name: str) -> Value:
    """Reads one of the metrics of a record."""
    return lambda record: record.metrics.get(name)


def values(runs: Runs | None, value: Value) -> dict[int, float]:
    """The figure by seed, for the runs that are done and have it."""
    found = {}
    for seed, record in sorted((runs or {}).items()):
        figure = value(record) if record.status == DONE else None
        if figure is not None and math.isfinite(figure):
            found[seed] = float(figure)
    return found


def seed_mean(runs: Runs | None, value: Value) -> float | None:
    """Mean over seeds; None where nothing was measured."""
    found = list(values(runs, value).values())
    return sum(found) / len(found) if found else None


def estimate(
    runs: Mapping[str, Runs],
    categories: Sequence[str],
    value: Value,
    name: str | None = None,
    *,
    interval: bool = False,
) -> Estimate:
    """The mean of a figure over `categories`, with the reason for each category that lacks it.

    Args:
        runs: runs of one detector, by category and seed.
        categories: categories to average over.
        value: the figure of one record.
        name: name of the metric, for the reason if it is undefined.
        interval: also compute the confidence interval.
    """
    found = {category: values(runs.get(category), value) for category in categories}
    missing = {
        category: why_missing(runs.get(category, {}).values(), name) for category in categories if not found[category]
    }
    found = {category: figures for category, figures in found.items() if figures}
    if not found:
        return Estimate(None, None, None, None, 0, (), missing)
    mean = float(np.mean([np.mean(list(figures.values())) for figures in found.values()]))
    common = sorted(set.intersection(*(set(figures) for figures in found.values())))
    deviation = None
    if len(common) > 1:
        deviation = float(np.std([np.mean([f[seed] for f in found.values()]) for seed in common], ddof=1))
    low, high = bootstrap([list(figures.values()) for figures in found.values()]) if interval else (None, None)
    return Estimate(mean, deviation, low, high, max(map(len, found.values())), tuple(found), missing)


def bootstrap(groups: Sequence[Sequence[float]]) -> tuple[float | None, float | None]:
    """The confidence interval of the mean of group means; groups are resampled, then what is in each.

    Args:
        groups: a figure for each seed, by category; none is empty.
    """
    if len(groups) == 1 and len(groups[0]) == 1:
        return None, None
    generator = np.random.default_rng(0)
    lengths = np.array([len(group) for group in groups])
    padded = np.zeros((len(groups), lengths.max()))
    for row, group in zip(padded, groups, strict=True):
        row[: len(group)] = group
    drawn = generator.integers(0, len(groups), (RESAMPLES, len(groups)))
    inside = np.arange(lengths.max()) < lengths[drawn][:, :, None]  # (RESAMPLES, groups, seeds)
    picked = (generator.random(inside.shape) * lengths[drawn][:, :, None]).astype(np.intp)
    figures = np.where(inside, padded[drawn[:, :, None], picked], 0.0)
    means = (figures.sum(axis=2) / lengths[drawn]).mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


@dataclass(frozen=True)
class Comparable:
    """Detectors that may be compared, because their means are over the same categories.

    Attributes:
        categories: categories of the means.
        setups: detectors that have done all of them.
        notes: a line for each thing that is left out, with the reason.
    """

    categories: tuple[str, ...]
    setups: tuple[Setup, ...]
    notes: tuple[str, ...]


def comparable(
    results: Results, data: str, setups: Sequence[Setup], value: Value, condition: Condition = CLEAN
) -> Comparable:
    """Choose categories and detectors so that every mean is over the same categories.

    It starts with all categories that any detector has done, and the detectors that have done them all. A category that
    keeps detectors out is dropped if that raises the number of detectors times categories.
    """
    every = results.categories(data)
    have = {s: {c for c, r in results.runs(data, s, condition).items() if values(r, value)} for s in setups}
    measured = {setup: found for setup, found in have.items() if found}
    reasons: dict[str, list[Setup]] = {}
    for setup in setups:
        if setup not in measured:
            reasons.setdefault(_why(results, data, setup, condition), []).append(setup)
    if not measured:
        return Comparable((), (), _notes(results, reasons))
    wanted = {category for category in every if any(category in found for found in measured.values())}
    never = [category for category in every if category not in wanted]
    given_up: list[str] = []

    def size(categories: set[str]) -> int:
        return len(categories) * sum(categories <= found for found in measured.values())

    while len(wanted) > 1:
        worst = max(every, key=lambda category: (category in wanted, size(wanted - {category})))
        if size(wanted - {worst}) <= size(wanted):
            break
        wanted.discard(worst)
        given_up.append(worst)
    whole = [setup for setup, found in measured.items() if wanted <= found]
    for setup, found in measured.items():
        if setup not in whole:
            first = next(category for category in every if category in wanted - found)
            reason = f"lacks {_count(len(wanted - found))}, {_why(results, data, setup, condition, first)}"
            reasons.setdefault(reason, []).append(setup)
    notes = []
    for category in every:
        if category in given_up:
            lacking = [setup for setup, found in measured.items() if category not in found]
            why = _why(results, data, lacking[0], condition, category)
            notes.append(f"The means are without {why}; lacking for {results.names(lacking)}.")
    if never:
        notes.append(f"In no mean, because no detector has done them: {', '.join(map(plain, never))}.")
    return Comparable(tuple(c for c in every if c in wanted), tuple(whole), (*notes, *_notes(results, reasons)))


def _notes(results: Results, reasons: dict[str, list[Setup]]) -> tuple[str, ...]:
    return tuple(f"Left out: {results.names(setups)} ({reason})." for reason, setups in reasons.items())


def _count(categories: int) -> str:
    return "1 category" if categories == 1 else f"{categories} categories"


def _why(results: Results, data: str, setup: Setup, condition: Condition, category: str | None = None) -> str:
    runs = results.runs(data, setup, condition)
    if category is None:
        return why_missing(flat(runs), "metric")
    return f"{plain(category)}: {why_missing(runs.get(category, {}).values(), 'metric')}"
