"""Curves along a stream: accuracy, forgetting, false alarms, bytes and seconds after every step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from flawspot.benchmark.report.drawing import PAPER, QUIET, Drawing, draw, finish
from flawspot.benchmark.report.names import data_name, short
from flawspot.benchmark.report.results import Results
from flawspot.benchmark.report.stream_analysis import (
    FALSE_ALARMS,
    IMAGE_AUROC,
    PIXEL_F1,
    Followed,
    Steps,
    detector_name,
    forgetting,
    measured,
    megabytes,
    on_all,
    stream_title,
)
from flawspot.benchmark.streams.stream import ANEW, FROZEN, for_people

_FIXED = {FROZEN: ("#7F7F7F", "s"), ANEW: ("#D55E00", "o")}
_UPDATES = (("#56B4E9", "v"), ("#0072B2", "D"), ("#009E73", "^"), ("#CC79A7", "P"), ("#8C6BB1", "X"))
_BETWEEN = 0.8
"""An axis starts at this share of the smallest figure in its panel."""

_Panel = tuple[str, Callable[[Steps], list[float | None]]]


def stream_figure(results: Results, one: Followed, key: str) -> Drawing | None:
    """Six panels for one detector, a line for each strategy; None where nothing was measured."""
    found: dict[str, dict[str, list[float | None]]] = {}
    panels = _panels(one)
    for heading, figure in panels:
        lines = {strategy: one.line(strategy, figure) for strategy in one.strategies}
        found[heading] = {name: line for name, line in lines.items() if any(each is not None for each in line)}
    drawn = [name for name in one.strategies if any(name in lines for lines in found.values())]
    if not drawn:
        return None
    looks = _looks(one.strategies)

    def paint(figure: Figure) -> None:
        axes = figure.subplots(3, 2)
        for place, (heading, _) in zip(axes.flat, panels, strict=True):
            _panel(place, heading, found[heading], looks)
        handles = [axes.flat[0].plot([], [], label=for_people(name), **looks[name])[0] for name in drawn]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(drawn), 3), handlelength=2.4)

    seeds = max(len(runs) for runs in one.runs.values())
    return draw(
        key,
        f"{data_name(one.data)}: {detector_name(results, one)}",
        f"Steps: {stream_title(one.stream)}. Accuracy and false alarms (at the shipped threshold) are on the test sets "
        "of all steps so far together. Forgetting is the best earlier figure minus the present one, on test sets of "
        "earlier steps. Kept beside the artifact for the next step: an update's state or, for training anew, all good "
        f"photographs. Seconds are processor seconds.{'' if seeds == 1 else ' Means over seeds.'} All figures are in "
        "the tables below.",
        (4.4, 6.2),
        paint,
        description=f"Lines of {len(drawn)} strategies over {len(one.stream.steps)} steps; all figures are in the "
        "tables below.",
    )


def _panels(one: Followed) -> list[_Panel]:
    has_masks = any(each is not None for name in one.strategies for each in one.line(name, on_all(PIXEL_F1)))
    name, heading = (PIXEL_F1, "pixel F1") if has_masks else (IMAGE_AUROC, "AUROC")
    return [
        ("Pixel F1 so far", on_all(PIXEL_F1)),
        ("Image AUROC so far", on_all(IMAGE_AUROC)),
        (f"Forgetting of {heading}", forgetting(name)),
        ("False alarms", on_all(FALSE_ALARMS)),
        ("Kept beside it (MB)", megabytes("kept_bytes")),
        ("Seconds of learning", measured("cpu_seconds")),
    ]


def _panel(axes: Axes, heading: str, lines: dict[str, list[float | None]], looks: dict[str, dict[str, Any]]) -> None:
    for name, line in lines.items():
        values = [float("nan") if value is None else value for value in line]
        axes.plot(range(1, len(line) + 1), values, clip_on=False, **looks[name])
    axes.set_title(short(heading))
    axes.set_xlabel("step")
    steps = max(map(len, lines.values()), default=1)
    margin = 0.05 * (steps - 1) or 0.5
    axes.set_xlim(1 - margin, steps + margin)  # also where the first step has no figure, as of forgetting
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    values = [value for line in lines.values() for value in line if value is not None]
    if not values:
        axes.text(0.5, 0.5, "no figures", color=QUIET, ha="center", va="center", transform=axes.transAxes)
    elif heading.startswith("Forgetting"):
        axes.axhline(0, color=QUIET, linewidth=0.8)
    elif heading.endswith("so far"):
        axes.set_ylim(_BETWEEN * min(values), 1)
    else:
        axes.set_ylim(0, 1.1 * max(values) or 1)
    finish(axes, grid="y")


def _looks(strategies: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour and marker of each strategy; hollow ones, of falling size, for lines that lie on each other."""
    looks: dict[str, dict[str, Any]] = {}
    updates = [name for name in strategies if name not in _FIXED]
    for position, name in enumerate(strategies):
        colour, marker = _FIXED.get(name) or _UPDATES[updates.index(name) % len(_UPDATES)]
        size = 7.5 - 3.5 * position / max(len(strategies) - 1, 1)
        looks[name] = {"color": colour, "marker": marker, "markersize": size, "linewidth": 1.4}
        looks[name] |= {"markerfacecolor": PAPER, "markeredgewidth": 1.3}
    return looks
