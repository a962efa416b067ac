"""Pixel F1 against a cost: a symbol for each detector, and the Pareto front."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from flawspot.benchmark.report.drawing import FAINT, INK, PAPER, QUIET, Mark, finish
from flawspot.benchmark.report.names import backbone_markers, legend_name, method_colours, plain, short
from flawspot.benchmark.report.results import Setup
from flawspot.benchmark.report.tables import three_digits

PLAIN_AREA = 60.0
"""Area of a symbol whose size has no meaning, in square points."""
OUTLINED = "int8"
"""The precision whose symbols have a dark outline."""
_ASIDE_AREA = 10.0
_NEAR = 0.08
"""Share of a panel's width that a label takes."""


@dataclass(frozen=True)
class Dot:
    """A detector in a figure.

    Attributes:
        setup: the detector.
        cost: value on the horizontal axis, above 0.
        f1: pixel F1, 0..1.
        front: whether it is on the Pareto front.
        told: its tooltip.
        area: area of its symbol, in square points.
        aside: whether it is drawn small, because it is only there for the front.
    """

    setup: Setup
    cost: float
    f1: float
    front: bool
    told: str
    area: float = PLAIN_AREA
    aside: bool = False


def unbeaten(figures: Sequence[tuple[float, ...]], able: Sequence[bool]) -> list[bool]:
    """Which items are on the Pareto front: no `able` item is at least as good in every figure and better in one.

    Args:
        figures: figures of each item; larger is better.
        able: items that are not able are never on the front and push no other off it.
    """
    return [
        can
        and not any(
            other != one and all(a >= b for a, b in zip(other, one, strict=True))
            for other, rival in zip(figures, able, strict=True)
            if rival
        )
        for one, can in zip(figures, able, strict=True)
    ]


def layers_vary(setups: Sequence[Setup]) -> bool:
    """Whether a method was run on several layer groups, which its symbol does not show."""
    return len({(setup.network, setup.label) for setup in setups}) < len(setups)


class Looks:
    """Colours and markers of all detectors of a figure.

    Attributes:
        colours: by label of the method.
        markers: by backbone.
    """

    def __init__(self, dots: Sequence[Dot]) -> None:
        self._dots = sorted(dots, key=lambda dot: dot.setup.order)
        self.colours: Mapping[str, str] = method_colours({dot.setup.label: dot.setup.method for dot in dots})
        self.markers: Mapping[str, str] = backbone_markers(dot.setup.backbone for dot in dots)

    def legend(self, figure: Figure, sizes: Sequence[tuple[str, float]] = ()) -> None:
        """The legend beside the figure.

        Args:
            figure: whose it is.
            sizes: name and area of symbols whose size says something.
        """
        names = {dot.setup.label: dot.setup.method_name for dot in self._dots}
        handles: list[Line2D] = [_heading("Method")]
        handles += [_symbol("o", self.colours[label], short(names[label])) for label in self.colours if label in names]
        handles += [_heading(""), _heading("Backbone")]
        backbones = {(d.setup.backbone, d.setup.random_weights): d.setup.backbone_name for d in self._dots}
        for (backbone, hollow), name in backbones.items():
            handles.append(_symbol(self.markers[backbone], QUIET, legend_name(name), hollow=hollow))
        precisions = {dot.setup.precision for dot in self._dots}
        if len(precisions) > 1:
            handles += [_heading(""), _heading("Precision")]
            handles += [_symbol("o", QUIET, name, outlined=name == OUTLINED) for name in sorted(precisions)]
        if sizes:
            handles += [_heading(""), _heading("Memory")]
            handles += [_symbol("o", FAINT, name, size=area**0.5) for name, area in sizes]
        handles += [_heading(""), Line2D([], [], color=QUIET, linestyle="--", linewidth=1.2, label="Pareto front")]
        legend = figure.legend(
            handles=handles, loc="outside right upper", labelspacing=0.55, handletextpad=0.9, handlelength=1.6
        )
        for text in legend.get_texts():
            if text.get_text() in ("Method", "Backbone", "Precision", "Memory"):
                text.set_fontweight("bold")


