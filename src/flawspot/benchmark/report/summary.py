"""The summary at the top of the page."""

from __future__ import annotations

from collections.abc import Sequence

from flawspot.benchmark.record import DONE, FAILED, MISSING
from flawspot.benchmark.report.figure_cost import Point, points
from flawspot.benchmark.report.figure_paste import PAIR, pairs, setups_of_pairs
from flawspot.benchmark.report.names import RANDOM, backbone_name, data_name, joined, number_of, plain
from flawspot.benchmark.report.results import Results, Setup
from flawspot.benchmark.report.statistics import metric, values
from flawspot.benchmark.report.tables import three_digits

NEAR = 0.02
"""Largest difference of pixel F1 at which a cheaper detector is named beside the best."""


_ONE = {
    "runs": "run",
    "data sets": "data set",
    "categories": "category",
    "backbones": "backbone",
    "methods": "method",
    "seeds": "seed",
}


def tiles(results: Results) -> list[tuple[str, str]]:
    """The page's key figures with their names."""
    records = results.records
    counted = {
        "runs": len(records),
        "done": sum(record.status == DONE for record in records),
        "failed": sum(record.status == FAILED for record in records),
        "missing": sum(record.status == MISSING for record in records),
        "data sets": len({record.cell.data for record in records}),
        "categories": len({(record.cell.data, record.cell.category) for record in records}),
        "backbones": len({record.cell.backbone for record in records}),
        "methods": len({record.cell.label for record in records}),
        "seeds": len({record.cell.seed for record in records}),
    }
    return [(f"{count:,}", _ONE.get(name, name) if count == 1 else name) for name, count in counted.items()]


def findings(results: Results) -> list[str]:
    """Sentences on the figures, each on detectors that may be compared."""
    found = []
    for data in results.data():
        found += _best(results, data)
        setups = setups_of_pairs(results, data)
        for row, figures in pairs(results, data)[0].items():
            stfpm, paste = (figures[method] for method in PAIR)
            changes = [
                f"{name} {100 * (new - old) / old:+.0f} %"
                for name, old, new in zip(
                    ("memory", "inference", "training", "training RAM"), stfpm[1:], paste[1:], strict=True
                )
                if old and new is not None
            ]
            if stfpm[0] is not None and paste[0] is not None and changes and not row.random_weights:
                text = ", ".join([f"pixel F1 {paste[0] - stfpm[0]:+.3f}", *changes]).replace("-", "−")
                where = joined(row.name, results.details(row))
                counts = [_seeds(results, data, setups[row][method]) for method in PAIR]
                seeds = number_of(counts[0], "seed")
                if counts[0] != counts[1]:
                    seeds += f" of STFPM, {counts[1]} of PaSTe"
                found.append(f"PaSTe instead of STFPM on {where}, {data_name(data)} ({seeds}): {text}.")
    return found


def _best(results: Results, data: str) -> list[str]:
    """The best detector, and the cheapest one near it.

    The fewer its seeds, the more a mean is up to luck, and the best of many is the luckiest: so only the detectors with
    the most seeds compete.
    """
    at, categories, _ = points(results, data)
    seeds = {point.setup: _seeds(results, data, point.setup, categories) for point in at}
    able = [point for point in at if not point.setup.random_weights]
    most = max((seeds[point.setup] for point in able), default=0)
    rivals = [point for point in able if seeds[point.setup] == most]
    if not rivals:
        return []
    best = max(rivals, key=lambda p: p.f1)
    over = f"mean over {len(categories)} categories" if len(categories) > 1 else plain(categories[0])
    over += f", {number_of(most, 'seed')}"
    fewer = len(able) - len(rivals)
    aside = f" Not compared here: {number_of(fewer, 'detector')} with fewer seeds." if fewer else ""
    found = [f"{data_name(data)} ({over}): the best pixel F1 is {best.f1:.3f}, of {_cost(results, best)}.{aside}"]
    near = min((p for p in rivals if p.f1 >= best.f1 - NEAR), key=lambda p: p.mmac)
    if near != best:
        found.append(
            f"The cheapest within {NEAR} of it is {_cost(results, near)}: pixel F1 {near.f1:.3f} for "
            f"{best.mmac / near.mmac:.3g} times less computation."
        )
    return found


def _seeds(results: Results, data: str, setup: Setup, categories: Sequence[str] | None = None) -> int:
    """The fewest seeds of a category that have a pixel F1; of those that have any, unless `categories` are given."""
    runs = results.runs(data, setup)
    counts = [len(values(runs.get(category), metric("pixel_f1_max"))) for category in categories or runs]
    return min((count for count in counts if count), default=0)


def warnings(results: Results) -> list[str]:
    """Warnings that a reader needs before relying on a figure."""
    found = []
    random = [record for record in results.records if record.cell.random_weights and record.status == DONE]
    if random:
        names = ", ".join(sorted({backbone_name(record.cell.backbone) for record in random}))
        found.append(
            f"{number_of(len(random), 'run')} {'has' if len(random) == 1 else 'have'} {RANDOM} ({names}). They are "
            "marked everywhere; their accuracy says nothing about the pretrained network, their costs do."
        )
    gaps = sum(record.status != DONE for record in results.records)
    if gaps:
        found.append(
            f"{number_of(gaps, 'run')} gave no figures. They are shown as a dash with the reason, and are in no mean. "
            "See the list of runs without figures."
        )
    if results.older:
        found.append(
            f"{number_of(len(results.older), 'older run')} of the same cells, with other data, weights or code: "
            "in a list of their own, and in no other table or figure."
        )
    return found


def _cost(results: Results, point: Point) -> str:
    return f"{results.name(point.setup)} ({three_digits(point.mmac)} MMAC, {three_digits(point.mib)} MiB)"
