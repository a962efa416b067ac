"""Lines of detectors: by the size of the defects, and along the axes beyond the paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flawspot.benchmark.report.axis_analysis import METRICS, Axis, Curve, curves, positions
from flawspot.benchmark.report.drawing import PAPER, QUIET, Drawing, Mark, draw, finish
from flawspot.benchmark.report.names import backbone_markers, data_name, legend_name, method_colours, number_of, short
from flawspot.benchmark.report.results import Results, Setup, flat, on_own_layers
from flawspot.benchmark.report.size_analysis import Band, SizeFigures, band_name, bands, defects, size_figures
from flawspot.benchmark.report.statistics import CONFIDENCE

MOST_LINES = 12
"""The most lines in a figure by size."""
RECALL = "Recall of defects"
_DASHES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")


def _network(setup: Setup) -> tuple[str, bool, str, str | None]:
    """The properties that a line's dashes show."""
    return setup.backbone, setup.random_weights, setup.precision, setup.tolerate


class Looks:
    """Colour by method, marker by backbone, dashes by backbone, precision and what is tolerated; the marker of random
    weights is hollow."""

    def __init__(self, results: Results, setups: Sequence[Setup]) -> None:
        self.results, self.setups = results, sorted(set(setups), key=lambda s: s.order)
        self.colours = method_colours({setup.label: setup.method for setup in self.setups})
        self.markers = backbone_markers(setup.backbone for setup in self.setups)
        names = list(dict.fromkeys(map(_network, self.setups)))
        self.dashes = {name: _DASHES[index % len(_DASHES)] for index, name in enumerate(names)}

    def plot(
        self, axes: Axes, setup: Setup, x: Sequence[float], y: Sequence[float | None], told: Sequence[str]
    ) -> list[Mark]:
        """A line with gaps where there is no figure, and a mark for each point; `told` is what its tooltip adds to the
        detector's name."""
        colour = self.colours[setup.label]
        axes.plot(
            x, [float("nan") if value is None else value for value in y], color=colour, linewidth=1.4,
            linestyle=self.dashes[_network(setup)], clip_on=False,
        )  # fmt: skip
        marks: list[Mark] = []
        for place, value, text in zip(x, y, told, strict=True):
            if value is not None:
                # Above every line, which would take the pointer from it.
                (point,) = axes.plot(
                    place, value, color=colour, markersize=4.5, linestyle="none", marker=self.markers[setup.backbone],
                    markerfacecolor=PAPER if setup.random_weights else colour, clip_on=False, zorder=3,
                )  # fmt: skip
                marks.append((point, f"{self.results.name(setup)}\n{text}"))
        return marks

    def band(
        self, axes: Axes, setup: Setup, x: Sequence[float], intervals: Sequence[tuple[float, float] | None]
    ) -> None:
        """A band between the ends of intervals, with gaps where there is none."""
        low, high = ([float("nan") if each is None else each[end] for each in intervals] for end in (0, 1))
        axes.fill_between(x, low, high, color=self.colours[setup.label], alpha=0.18, linewidth=0)

    def legend(self, figure: Figure) -> None:
        """Methods, then backbones, beside the figure."""
        names = {setup.label: setup.method_name for setup in self.setups}
        handles = [
            Line2D([], [], color=self.colours[label], linewidth=2.2, label=short(name)) for label, name in names.items()
        ]
        for setup in {_network(setup): setup for setup in self.setups}.values():
            hollow, tolerated = setup.random_weights, f"\ntolerates {short(setup.tolerate)}" if setup.tolerate else ""
            precision = f", {setup.precision}" if self.results.varied_precision else ""
            handles.append(
                Line2D(
                    [],
                    [],
                    color=QUIET,
                    linestyle=self.dashes[_network(setup)],
                    marker=self.markers[setup.backbone],
                    markersize=4.5,
                    markerfacecolor=PAPER if hollow else QUIET,
                    label=legend_name(setup.backbone_name) + precision + tolerated,
                )
            )
        figure.legend(handles=handles, loc="outside right upper", handlelength=2.6)


