"""The summary at the top of the page."""

from __future__ import annotations

from flawspot.benchmark.record import DONE, FAILED, MISSING
from flawspot.benchmark.report.figure_cost import Point, points
from flawspot.benchmark.report.figure_paste import PAIR, pairs
from flawspot.benchmark.report.names import RANDOM, backbone_name, data_name
from flawspot.benchmark.report.results import Results
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
        at, categories, _ = points(results, data)
        at = [point for point in at if not point.setup.random_weights]
        if not at:
            continue
        best = max(at, key=lambda p: p.f1)
        over = f"mean over {len(categories)} categories" if len(categories) > 1 else str(categories[0])
        found.append(f"{data_name(data)} ({over}): the best pixel F1 is {best.f1:.3f}, of {_cost(results, best)}.")
        near = min((p for p in at if p.f1 >= best.f1 - NEAR), key=lambda p: p.mmac)
        if near != best:
            saved = best.mmac / near.mmac
            found.append(
                f"The cheapest within {NEAR} of it is {_cost(results, near)}: pixel F1 {near.f1:.3f} for "
                f"{saved:.3g} times less computation."
            )
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
                found.append(f"PaSTe instead of STFPM on {row.name}, {data_name(data)}: {text}.")
    return found


def warnings(results: Results) -> list[str]:
    """Warnings that a reader needs before relying on a figure."""
    found = []
    random = [record for record in results.records if record.cell.random_weights and record.status == DONE]
    if random:
        names = ", ".join(sorted({backbone_name(record.cell.backbone) for record in random}))
        found.append(
            f"{len(random):,} runs have {RANDOM} ({names}). They are marked everywhere; their accuracy says nothing "
            "about the pretrained network, their costs do."
        )
    gaps = sum(record.status != DONE for record in results.records)
    if gaps:
        found.append(
            f"{gaps:,} runs gave no figures. They are shown as a dash with the reason, and are in no mean. See the "
            "list of runs without figures."
        )
    if results.older:
        found.append(
            f"{len(results.older):,} older runs of the same cells, with other data, weights or code, have a list of "
            "their own. They are in no other table or figure."
        )
    return found


def _cost(results: Results, point: Point) -> str:
    return f"{results.name(point.setup)} ({three_digits(point.mmac)} MMAC, {three_digits(point.mib)} MiB)"
