"""Figure 5 of the paper: the effect of the feature layers on accuracy, category by category."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from flawspot.benchmark.report.drawing import INK, QUIET, Drawing, Mark, draw, finish
from flawspot.benchmark.report.names import (
    LAYERS,
    LETTERS,
    METHODS,
    OWN_LAYERS,
    data_name,
    method_name,
    plain,
    rank,
)
from flawspot.benchmark.report.results import Network, Results, Setup
from flawspot.benchmark.report.statistics import metric, seed_mean

ALL = "all"


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        mean, variance: mean and variance of the pixel F1 over `methods`.
        methods: methods of the mean, by label.
        whole: whether it includes all methods of the row and, for `ALL`, all categories of the row.
    """

    mean: float
    variance: float
    methods: tuple[str, ...]
    whole: bool


def bars(results: Results, data: str) -> tuple[dict[Network, dict[str, dict[str, Bar]]], dict[Network, list[str]]]:
    """Bars by network, category (`ALL` last) and layer group; and the groups of each network.

    A method on layers that no other method uses is left out, because there is nothing to average it with.
    """
    rows: dict[Network, dict[str, dict[str, Setup]]] = {}
    for setup in results.setups(data):
        if not _alone(setup):
            rows.setdefault(setup.network, {}).setdefault(setup.layers, {})[setup.label] = setup
    found: dict[Network, dict[str, dict[str, Bar]]] = {}
    groups: dict[Network, list[str]] = {}
    categories = results.categories(data)
    for row, by_group in sorted(rows.items(), key=lambda item: item[0].order):
        labels = {label for setups in by_group.values() for label in setups}
        figures = {
            (group, label, category): figure
            for group, setups in by_group.items()
            for label, setup in setups.items()
            for category, runs in results.runs(data, setup).items()
            if (figure := seed_mean(runs, metric("pixel_f1_max"))) is not None
        }
        if not figures:
            continue
        measured = [c for c in categories if any(place[2] == c for place in figures)]
        ran = {label for label in labels if any(place[1] == label for place in figures)}
        groups[row] = sorted(by_group, key=lambda group: rank(group, LAYERS))
        found[row] = {category: {} for category in [*categories, ALL]}
        for group in groups[row]:
            for category in measured:
                got = {label: figures[group, label, category] for label in ran if (group, label, category) in figures}
                if got:
                    found[row][category][group] = _bar(got, whole=set(got) == ran)
            # Every method's mean is over the same categories: those that all methods have done in this group.
            there = [c for c in measured if all((group, label, c) in figures for label in ran)]
            if there:
                got = {label: float(np.mean([figures[group, label, c] for c in there])) for label in ran}
                found[row][ALL][group] = _bar(got, whole=there == categories)
    return found, groups


def _alone(setup: Setup) -> bool:
    """Whether the paper gives the method layers of its own, and it ran on these."""
    return setup.own_layers and setup.method in OWN_LAYERS


def layers_figure(results: Results, data: str, key: str) -> Drawing | None:
    """Figure 5; None where nothing can be drawn."""
    found, groups = bars(results, data)
    if not found:
        return None
    categories = _columns(results, data)
    most = max(len(group) for group in groups.values())
    missing = sum(
        1 for row in found for category in categories for group in groups[row] if group not in found[row][category]
    )
    every = [bar for row in found.values() for place in row.values() for bar in place.values()]
    methods = sorted({label for bar in every for label in bar.methods}, key=lambda label: rank(label, METHODS))
    caption = (
        f"Bars: mean pixel F1 over the methods ({', '.join(map(method_name, methods))}), for the layer groups "
        f"{_named_groups(groups)}. The best of each category has its figure above. Categories go from the smallest "
        "defects to the largest. Their mean area, in thousandths of the photograph, is below."
    )
    if len(methods) > 1:
        caption += " Colour: variance over the methods."
    if ALL in categories:
        caption += f" “{ALL}”: mean over the categories."
    if not all(bar.whole for bar in every):
        caption += " Hatched: some methods, or for “all” some categories, are missing; do not compare these."
    if missing:
        caption += f" A dash instead of a bar: not measured ({missing} of them)."
    width = max(4.6, 1.6 + 0.17 * (most + 1.2) * len(categories))
    return draw(
        key,
        f"Accuracy by category and layers, {data_name(data)}",
        caption,
        (width, 1.2 + 1.55 * len(found)),
        lambda figure: _paint(figure, results, data, found, groups),
        description=f"Bar charts for {len(found)} backbones over {len(results.categories(data))} categories; all "
        "figures are in the table by category.",
        notes=_notes(results, data),
    )


def _named_groups(groups: dict[Network, list[str]]) -> str:
    """The groups that are drawn, with their letters."""
    names = sorted({group for those in groups.values() for group in those}, key=lambda group: rank(group, LAYERS))
    return ", ".join(f"{plain(name)} ({LETTERS[name]})" if name in LETTERS else f"“{plain(name)}”" for name in names)


