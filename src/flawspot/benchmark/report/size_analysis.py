"""Small-defect analysis over the categories of a data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from flawspot.benchmark.record import DONE, Record
from flawspot.benchmark.report.detector_tables import IDENTITY, identity
from flawspot.benchmark.report.names import data_name
from flawspot.benchmark.report.results import Results, Setup, flat, why_missing
from flawspot.benchmark.report.tables import Column, Table, mark_best, number

Band = tuple[float, float]

INTRO = (
    "A defect is a connected region of a mask; its area is given in thousandths of the photograph (0.5 ‰ is a spot "
    "of 5 × 5 pixels at 224 × 224). Recall is the share of the defects of a size, over all categories and seeds, "
    "of which at least half lies above one threshold: that of the best pixel F1 over all sizes. F1 is the best "
    "pixel F1 for the defects of that size alone, against all good pixels. It is a mean over the runs that have "
    "such defects. The fewer pixels a size has, the lower its F1 for the same false alarms, so compare within a "
    "column. n: defects of that size in the test photographs."
)


@dataclass(frozen=True)
class SizeFigures:
    """Figures of one detector in one band: pooled recall, mean F1, and the number of regions of the recall."""

    recall: float | None
    f1_max: float | None
    regions: int


def bands(results: Results, data: str) -> list[Band]:
    """All bands of area that any run of a data set was analysed in, ascending."""
    found = {
        _band(item)
        for setup in results.setups(data)
        for record in _done(results, data, setup)
        for item in record.defect_sizes
    }
    return sorted(found)


def band_name(band: Band) -> str:
    """Such as 2–10, in thousandths."""
    return f"{band[0]:g}–{band[1]:g}" if band[1] < 1000 else f"over {band[0]:g}"


def defects(results: Results, data: str, band: Band) -> int:
    """Number of defects of a band in the test photographs of all categories."""
    most: dict[str, int] = {}
    for setup in results.setups(data):
        for record in _done(results, data, setup):
            for item in record.defect_sizes:
                if _band(item) == band:
                    category = record.cell.category
                    most[category] = max(most.get(category, 0), int(item["regions"] or 0))
    return sum(most.values())


def size_figures(results: Results, data: str, setup: Setup) -> dict[Band, SizeFigures]:
    """Figures of one detector, by band."""
    regions: dict[Band, int] = {}
    hits: dict[Band, int] = {}
    f1: dict[Band, list[float]] = {}
    for record in _done(results, data, setup):
        for item in record.defect_sizes:
            band = _band(item)
            regions[band] = regions.get(band, 0) + int(item["regions"] or 0)
            hits[band] = hits.get(band, 0) + int(item["found"] or 0)
            if item["f1_max"] is not None:
                f1.setdefault(band, []).append(float(item["f1_max"]))
    return {
        band: SizeFigures(
            hits[band] / count if count else None,
            sum(f1[band]) / len(f1[band]) if f1.get(band) else None,
            count,
        )
        for band, count in regions.items()
    }


def size_table(results: Results, data: str) -> Table | None:
    """Recall and F1 of every detector by the size of the defects; None without such an analysis."""
    columns = list(IDENTITY)
    every = bands(results, data)
    if not every:
        return None
    counts = {band: defects(results, data, band) for band in every}
    for what in ("recall", "F1"):
        columns += [Column(f"{what} {band_name(band)}", f"‰, n = {counts[band]}") for band in every]
    table = Table(
        f"sizes-{results.data().index(data) + 1}", f"By the size of the defect, {data_name(data)}", columns, intro=INTRO
    )
    whole = results.categories(data)
    for setup in results.setups(data):
        figures = size_figures(results, data, setup)
        row = identity(results, setup)
        lacking = [c for c in whole if not any(r.cell.category == c for r in _done(results, data, setup))]
        note = table.note(f"lacks {', '.join(lacking)}: not to be compared") if figures and lacking else None
        for what in ("recall", "f1_max"):
            for band in every:
                found = figures.get(band)
                value = getattr(found, what) if found else None
                if value is not None:
                    row.append(dataclasses.replace(number(value), shade=value, note=note))
                elif figures:
                    row.append(table.missing("no defects of this size"))
                else:
                    row.append(table.missing(_why(results, data, setup)))
        table.rows.append(row)
    for column in range(len(IDENTITY), len(columns)):
        mark_best([row for row in table.rows if row[column].note is None], column)
    return table


def _why(results: Results, data: str, setup: Setup) -> str:
    if any(_done(results, data, setup)):
        return "defects were not analysed by size"
    return why_missing(flat(results.runs(data, setup)))


def _done(results: Results, data: str, setup: Setup) -> list[Record]:
    return [record for record in flat(results.runs(data, setup)) if record.status == DONE]


def _band(item: Mapping[str, float | int | None]) -> Band:
    return float(item["smallest"] or 0), float(item["largest"] or 0)
