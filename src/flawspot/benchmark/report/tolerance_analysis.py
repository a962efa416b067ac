"""The cost of a tolerance on photographs as they are, and its gain on varied ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import NamedTuple

from flawspot.benchmark.report.axis_analysis import data_position
from flawspot.benchmark.report.detector_tables import IDENTITY, identity
from flawspot.benchmark.report.names import data_name, plain
from flawspot.benchmark.report.results import CLEAN, Condition, Results, Setup, flat, why_missing
from flawspot.benchmark.report.statistics import metric, seed_mean
from flawspot.benchmark.report.tables import Column, Entry, Table, number, words
from flawspot.data.tolerances import as_tolerance
from flawspot.errors import ConfigurationError

Worst = Callable[[Iterable[float]], float]

METRICS: tuple[tuple[str, str, Worst], ...] = (
    ("image_false_alarm_rate", "false alarms", max),
    ("image_recall", "recall", min),
    ("image_auroc", "image AUROC", min),
    ("pixel_f1_max", "pixel F1", min),
)
"""The compared metrics, and for each the function that gives the worst of several values."""


class Group(NamedTuple):
    """Photographs of one kind: as they are, or with one corruption within or beyond what is tolerated."""

    name: str
    conditions: tuple[Condition, ...]


def tolerant_data(results: Results) -> list[str]:
    """The data sets with a detector that has a tolerance."""
    return list(dict.fromkeys(record.cell.data for record in results.records if record.cell.tolerate is not None))


def tolerance_table(results: Results, data: str) -> Table:
    """Every detector with a tolerance beside the same one without, a row for each kind of photographs."""
    columns = [*IDENTITY, Column("photographs", numeric=False)]
    columns += [Column(f"{heading} {side}") for _, heading, _ in METRICS for side in ("without", "with")]
    table = Table(
        f"tolerance-{data_position(results, data)}",
        f"With and without what is tolerated, {data_name(data)}",
        [*columns, Column("categories")],
        intro="At the shipped thresholds. If photographs were corrupted at several severities, the worst value is "
        "shown: the most false alarms, the smallest of every other figure. Means over seeds, then over the categories "
        "that both have done at every severity.",
    )
    setups = {setup: None for condition in results.conditions for setup in results.setups(data, condition)}
    for setup in sorted((s for s in setups if s.tolerate is not None), key=lambda s: s.order):
        for group in groups(results, data, setup):
            table.rows.append(_row(table, results, data, setup, group))
    return table


def groups(results: Results, data: str, setup: Setup) -> list[Group]:
    """The kinds of photographs on which a detector was tried. With contaminated or few training photographs it would
    be another detector, so these are not included."""
    tried = [c for c in results.conditions if setup in results.setups(data, c)]
    stated = _stated(setup)
    found = [Group("as they are", (CLEAN,))] if CLEAN in tried else []
    corrupted = [c for c in tried if c.corruption is not None and c == Condition(c.corruption, c.severity)]
    for name in dict.fromkeys(c.corruption for c in corrupted if c.corruption is not None):
        most = stated.get(name, 0.0)
        of_name = [c for c in corrupted if c.corruption == name]
        within = tuple(c for c in of_name if c.severity <= most)
        beyond = tuple(c for c in of_name if c.severity > most)
        for part, said in ((within, "tolerated"), (beyond, "beyond" if most else "not tolerated")):
            if part:
                found.append(Group(f"{plain(name)} {_range(part)}, {said}", part))
    return found


def _row(table: Table, results: Results, data: str, setup: Setup, group: Group) -> list[Entry]:
    sides = (dataclasses.replace(setup, tolerate=None), setup)
    row = [*identity(results, setup), words(group.name)]
    common: set[str] = set()
    for name, _, worst in METRICS:
        figures = [[_by_category(results, data, side, c, name) for c in group.conditions] for side in sides]
        done = [set.intersection(*map(set, of_side)) for of_side in figures]
        # A detector that was only run with the tolerance is shown too.
        shared = set.intersection(*(found for found in done if found)) if any(done) else set()
        common |= shared
        for side, of_side, found in zip(sides, figures, done, strict=True):
            if not found or not shared:
                records = [r for c in group.conditions for r in flat(results.runs(data, side, c))]
                row.append(table.missing(why_missing(records, name)))
            else:
                row.append(number(worst(sum(f[c] for c in shared) / len(shared) for f in of_side)))
    row.append(Entry(str(len(common)), float(len(common)), hint=", ".join(map(plain, sorted(common)))))
    return row


def _by_category(results: Results, data: str, setup: Setup, condition: Condition, name: str) -> dict[str, float]:
    runs = results.runs(data, setup, condition)
    found = {category: seed_mean(by_seed, metric(name)) for category, by_seed in runs.items()}
    return {category: figure for category, figure in found.items() if figure is not None}


def _stated(setup: Setup) -> dict[str, float]:
    """Severities by corruption; empty if a newer flawspot has written a tolerance that this one does not know."""
    try:
        tolerance = as_tolerance(setup.tolerate)
    except ConfigurationError:
        return {}
    return {} if tolerance is None else dict(tolerance.severities)


def _range(conditions: tuple[Condition, ...]) -> str:
    severities = sorted(c.severity for c in conditions)
    return str(severities[0]) if len(severities) == 1 else f"{severities[0]} to {severities[-1]}"
