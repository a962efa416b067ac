"""The axes beyond the paper: noisy photographs, defects among the training photographs, few photographs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flawspot.benchmark.report.claims.interval import mean_interval
from flawspot.benchmark.report.detector_tables import IDENTITY, identity
from flawspot.benchmark.report.names import data_name, plain, rank
from flawspot.benchmark.report.results import CLEAN, Condition, Results, Setup, flat, why_missing
from flawspot.benchmark.report.statistics import CONFIDENCE, metric, values
from flawspot.benchmark.report.tables import Column, Entry, Table, number, words
from flawspot.data.corruptions import CORRUPTIONS

_TITLES = {"jpeg": "JPEG"}


@dataclass(frozen=True)
class Level:
    """A point on an axis.

    Attributes:
        name: text for tables and ticks.
        condition: condition of its runs.
    """

    name: str
    condition: Condition


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        key: name for links and files.
        title: the quantity that was varied.
        label: label of the axis in a figure, with its unit.
        levels: at least two, including the untouched one.
    """

    key: str
    title: str
    label: str
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Curve:
    """One detector along an axis, as means over the categories and seeds that were done at every level.

    Attributes:
        figures: one for each level; None if the detector was not run at that level in any category.
        categories: categories of the means.
        seeds: the fewest of a category that are in its mean; 0 without a mean.
        intervals: for each level, the ends of Student's interval of the mean over seeds for these categories; None
            with fewer than two seeds that all of them have at every level.
        notes: notes on categories and seeds that were left out.
    """

    setup: Setup
    figures: tuple[float | None, ...]
    intervals: tuple[tuple[float, float] | None, ...]
    categories: tuple[str, ...]
    seeds: int
    notes: tuple[str, ...]

    @property
    def heights(self) -> list[float]:
        """Every figure, and the upper end of every interval: what a panel has room for."""
        return [*(f for f in self.figures if f is not None), *(each[1] for each in self.intervals if each is not None)]


def axes(results: Results) -> list[Axis]:
    """The axes that the records have runs on."""
    conditions = [condition for condition in results.conditions if condition != CLEAN]
    found = []
    names = {c.corruption for c in conditions if c.corruption and _only(c, "corruption", "severity")}
    for name in sorted(names, key=lambda name: rank(name, CORRUPTIONS)):
        severities = sorted(
            {c.severity for c in conditions if c.corruption == name and _only(c, "corruption", "severity")}
        )
        levels = [Level("0", CLEAN), *(Level(str(s), Condition(name, s)) for s in severities)]
        found.append(
            Axis(f"corruption-{_slug(name)}", _TITLES.get(name, plain(name).capitalize()), "severity", tuple(levels))
        )
    shares = sorted({c.contamination for c in conditions if c.contamination and _only(c, "contamination")})
    if shares:
        levels = [Level("0", CLEAN), *(Level(f"{100 * s:g}", Condition(contamination=s)) for s in shares)]
        found.append(
            Axis("contamination", "Defects among the training photographs", "defective share (%)", tuple(levels))
        )
    shots = sorted({c.shots for c in conditions if c.shots is not None and _only(c, "shots")})
    if shots:
        levels = [*(Level(str(n), Condition(shots=n)) for n in shots), Level("all", CLEAN)]
        found.append(Axis("shots", "Few photographs to learn from", "good photographs", tuple(levels)))
    return found


def data_of(results: Results, axis: Axis) -> list[str]:
    """The data sets that have runs on an axis, not only untouched ones."""
    names = {data for level in axis.levels if level.condition != CLEAN for data in results.data(level.condition)}
    return [data for data in results.data() if data in names] + sorted(names - set(results.data()))


def curves(results: Results, axis: Axis, data: str, name: str) -> list[Curve]:
    """Every detector with runs on the axis, for the metric `name`."""
    touched: dict[Setup, None] = {}
    for level in axis.levels:
        if level.condition != CLEAN:
            touched.update(dict.fromkeys(results.setups(data, level.condition)))
    return [_curve(results, axis, data, name, setup) for setup in sorted(touched, key=lambda s: s.order)]


def _curve(results: Results, axis: Axis, data: str, name: str, setup: Setup) -> Curve:
    by_level = [
        {
            category: by_seed
            for category, runs in results.runs(data, setup, level.condition).items()
            if (by_seed := values(runs, metric(name)))
        }
        for level in axis.levels
    ]
    ran = [found for found in by_level if found]
    # Untouched runs may cover more categories and seeds than the axis does. The mean must not jump because of that.
    places = set.intersection(*map(set, ran)) if ran else set()
    seeds = {place: set.intersection(*(set(found[place]) for found in ran)) for place in places}
    categories = tuple(category for category in results.categories(data) if seeds.get(category))
    shared = set.intersection(*(seeds[category] for category in categories)) if categories else set()
    if shared:  # so that every interval is of the figure that it belongs to
        seeds = dict.fromkeys(categories, shared)
    figures = tuple(_mean(found, categories, seeds) if categories and found else None for found in by_level)
    intervals = tuple(_over_seeds(found, categories, shared) if found else None for found in by_level)
    count = min((len(seeds[category]) for category in categories), default=0)
    return Curve(
        setup, figures, intervals, categories, count, tuple(_left_out(results, axis, data, setup, by_level, seeds))
    )