def scatter(axes: Axes, dots: Sequence[Dot], looks: Looks, *, cost: str, f1: str) -> list[Mark]:
    """Draw the detectors and join those of the front.

    Args:
        axes: an empty panel.
        dots: at least one.
        looks: colours and markers of all detectors of the figure.
        cost, f1: labels of the axes.

    Returns:
        The marks with tooltips, from cheap to expensive.
    """
    front = sorted((dot for dot in dots if dot.front), key=lambda dot: dot.cost)
    axes.plot([d.cost for d in front], [d.f1 for d in front], color=QUIET, linewidth=1.2, linestyle="--", zorder=1)
    if layers_vary([dot.setup for dot in dots]):
        _label_layers(axes, front, dots)
    marks: list[tuple[float, Mark]] = []
    # Large symbols are drawn first, so that they do not hide small ones.
    for dot in sorted(dots, key=lambda d: (-d.area, d.setup.order)):
        area = _ASIDE_AREA if dot.aside else dot.area
        colour, marker = looks.colours[dot.setup.label], looks.markers[dot.setup.backbone]
        if dot.front:
            axes.scatter(
                dot.cost, dot.f1, s=area * 1.6 + 60, marker="o", facecolor="none", edgecolor=INK, linewidth=1.1,
                zorder=4,
            )  # fmt: skip
        hollow, outlined = dot.setup.random_weights, dot.setup.precision == OUTLINED
        symbol = axes.scatter(
            dot.cost, dot.f1, s=area, marker=marker, zorder=3, alpha=0.9,
            facecolor="none" if hollow else colour, edgecolor=INK if outlined else colour if hollow else PAPER,
            linewidth=1.6 if hollow else 1.1 if outlined else 0.7,
        )  # fmt: skip
        marks.append((dot.cost, (symbol, dot.told)))
    _scales(axes, dots)
    axes.set_xlabel(cost)
    axes.set_ylabel(f1)
    finish(axes)
    return [mark for _, mark in sorted(marks, key=lambda item: item[0])]


def _label_layers(axes: Axes, front: Sequence[Dot], dots: Sequence[Dot]) -> None:
    """Write each front detector's layers above it. Of near ones, by turns below and above: a front rises, so the label
    of the first has room below."""
    width = math.log(max(dot.cost for dot in dots) / min(dot.cost for dot in dots)) or 1.0
    height = max(dot.f1 for dot in dots) - min(dot.f1 for dot in dots) or 1.0
    near = [
        math.log(after.cost / dot.cost) < _NEAR * width and after.f1 - dot.f1 < _NEAR * height
        for dot, after in itertools.pairwise(front)
    ]
    above = True
    for dot, near_last, near_next in zip(front, [False, *near], [*near, False], strict=True):
        above = not above if near_last else not near_next
        reach = 9 + 0.5 * (_ASIDE_AREA if dot.aside else dot.area) ** 0.5
        axes.annotate(
            plain(dot.setup.layers, 12), (dot.cost, dot.f1), (0, reach if above else -reach),
            textcoords="offset points", ha="center", va="baseline" if above else "top", fontsize=7.5, color=INK,
            zorder=5,
        )  # fmt: skip


def _scales(axes: Axes, dots: Sequence[Dot]) -> None:
    """Set a logarithmic axis for costs, and an axis for pixel F1 up to its largest value."""
    axes.set_xscale("log")
    low, high = min(dot.cost for dot in dots), max(dot.cost for dot in dots)
    axes.set_xlim(low / 1.6, high * 1.6)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 200 else (1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: three_digits(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    worst, best = min(dot.f1 for dot in dots), max(dot.f1 for dot in dots)
    margin = max(0.12 * (best - worst), 0.03)
    axes.set_ylim(worst - margin, best + margin)


def _heading(text: str) -> Line2D:
    return Line2D([], [], linestyle="none", label=text)


def _symbol(
    marker: str, colour: str, name: str, size: float = 7.0, hollow: bool = False, outlined: bool = False
) -> Line2D:
    return Line2D(
        [], [], linestyle="none", marker=marker, markersize=size, label=name,
        markeredgecolor=INK if outlined else colour, markerfacecolor="none" if hollow else colour,
        markeredgewidth=1.4 if hollow else 1.1 if outlined else 0.4,
    )  # fmt: skip