def sizes_figure(results: Results, data: str, key: str) -> Drawing | None:
    """Recall and F1 by the size of the defects, a line for each method and network; None without any."""
    every = bands(results, data)
    every_setup = {s: size_figures(results, data, s) for s in results.setups(data)}
    drawn, note = on_own_layers([s for s, found in every_setup.items() if any(f.regions for f in found.values())])
    if not drawn:
        return None
    few, left = _few(results, data, drawn)
    figures = {setup: every_setup[setup] for setup in few}
    looks = Looks(results, list(figures))

    def paint(figure: Figure) -> list[Mark]:
        marks: list[Mark] = []
        panels = figure.subplots(1, 2, sharey=True)
        for axes, what, title in zip(panels, ("recall", "f1_max"), (RECALL, "Pixel F1"), strict=True):
            for setup, found in figures.items():
                line = [getattr(found[band], what) if band in found else None for band in every]
                told = [_of_size(title, band, found.get(band), value) for band, value in zip(every, line, strict=True)]
                marks += looks.plot(axes, setup, list(range(len(every))), line, told)
            axes.set_title(title)
            axes.set_xticks(range(len(every)), [f"{band_name(b)}\nn = {defects(results, data, b)}" for b in every])
            axes.set_xlabel("area of the defect (thousandths of the photograph)")
            axes.set_ylim(0, 1)
            finish(axes, grid="y")
        panels[0].set_ylabel("0 to 1")
        looks.legend(figure)
        return marks

    return draw(
        key,
        f"Small defects and large ones, {data_name(data)}",
        "Share of the defects found, and the best pixel F1, by the area of the defect. n: defects of that size. A gap "
        "means that there are none of that size. All figures are in the table below.",
        (9.6, 3.6),
        paint,
        description=f"Lines of {number_of(len(figures), 'detector')} over {number_of(len(every), 'size')}; all figures "
        "are in the table below.",
        notes=[*filter(None, [note]), *left],
    )


def _of_size(title: str, band: Band, found: SizeFigures | None, value: float | None) -> str:
    """The text of a point; of one without a figure, which is not drawn, an empty one."""
    if found is None or value is None:
        return ""
    of = f" (of {number_of(found.regions, 'defect')} in all runs)" if title == RECALL else ""
    return f"defects of {band_name(band)} ‰ of the photograph\n{title.lower()} {value:.3f}{of}"


def _few(results: Results, data: str, setups: Sequence[Setup]) -> tuple[list[Setup], list[str]]:
    """As many detectors as one can tell apart in a figure, and a note on the others.

    None is chosen by its accuracy. While there are too many, those are left out that have random weights, another
    precision than the first in the alphabet, or fewer seeds than others; then the last networks.
    """
    seeds = {setup: len({record.cell.seed for record in flat(results.runs(data, setup))}) for setup in setups}
    rules: tuple[tuple[str, Callable[[Setup], Any]], ...] = (
        ("random weights", lambda setup: setup.random_weights),
        ("another precision", lambda setup: setup.precision),
        ("fewer seeds", lambda setup: -seeds[setup]),
    )
    chosen, why = list(setups), []
    for reason, rule in rules:
        first = min(map(rule, chosen))
        if len(chosen) > MOST_LINES and any(rule(setup) != first for setup in chosen):
            chosen = [setup for setup in chosen if rule(setup) == first]
            why.append(reason)
    if len(chosen) > MOST_LINES:
        why.append("a later place in the list of detectors")
    while len(chosen) > MOST_LINES and len(networks := {setup.network for setup in chosen}) > 1:
        last = max(networks, key=lambda network: network.order)
        chosen = [setup for setup in chosen if setup.network != last]
    chosen = chosen[:MOST_LINES]
    rest = [setup for setup in setups if setup not in chosen]
    if not rest:
        return chosen, []
    return chosen, [
        f"Not drawn, because nobody can tell more than {MOST_LINES} lines apart: {results.names(rest)}. They are those "
        f"with {' or '.join(why)}. The tables have them."
    ]


