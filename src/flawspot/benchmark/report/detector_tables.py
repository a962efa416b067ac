"""Tables of detectors: all figures of each, and each category's."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence

from flawspot.benchmark.record import DONE, Record
from flawspot.benchmark.report.names import data_name, plain
from flawspot.benchmark.report.results import Results, Runs, Setup, flat, why_missing
from flawspot.benchmark.report.statistics import HOW, Estimate, Value, estimate, metric, seed_mean, values
from flawspot.benchmark.report.tables import (
    Column,
    Entry,
    Table,
    amount,
    mark_best,
    number,
    three_digits,
    words,
)

MIB = 2**20

ACCURACY = (
    ("pixel_f1_max", "pixel F1", "best F1 over all thresholds of the anomaly map"),
    ("pixel_aupro_normalized", "AUPRO", "area under the per-region overlap up to a false-positive rate of 0.3, / 0.3"),
    ("pixel_auroc", "pixel AUROC", ""),
    ("pixel_ap", "pixel AP", "average precision"),
    ("image_auroc", "image AUROC", ""),
    ("image_ap", "image AP", "average precision"),
    ("image_f1_max", "image F1-max", "best F1 over all thresholds of the image score"),
    ("image_f1", "image F1", "at the shipped threshold"),
    ("image_false_alarm_rate", "false alarms", "share of good test images above the shipped threshold"),
)
AT_MASK_SIZE = (
    ("mask_size_pixel_f1_max", "pixel F1, mask size", "the same with maps and masks compared at the masks' own size"),
    ("mask_size_pixel_auroc", "pixel AUROC, mask size", "with maps and masks compared at the masks' own size"),
)
"""Further columns, if they were measured, because papers differ in the size at which pixels are compared."""
CATEGORY_METRICS = (
    ("pixel_f1_max", "pixel F1"),
    ("pixel_aupro_normalized", "AUPRO / 0.3"),
    ("image_auroc", "image AUROC"),
)

IDENTITY = (
    Column("backbone", numeric=False, identity=True),
    Column("method", numeric=False),
    Column("layers", numeric=False),
)


def identity(results: Results, setup: Setup) -> list[Entry]:
    """The first fields of a detector's row."""
    details = results.details(setup)
    backbone = dataclasses.replace(words(setup.backbone_name), detail=details)
    return [backbone, words(setup.method_name), words(setup.layers)]


def shared(runs: dict[str, Runs], value: Value) -> float | None:
    """A cost as the median over all done runs of a detector. Costs hardly depend on category and seed."""
    found = [figure for by_seed in runs.values() for figure in values(by_seed, value).values()]
    return statistics.median(found) if found else None


def measured(name: str) -> Value:
    """Reads one of the measured figures of a record."""
    return lambda record: record.measured.get(name)


def memory(record: Record) -> float | None:
    """MiB of all parts."""
    return record.bytes / MIB if record.parts else None


def mmac(record: Record) -> float | None:
    """Millions of multiply-accumulates of all parts."""
    return record.macs / 1e6 if record.parts else None


COSTS: tuple[tuple[str, str, str, Value], ...] = (
    ("memory", "MiB", "of all parts of the detector", memory),
    ("inference", "MMAC", "multiply-accumulates for one photograph, the search of a bank included", mmac),
    ("latency", "ms", "median of one photograph, where it was run", measured("latency_ms")),
    ("training", "s", "wall clock, where it was run", measured("training_seconds")),
)


def detectors(results: Results, data: str) -> Table:
    """Accuracy and cost of every detector on a data set, means over all its categories."""
    categories = results.categories(data)
    shown = (*ACCURACY, *(each for each in AT_MASK_SIZE if _was_measured(results, data, each[0])))
    columns = [
        *IDENTITY,
        Column("seeds", hint="the most that a category has"),
        *(Column(heading, hint=hint) for _, heading, hint in shown[:1]),
        *(Column(heading, unit, hint=hint) for heading, unit, hint, _ in COSTS),
        *(Column(heading, hint=hint) for _, heading, hint in shown[1:]),
    ]
    table = Table(
        f"detectors-{results.data().index(data) + 1}",
        f"All detectors on {data_name(data)}",
        columns,
        intro=f"Means over {_of_categories(len(categories))}; pixel figures at the size of the anomaly map "
        "unless a column says otherwise; image F1 and false alarms at the shipped threshold. "
        "Costs and times are medians over the runs. The best is marked among the detectors with the most seeds.",
    )
    by_seeds: dict[int, list[list[Entry]]] = {}
    for setup in results.setups(data):
        runs = results.runs(data, setup)
        row = identity(results, setup)
        found = [estimate(runs, categories, metric(name), name) for name, _, _ in shown]
        means = [estimated(table, one, categories) for one in found]
        seed_count = max(one.seeds for one in found)
        row += [number(seed_count, 0), *means[:1]]
        for heading, _, _, value in COSTS:
            figure = shared(runs, value)
            row.append(table.missing(_no_cost(runs, heading)) if figure is None else amount(figure))
        table.rows.append(row + means[1:])
        by_seeds.setdefault(seed_count, []).append(table.rows[-1])
    headings = [column.heading for column in columns]
    for name, heading, _ in shown:
        _mark_comparable(
            by_seeds[max(by_seeds)] if by_seeds else [], headings.index(heading), name != "image_false_alarm_rate"
        )
    return table