def _notes(results: Results, data: str) -> list[str]:
    """What is not drawn."""
    names = sorted({setup.method_name for setup in results.setups(data) if _alone(setup)})
    return [f"Not drawn: {', '.join(names)} on layers that no other method is compared on."] if names else []


def _columns(results: Results, data: str) -> list[str]:
    """The categories, and `ALL` unless there is but one."""
    categories = results.categories(data)
    return [*categories, ALL] if len(categories) > 1 else categories


def _bar(figures: dict[str, float], *, whole: bool) -> Bar:
    values = [figures[label] for label in sorted(figures)]
    return Bar(float(np.mean(values)), float(np.var(values)), tuple(sorted(figures)), whole)


def _paint(
    figure: Figure,
    results: Results,
    data: str,
    found: dict[Network, dict[str, dict[str, Bar]]],
    groups: dict[Network, list[str]],
) -> list[Mark]:
    categories = _columns(results, data)
    marks: list[Mark] = []
    every = [bar for row in found.values() for place in row.values() for bar in place.values()]
    norm = Normalize(0, max(max(bar.variance for bar in every), 1e-4))
    colours = colormaps["viridis_r"]
    top = max(bar.mean for bar in every)
    panels = figure.subplots(len(found), 1, sharex=False, squeeze=False)[:, 0]
    most = max(len(group) for group in groups.values())
    pitch = most + 1.2
    for axes, (row, places) in zip(panels, found.items(), strict=True):
        letters, spots = [], []
        for index, category in enumerate(categories):
            here = places[category]
            offset = index * pitch + (most - len(groups[row])) / 2
            whole = {group: bar for group, bar in here.items() if bar.whole}
            best = max(whole or here, key=lambda group: here[group].mean, default=None)
            for place, group in enumerate(groups[row]):
                x = offset + place
                letters.append(LETTERS.get(group, plain(group, 8)))
                spots.append(x)
                if group not in here:
                    axes.text(x, 0.01 * top, "–", ha="center", va="bottom", color=QUIET, fontsize=10)
                    continue
                bar = here[group]
                colour = colours(norm(bar.variance) if len(bar.methods) > 1 else 0.35)
                hatch = None if bar.whole else "///"
                drawn = axes.bar(x, bar.mean, width=0.86, color=colour, linewidth=0.5, edgecolor=QUIET, hatch=hatch)
                marks.append((drawn.patches[0], _told(row, group, category, bar)))
                if group == best:
                    axes.text(x, bar.mean + 0.015, f"{bar.mean:.2f}", ha="center", va="bottom", fontsize=7.5)
        if categories[-1] == ALL:
            axes.axvline((len(categories) - 1) * pitch - 1.1, color=QUIET, linewidth=0.8)
        axes.set_xticks(spots, letters, fontsize=6.5, rotation=90 if _turned(letters) else 0)
        axes.set_xlim(-1.0, len(categories) * pitch - 1.2)
        axes.set_ylim(0, min(1.0, top * 1.02) + 0.12)
        axes.set_yticks([tick for tick in (0, 0.25, 0.5, 0.75, 1.0) if tick <= top + 0.12])
        axes.set_ylabel("pixel F1")
        axes.set_title(", ".join(filter(None, [row.name, plain(results.details(row), 40)])))
        finish(axes, grid="y")
        axes.tick_params(axis="x", length=0, pad=1)
    names = panels[-1].secondary_xaxis(0)
    centres = [index * pitch + (most - 1) / 2 for index in range(len(categories))]
    names.set_xticks(centres, [_category_name(results, data, c) for c in categories], fontsize=8, color=INK)
    names.tick_params(length=0, pad=_below(letters))
    names.spines["bottom"].set_visible(False)
    if any(len(bar.methods) > 1 for bar in every):
        scale = figure.colorbar(
            ScalarMappable(norm, colours), ax=list(panels), shrink=min(1.0, 0.5 + 0.5 / len(found)), pad=0.01, aspect=30
        )
        scale.set_label("variance of the pixel F1\nover methods")
        scale.outline.set_visible(False)
    return marks


def _turned(letters: list[str]) -> bool:
    """Whether the names of the bars stand upright."""
    return max(map(len, letters)) > 2


def _below(letters: list[str]) -> float:
    """Distance of the categories' names from the axis, in points: below the names of the bars."""
    return 5 + 4.2 * max(map(len, letters)) if _turned(letters) else 14


def _told(row: Network, group: str, category: str, bar: Bar) -> str:
    place = "all categories" if category == ALL else plain(category)
    lines = [f"{row.name} · {plain(group)} · {place}"]
    if len(bar.methods) > 1:
        lines.append(f"mean pixel F1 {bar.mean:.3f}, variance {bar.variance:.2g} over methods")
    else:
        lines.append(f"pixel F1 {bar.mean:.3f}")
    lines.append(", ".join(map(method_name, bar.methods)))
    return "\n".join([*lines, *([] if bar.whole else ["incomplete: not to be compared"])])


def _category_name(results: Results, data: str, category: str) -> str:
    area = results.area(data, category)
    name = plain(category, 14).replace("_", "\n")
    return name if area is None or category == ALL else f"{name}\n{1000 * area:.3g} ‰"
