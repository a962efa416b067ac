"""Figure 1 of the paper: accuracy against the cost of inference."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from flawspot.benchmark.report.detector_tables import IDENTITY, identity, memory, mmac, shared
from flawspot.benchmark.report.drawing import FAINT, INK, PAPER, QUIET, Drawing, draw, finish
from flawspot.benchmark.report.names import backbone_markers, data_name, legend_name, method_colours, plain, short
from flawspot.benchmark.report.paper_comparison import paper_memory, paper_mmac
from flawspot.benchmark.report.results import Results, Setup, on_own_layers
from flawspot.benchmark.report.statistics import comparable, estimate, metric
from flawspot.benchmark.report.tables import Column, Entry, Table, amount, mark_best, number, three_digits

_F1 = metric("pixel_f1_max")


@dataclass(frozen=True)
class Point:
    """A detector in the figure: mean pixel F1 (0..1), MMAC and MiB for one photograph; on the front or not."""

    setup: Setup
    f1: float
    mmac: float
    mib: float
    front: bool


def points(results: Results, data: str, *, as_paper: bool = False) -> tuple[list[Point], tuple[str, ...], list[str]]:
    """The detectors that can be compared, the categories of their means, and notes on all others.

    Args:
        results: of all runs.
        data: the data set.
        as_paper: costs as the paper counts them, and each method on the layers that the paper compares it on.
    """
    setups, left_out = on_own_layers(results.setups(data)) if as_paper else (results.setups(data), None)
    chosen = comparable(results, data, setups, _F1)
    notes = [*([left_out] if left_out else []), *chosen.notes]
    count_macs, count_bytes = (paper_mmac, paper_memory) if as_paper else (mmac, memory)
    found = []
    for setup in chosen.setups:
        runs = results.runs(data, setup)
        f1 = estimate(runs, chosen.categories, _F1).mean
        macs, mib = shared(runs, count_macs), shared(runs, count_bytes)
        if f1 is None or not macs or not mib:
            notes.append(f"Left out: {results.name(setup)} (its cost is not known in this way of counting).")
        else:
            found.append(Point(setup, f1, macs, mib, front=False))
    return pareto(found), chosen.categories, notes


def pareto(found: Sequence[Point]) -> list[Point]:
    """The same points, those marked that no other beats: none is at least as good in both and better in one.

    Random weights neither stand on the front nor push others off it: their accuracy is no network's.
    """
    marked = []
    for point in found:
        beaten = any(
            other.f1 >= point.f1 and other.mmac <= point.mmac and (other.f1, other.mmac) != (point.f1, point.mmac)
            for other in found
            if not other.setup.random_weights
        )
        marked.append(dataclasses.replace(point, front=not beaten and not point.setup.random_weights))
    return marked


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
    caption = (
        f"Pixel F1 ({mean}) against multiply-accumulates for one photograph; {way}. Area of a symbol: memory. "
        f"Ringed and joined: the Pareto front, those of the {len(found)} detectors drawn that no other one beats in "
        f"both{', each with its layers beside it' if _layers_vary(found) else ''}. "
        "Hollow: random weights, which stand on no front."
    )
    return draw(
        key,
        f"{title}, {data_name(data)}",
        caption,
        (8.6, 5.0),
        lambda figure: _paint(figure, results, found, mean),
        description=f"Scatter plot of {len(found)} detectors. On the Pareto front from cheap to dear: {front}.",
        notes=notes,
    )


def _layers_vary(found: Sequence[Point]) -> bool:
    """Whether a method was run on several groups of layers, which its symbol does not tell apart."""
    return len({(point.setup.network, point.setup.label) for point in found}) < len(found)


def front_table(results: Results, data: str, key: str, *, as_paper: bool = False) -> Table | None:
    """The figure's points in figures, those of the front marked."""
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
    """Of a symbol, in square points: the memories span a factor of a thousand, so their root."""
    return float(22 * np.sqrt(np.clip(mib, 0.25, 6000)))


