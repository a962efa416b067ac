"""Figure 1 of the paper: accuracy against the cost of inference."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from flawspot.benchmark.report.detector_tables import IDENTITY, identity, memory, mmac, shared
from flawspot.benchmark.report.drawing import Drawing, Mark, draw
from flawspot.benchmark.report.names import data_name, number_of, short
from flawspot.benchmark.report.paper_comparison import paper_memory, paper_mmac
from flawspot.benchmark.report.results import Results, Setup, on_own_layers
from flawspot.benchmark.report.scatter import Dot, Looks, layers_vary, scatter, unbeaten
from flawspot.benchmark.report.statistics import comparable, estimate, metric
from flawspot.benchmark.report.tables import Column, Entry, Table, amount, mark_best, number, three_digits

_F1 = metric("pixel_f1_max")


@dataclass(frozen=True)
class Point:
    """A detector in the figure: mean pixel F1 (0..1), MMAC and MiB for one photograph, and whether it is on the front.

    `aside` marks a detector on other layers than the figure compares, which is drawn only for the front.
    """

    setup: Setup
    f1: float
    mmac: float
    mib: float
    front: bool
    aside: bool = False


def points(results: Results, data: str, *, as_paper: bool = False) -> tuple[list[Point], tuple[str, ...], list[str]]:
    """The detectors that can be compared, the categories of their means, and notes on all others.

    Args:
        results: the results of all runs.
        data: the data set.
        as_paper: count costs as the paper does, and compare each method on the paper's layers. Detectors on other
            layers are `aside`.
    """
    setups = results.setups(data)
    drawn = on_own_layers(setups)[0] if as_paper else setups
    chosen = comparable(results, data, drawn, _F1)
    aside = [
        setup
        for setup in setups
        if setup not in drawn and not estimate(results.runs(data, setup), chosen.categories, _F1).missing
    ]
    notes = list(chosen.notes)
    if len(setups) > len(drawn):
        notes.insert(0, _aside_note(len(aside), len(setups) - len(drawn)))
    count_macs, count_bytes = (paper_mmac, paper_memory) if as_paper else (mmac, memory)
    found = []
    for setup in (*chosen.setups, *aside):
        runs = results.runs(data, setup)
        f1 = estimate(runs, chosen.categories, _F1).mean
        macs, mib = shared(runs, count_macs), shared(runs, count_bytes)
        if f1 is not None and macs and mib:
            found.append(Point(setup, f1, macs, mib, front=False, aside=setup in aside))
        elif setup not in aside:
            notes.append(f"Left out: {results.name(setup)} (its cost is not known in this way of counting).")
    return pareto(found), chosen.categories, notes


def _aside_note(there: int, of: int) -> str:
    count = "1 detector" if of == 1 else f"{of} detectors"
    lacking = "" if there == of else f" ({of - there} of them left out, because they lack categories)"
    return (
        f"Small: {count}{lacking} on other layers than those of the paper's comparison. They are shown because the "
        "front includes everything that was run."
    )


def pareto(found: Sequence[Point]) -> list[Point]:
    """Mark the points on the Pareto front: no other point is at least as good in both figures and better in one.

    Random weights are never on the front and push no other point off it, because their accuracy means nothing.
    """
    figures = [(point.f1, -point.mmac) for point in found]
    marked = unbeaten(figures, [not point.setup.random_weights for point in found])
    return [dataclasses.replace(point, front=front) for point, front in zip(found, marked, strict=True)]


def cost_figure(results: Results, data: str, key: str, *, as_paper: bool = False) -> Drawing | None:
    """Figure 1; None where nothing can be drawn."""
    found, categories, notes = points(results, data, as_paper=as_paper)
    if not found:
        return None
    every = len(results.categories(data))
    mean = f"mean over {len(categories)} of {every} categories" if every > 1 else f"category {categories[0]}"
    way = "as the paper counts" if as_paper else "everything counted, the search of a memory bank included"
    title = "Accuracy against the cost of inference" + (", as the paper counts and compares" if as_paper else "")
    front = "; ".join(results.name(p.setup, layers=False) for p in _front(found))
    beside = ", each with its layers beside it" if layers_vary([point.setup for point in found]) else ""
    count = number_of(len(found), "detector")
    caption = (
        f"Pixel F1 ({mean}) against multiply-accumulates for one photograph; {way}. Area of a symbol: memory. "
        f"Ringed and joined: the Pareto front, those of the {count} drawn that no other one beats in both{beside}. "
        f"Hollow: random weights, which are never on a front."
    )
    return draw(
        key,
        f"{title}, {data_name(data)}",
        caption,
        (8.6, 5.0),
        lambda figure: _paint(figure, results, found, mean),
        description=f"Scatter plot of {count}. On the Pareto front from cheap to dear: {front}.",
        notes=notes,
    )


def front_table(results: Results, data: str, key: str, *, as_paper: bool = False) -> Table | None:
    """A table of the figure's points; those of the front are marked."""
    found, _, _ = points(results, data, as_paper=as_paper)
    if not found:
        return None
    columns = [*IDENTITY, Column("pixel F1"), Column("inference", "MMAC"), Column("memory", "MiB"), Column("front")]
    table = Table(f"{key}-points", "The points of the figure", columns)
    for point in sorted(found, key=lambda p: (p.mmac, p.setup.order)):
        row = identity(results, point.setup)
        row += [number(point.f1), amount(point.mmac), amount(point.mib)]
        row.append(Entry("yes", 0.0) if point.front else Entry("", 1.0))
        table.rows.append(row)
    mark_best(table.rows, len(IDENTITY))
    return table


def _front(found: Sequence[Point]) -> list[Point]:
    return sorted((point for point in found if point.front), key=lambda p: p.mmac)


def _area(mib: float) -> float:
    """Area of a symbol in square points. Memories span a factor of a thousand, so the area grows with their root."""
    return float(22 * np.sqrt(np.clip(mib, 0.25, 6000)))


def _paint(figure: Figure, results: Results, found: list[Point], mean: str) -> list[Mark]:
    dots = [
        Dot(point.setup, point.mmac, point.f1, point.front, _told(results, point), _area(point.mib), point.aside)
        for point in found
    ]
    looks = Looks(dots)
    marks = scatter(
        figure.add_subplot(),
        dots,
        looks,
        cost="inference (million multiply-accumulates for one photograph, log scale)",
        f1=f"pixel F1 ({short(mean)})",
    )
    largest = max(point.mib for point in found)
    looks.legend(figure, [(f"{mib:,} MiB", _area(mib)) for mib in (1, 10, 100, 1000) if mib == 1 or mib / 3 < largest])
    return marks


def _told(results: Results, point: Point) -> str:
    lines = [results.name(point.setup), f"pixel F1 {point.f1:.3f}"]
    lines += [f"{three_digits(point.mmac)} MMAC", f"{three_digits(point.mib)} MiB"]
    return "\n".join([*lines, *(["on the Pareto front"] if point.front else [])])