def _top(figures: Iterable[float]) -> float:
    """The end of an axis for figures in 0..1: the next fifth."""
    return min(1.0, math.ceil(5 * max(figures, default=1.0) + 0.2) / 5)


def axis_figure(results: Results, group: Sequence[Axis], data: str, key: str, title: str) -> Drawing | None:
    """A panel for each of `METRICS` (row) and axis (column); None where nothing was measured."""
    found = {
        (name, axis.key): [c for c in curves(results, axis, data, name) if any(f is not None for f in c.figures)]
        for name, _ in METRICS
        for axis in group
    }
    setups, note = on_own_layers(list(dict.fromkeys(curve.setup for lines in found.values() for curve in lines)))
    if not setups:
        return None
    found = {place: [curve for curve in lines if curve.setup in setups] for place, lines in found.items()}
    looks = Looks(results, setups)
    categories = sorted({category for lines in found.values() for curve in lines for category in curve.categories})

    def paint(figure: Figure) -> list[Mark]:
        marks: list[Mark] = []
        # Side by side: the metrics of one axis, or else the axes of one metric a row.
        shape = (1, len(METRICS)) if len(group) == 1 else (len(METRICS), len(group))
        panels = figure.subplots(*shape, sharey="row" if len(group) > 1 else False, squeeze=False)
        for row, (name, heading) in enumerate(METRICS):
            for column, axis in enumerate(group):
                axes = panels[0, row] if len(group) == 1 else panels[row, column]
                lines = found[name, axis.key] if len(group) == 1 else [c for a in group for c in found[name, a.key]]
                for curve in found[name, axis.key]:
                    looks.band(axes, curve.setup, positions(axis), curve.intervals)
                    told = _at_levels(axis, curve, heading)
                    marks += looks.plot(axes, curve.setup, positions(axis), curve.figures, told)
                axes.set_xticks(positions(axis), [level.name for level in axis.levels])
                axes.set_ylim(0, _top(height for curve in lines for height in curve.heights))
                finish(axes, grid="y")
                if len(group) == 1:
                    axes.set_title(heading)
                elif row == 0:
                    axes.set_title(short(axis.title))
                if column == 0:
                    axes.set_ylabel(heading if len(group) > 1 else "0 to 1")
                if row == len(METRICS) - 1 or len(group) == 1:
                    axes.set_xlabel(axis.label)
        looks.legend(figure)
        return marks

    size = (2.4 + 2.4 * len(METRICS), 3.4) if len(group) == 1 else (2.3 + 1.45 * len(group), 0.9 + 2.1 * len(METRICS))
    return draw(
        key,
        f"{title}, {data_name(data)}",
        f"Means over seeds and over the categories that were done at every level ({len(categories)}: "
        f"{', '.join(categories[:6])}{' …' if len(categories) > 6 else ''}). "
        "False alarms and recall are those of the shipped threshold. "
        f"Bands: {CONFIDENCE:.0%} Student's intervals of the mean over seeds, for these categories; one seed has none. "
        "All figures are in the tables below.",
        size,
        paint,
        description=f"Lines of {number_of(len(setups), 'detector')}; all figures are in the tables below.",
        notes=[note] if note else [],
    )


def _at_levels(axis: Axis, curve: Curve, heading: str) -> list[str]:
    """The texts of a curve's points."""
    told = []
    for level, figure, interval in zip(axis.levels, curve.figures, curve.intervals, strict=True):
        lines = [f"{axis.title}: {axis.label} {level.name}"]
        if figure is not None:
            ends = f", {CONFIDENCE:.0%} interval {interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
            lines += [f"{heading} {figure:.3f}{ends}", number_of(curve.seeds, "seed")]
        told.append("\n".join(lines))
    return told