def _paint(figure: Figure, results: Results, found: list[Point], mean: str) -> None:
    axes = figure.add_subplot()
    methods = {point.setup.label: point.setup.method for point in found}
    colours = method_colours(methods)
    markers = backbone_markers(point.setup.backbone for point in found)
    front = _front(found)
    axes.plot([p.mmac for p in front], [p.f1 for p in front], color=QUIET, linewidth=1.2, linestyle="--", zorder=1)
    # Large symbols below small ones, or they would hide them.
    for point in sorted(found, key=lambda p: (-p.mib, p.setup.order)):
        colour, marker = colours[point.setup.label], markers[point.setup.backbone]
        if point.front:
            axes.scatter(
                point.mmac, point.f1, s=_area(point.mib) * 1.6 + 60, marker="o", facecolor="none", edgecolor=INK,
                linewidth=1.1, zorder=4,
            )  # fmt: skip
            if _layers_vary(found):
                above = (0, 9 + 0.5 * _area(point.mib) ** 0.5)
                axes.annotate(
                    plain(point.setup.layers, 12), (point.mmac, point.f1), above, textcoords="offset points",
                    ha="center", fontsize=7.5, color=INK, zorder=5,
                )  # fmt: skip
        hollow = point.setup.random_weights
        axes.scatter(
            point.mmac, point.f1, s=_area(point.mib), marker=marker, zorder=3, alpha=0.9,
            facecolor="none" if hollow else colour, edgecolor=colour if hollow else PAPER,
            linewidth=1.6 if hollow else 0.7,
        )  # fmt: skip
    axes.set_xscale("log")
    low, high = min(p.mmac for p in found), max(p.mmac for p in found)
    axes.set_xlim(low / 1.6, high * 1.6)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 200 else (1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: three_digits(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    margin = max(0.12 * (max(p.f1 for p in found) - min(p.f1 for p in found)), 0.03)
    axes.set_ylim(min(p.f1 for p in found) - margin, max(p.f1 for p in found) + margin)
    axes.set_xlabel("inference (million multiply-accumulates for one photograph, log scale)")
    axes.set_ylabel(f"pixel F1 ({short(mean)})")
    finish(axes)
    _legends(figure, results, found, colours, markers)


def _legends(
    figure: Figure, results: Results, found: list[Point], colours: dict[str, str], markers: dict[str, str]
) -> None:
    ordered = sorted(found, key=lambda p: p.setup.order)
    names = {point.setup.label: point.setup.method_name for point in ordered}
    handles: list[Line2D] = [_heading("Method")]
    handles += [_symbol("o", colours[label], short(names[label])) for label in colours if label in names]
    handles += [_heading(""), _heading("Backbone")]
    backbones = {(p.setup.backbone, p.setup.random_weights): p.setup.backbone_name for p in ordered}
    for (backbone, hollow), name in backbones.items():
        handles.append(_symbol(markers[backbone], QUIET, legend_name(name), hollow=hollow))
    handles += [_heading(""), _heading("Memory")]
    largest = max(p.mib for p in found)
    for mib in (1, 10, 100, 1000):
        if mib == 1 or mib / 3 < largest:
            handles.append(_symbol("o", FAINT, f"{mib:,} MiB", size=float(np.sqrt(_area(mib)))))
    handles += [_heading(""), Line2D([], [], color=QUIET, linestyle="--", linewidth=1.2, label="Pareto front")]
    legend = figure.legend(
        handles=handles, loc="outside right upper", labelspacing=0.55, handletextpad=0.9, handlelength=1.6
    )
    for text in legend.get_texts():
        if text.get_text() in ("Method", "Backbone", "Memory"):
            text.set_fontweight("bold")


def _heading(text: str) -> Line2D:
    return Line2D([], [], linestyle="none", label=text)


def _symbol(marker: str, colour: str, name: str, size: float = 7.0, hollow: bool = False) -> Line2D:
    return Line2D(
        [], [], linestyle="none", marker=marker, markersize=size, label=name, markeredgecolor=colour,
        markerfacecolor="none" if hollow else colour, markeredgewidth=1.4 if hollow else 0.4,
    )  # fmt: skip