Figures = Mapping[str, Mapping[int, float]]
"""At one level: by category and seed."""


def _mean(found: Figures, categories: Sequence[str], seeds: Mapping[str, Collection[int]]) -> float:
    """Over the seeds of each category, then over the categories."""
    means = [sum(found[c][seed] for seed in seeds[c]) / len(seeds[c]) for c in categories]
    return sum(means) / len(means)


def _over_seeds(found: Figures, categories: Sequence[str], seeds: Collection[int]) -> tuple[float, float] | None:
    """The interval of the mean over seeds, within 0 and 1; each seed's figure is its mean over the categories."""
    if len(seeds) < 2:
        return None
    means = [sum(found[category][seed] for category in categories) / len(categories) for seed in sorted(seeds)]
    low, high = mean_interval(means, CONFIDENCE)
    return max(low, 0.0), min(high, 1.0)


def _left_out(
    results: Results,
    axis: Axis,
    data: str,
    setup: Setup,
    by_level: Sequence[Figures],
    seeds: Mapping[str, Collection[int]],
) -> Iterator[str]:
    """Notes on the categories and seeds that were asked for on the axis and are in no mean."""
    for category in results.categories(data):
        asked = any(
            category in results.runs(data, setup, level.condition) for level in axis.levels if level.condition != CLEAN
        )
        if asked and not seeds.get(category):
            yield f"{plain(category)} is in no mean: it was not done at every level"
    done = {seed for found in by_level for category in seeds for seed in found.get(category, ())}
    lacking = sorted(done - {seed for chosen in seeds.values() for seed in chosen}) if seeds else []
    if lacking:
        listed = ", ".join(map(str, lacking))
        yield f"{'seed' if len(lacking) == 1 else 'seeds'} {listed}: in no mean, because not done at every level"


METRICS = (
    ("pixel_f1_max", "pixel F1"),
    ("image_auroc", "image AUROC"),
    ("image_false_alarm_rate", "false alarms"),
    ("image_recall", "recall"),
)
"""Metrics that tables and figures show along an axis."""


def axis_table(results: Results, axis: Axis, data: str) -> Table:
    """Every detector at every level of an axis, a row for each of `METRICS`."""
    columns = [*IDENTITY, Column("figure", numeric=False)]
    columns += [*(Column(level.name) for level in axis.levels), Column("categories"), Column("seeds")]
    table = Table(
        f"{axis.key}-{data_position(results, data)}",
        f"{axis.title}, {data_name(data)}",
        columns,
        intro=f"Columns: {axis.label}. Means over seeds, then over categories; both are those that were done "
        f"at every level. Below a mean is its {100 * CONFIDENCE:g} % interval over seeds, where there are two or more.",
    )
    lines = [(curve, name, heading) for name, heading in METRICS for curve in curves(results, axis, data, name)]
    for curve, name, heading in sorted(lines, key=lambda line: line[0].setup.order):
        row = [*identity(results, curve.setup), words(heading)]
        for level, figure, interval in zip(axis.levels, curve.figures, curve.intervals, strict=True):
            if figure is None:
                records = flat(results.runs(data, curve.setup, level.condition))
                row.append(table.missing(why_missing(records, name)))
            else:
                ends = "" if interval is None else f"{interval[0]:.3f}–{interval[1]:.3f}"
                row.append(dataclasses.replace(number(figure), shade=min(max(figure, 0.0), 1.0), detail=ends))
        note = table.note("; ".join(curve.notes)) if curve.notes else None
        count = len(curve.categories)
        row.append(Entry(str(count), float(count), note, ", ".join(map(plain, curve.categories))))
        row.append(number(curve.seeds, 0))
        table.rows.append(row)
    return table


def data_position(results: Results, data: str) -> int:
    """A number for links, because names of data sets may contain any character."""
    return 1 + sorted({record.cell.data for record in results.records}).index(data)


def positions(axis: Axis) -> list[float]:
    """Positions of the levels in a figure: the severity, the share, or the logarithm of the number of photographs."""
    if axis.key == "shots":
        numbers = [math.log(level.condition.shots or 1) for level in axis.levels[:-1]]
        return [*numbers, numbers[-1] + math.log(2)]
    value: Callable[[Condition], float] = lambda c: c.severity if axis.label == "severity" else 100 * c.contamination  # noqa: E731
    return [value(level.condition) for level in axis.levels]


def _only(condition: Condition, *names: str) -> bool:
    """Whether only these fields differ from the untouched condition, since a figure does not mix axes."""
    rest: Sequence[str] = [f.name for f in dataclasses.fields(Condition) if f.name not in names]
    return all(getattr(condition, name) == getattr(CLEAN, name) for name in rest)


def _slug(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())[:40]