def _was_measured(results: Results, data: str, name: str) -> bool:
    """Whether any run on a data set has a figure of this name."""
    return any(
        values(runs, metric(name)) for setup in results.setups(data) for runs in results.runs(data, setup).values()
    )


def seeds(results: Results, data: str) -> Table:
    """A table of the means' deviations and confidence intervals."""
    categories = results.categories(data)
    columns = [*IDENTITY, Column("seeds"), Column("categories")]
    shown = ("pixel_f1_max", "pixel_aupro_normalized", "image_auroc")
    chosen = [one for one in ACCURACY if one[0] in shown]
    for _, heading, hint in chosen:
        columns += [
            Column(heading, hint=hint),
            Column("±", hint="standard deviation over seeds"),
            Column("95 % interval"),
        ]
    table = Table(
        f"seeds-{results.data().index(data) + 1}",
        f"Seeds and confidence on {data_name(data)}",
        columns,
        intro=HOW,
    )
    for setup in results.setups(data):
        runs = results.runs(data, setup)
        found = [estimate(runs, categories, metric(name), name, interval=True) for name, _, _ in chosen]
        most = max(found, key=lambda e: len(e.categories))
        row = [*identity(results, setup), number(most.seeds, 0), number(len(most.categories), 0)]
        for one in found:
            row.append(estimated(table, one, categories))
            one_seed = "one seed: no deviation" if one.seeds == 1 else "the categories share fewer than two seeds"
            if one.mean is None:
                row += [Entry("", None), Entry("", None)]
                continue
            row.append(table.missing(one_seed) if one.deviation is None else number(one.deviation))
            if one.low is None or one.high is None:
                row.append(table.missing("one seed of one category: nothing to resample"))
            else:
                row.append(Entry(f"{one.low:.3f}–{one.high:.3f}", one.high - one.low, hint="sorted by width"))
        table.rows.append(row)
    return table


def categories_table(results: Results, data: str, name: str, heading: str) -> Table:
    """One figure of every detector in every category."""
    categories = results.categories(data)
    columns = list(IDENTITY)
    for category in categories:
        area = results.area(data, category)
        unit = "" if area is None else f"{three_digits(1000 * area)} ‰"
        columns.append(Column(plain(category).replace("_", " "), unit, hint="mean over seeds"))
    if len(categories) > 1:
        columns.append(Column("mean"))
    table = Table(
        f"category-{name.replace('_', '-')}-{results.data().index(data) + 1}",
        f"{heading[0].upper()}{heading[1:]} by category, {data_name(data)}",
        columns,
        intro="Means over seeds. Below each category is the mean area of the defects in a defective photograph, in "
        "thousandths of the photograph. The category with the smallest defects comes first.",
    )
    for setup in results.setups(data):
        runs = results.runs(data, setup)
        row = identity(results, setup)
        for category in categories:
            figure = seed_mean(runs.get(category), metric(name))
            if figure is None:
                row.append(table.missing(why_missing(runs.get(category, {}).values(), name)))
            else:
                row.append(dataclasses.replace(number(figure), shade=min(max(figure, 0.0), 1.0)))
        if len(categories) > 1:
            row.append(estimated(table, estimate(runs, categories, metric(name), name), categories))
        table.rows.append(row)
    for column in range(len(IDENTITY), len(columns)):
        _mark_comparable(table.rows, column, True)
    return table


def estimated(table: Table, found: Estimate, categories: Sequence[str]) -> Entry:
    """A mean over categories, with a footnote if some are missing; a dash if all are."""
    if found.mean is None:
        reasons = sorted(set(found.missing.values())) or ["not run"]
        return table.missing(reasons[0] if len(reasons) == 1 else f"{reasons[0]}; and other reasons")
    if found.missing:
        lacking = ", ".join(map(plain, found.missing))
        note = f"mean over {len(found.categories)} of {len(categories)} categories, not to be compared; lacks {lacking}"
        return dataclasses.replace(number(found.mean), note=table.note(note), hint=note)
    return number(found.mean)


def _mark_comparable(rows: Sequence[list[Entry]], column: int, largest: bool) -> None:
    """Mark the best of the means over all categories. Means with a footnote are over fewer and do not compete."""
    whole = [row for row in rows if row[column].note is None]
    mark_best(whole, column, largest)


def _no_cost(runs: dict[str, Runs], name: str) -> str:
    records = flat(runs)
    if any(record.status == DONE for record in records):
        return f"{name} was not measured"
    return why_missing(records)


def _of_categories(count: int) -> str:
    return "the one category" if count == 1 else f"{count} categories"
