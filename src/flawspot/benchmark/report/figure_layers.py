"""Figure 5 of the paper: the effect of the feature layers on accuracy, category by category."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from flawspot.benchmark.report.drawing import INK, QUIET, Drawing, Mark, draw, finish, luminance
from flawspot.benchmark.report.layer_analysis import ALL, Bar, Row, rows
from flawspot.benchmark.report.names import (
    LAYERS,
    LETTERS,
    data_name,
    joined,
    method_name,
    number_of,
    plain,
    rank,
)
from flawspot.benchmark.report.results import Network, Results

_ONE_METHOD = "#9aa1ab"
"""The colour of a bar of one method: none of the scale of variances, because it has no variance."""
_ON_LIGHT, _ON_DARK = "#262c38", "#f4f5f7"
"""Colours of the hatch. They are not those of the page, because the bars under them are not either."""
_COLOURS = colormaps["viridis_r"]


def layers_figure(results: Results, data: str, key: str) -> Drawing | None:
    """Figure 5; None where nothing can be drawn."""
    found = rows(results, data)
    if not found:
        return None
    categories = _columns(results, data)
    most = max(len(row.groups) for row in found.values())
    width = max(4.6, 1.6 + 0.17 * (most + 1.2) * len(categories))
    backbones = number_of(len({network.name for network in found}), "backbone")
    places = number_of(len(results.categories(data)), "category", "categories")
    return draw(
        key,
        f"Accuracy by category and layers, {data_name(data)}",
        _caption(results, found, categories),
        (width, 1.2 + 1.55 * len(found)),
        lambda figure: _paint(figure, results, data, found),
        description=f"Bar charts of {backbones}{f' in {len(found)} rows' if len(found) > 1 else ''} over {places}; "
        "all figures are in the table by category.",
        notes=_notes(results, found),
    )


def _caption(results: Results, found: dict[Network, Row], categories: Sequence[str]) -> str:
    every = [bar for row in found.values() for place in row.bars.values() for bar in place.values()]
    whole = all(bar.whole for bar in every)
    by_methods: dict[tuple[str, ...], list[str]] = {}
    for network, row in found.items():
        by_methods.setdefault(row.methods, []).append(_name(results, network))
    if len(by_methods) == 1:
        methods = f"the methods {_methods(next(iter(by_methods)))}"
    else:
        methods = "methods ("
        methods += "; ".join(f"{_methods(those)} on {', '.join(names)}" for those, names in by_methods.items())
        methods += "; compare only bars of the same methods)"
    said = [
        f"Bars: mean pixel F1 over {methods}, for the layer groups: {_named_groups(found)}.",
        f"The best {'' if whole else 'that may be compared '}of each category has its figure above.",
        "Categories go from the smallest defects to the largest. Their mean area, in thousandths of the photograph, "
        "is below.",
    ]
    counts = {len(bar.methods) for bar in every}
    if counts != {1}:
        said.append("Colour: variance over the methods.")
    if 1 in counts:
        said.append("Grey: one method, so there is no variance.")
    if ALL in categories:
        said.append(f"“{ALL}”: mean over the categories.")
    seeds = sorted({bar.seeds for bar in every})
    if len(seeds) > 1:
        said.append(f"The bars have {seeds[0]} to {seeds[-1]} seeds; their texts tell how many.")
    if not whole:
        said.append("Hatched: some methods, or for “all” some categories, are missing; do not compare these.")
    dashes = Counter(
        reason for row in found.values() for (category, _), reason in row.dashes.items() if category in categories
    )
    if dashes:
        reasons = "; ".join(f"{reason} ({count} of them)" for reason, count in sorted(dashes.items()))
        said.append(f"A dash instead of a bar: {reasons}.")
    return " ".join(said)


def _methods(labels: Sequence[str]) -> str:
    return ", ".join(map(method_name, labels))


def _name(results: Results, network: Network) -> str:
    return joined(network.name, results.details(network))


def _named_groups(found: dict[Network, Row]) -> str:
    """The groups that are drawn, with their letters."""
    names = sorted({group for row in found.values() for group in row.groups}, key=lambda group: rank(group, LAYERS))
    return ", ".join(f"{plain(name)} ({LETTERS[name]})" if name in LETTERS else f"“{plain(name)}”" for name in names)


def _notes(results: Results, found: dict[Network, Row]) -> list[str]:
    """What is not drawn, with the reason; and on which backbones, unless it is on all of them."""
    networks: dict[tuple[str, str], list[Network]] = {}
    for network, row in found.items():
        for what, reason in row.left.items():
            networks.setdefault((what, reason), []).append(network)
    whats: dict[tuple[str, tuple[Network, ...]], list[str]] = {}
    for (what, reason), those in networks.items():
        whats.setdefault((reason, tuple(those)), []).append(what)
    notes = []
    for (reason, on), names in whats.items():
        where = "" if len(on) == len(found) else f" on {'; '.join(_name(results, network) for network in on)}"
        notes.append(f"Not drawn: {', '.join(names)}{where} ({reason}).")
    return notes


def _columns(results: Results, data: str) -> list[str]:
    """The categories, and `ALL` unless there is but one."""
    categories = results.categories(data)
    return [*categories, ALL] if len(categories) > 1 else categories


def _paint(figure: Figure, results: Results, data: str, found: dict[Network, Row]) -> list[Mark]:
    categories = _columns(results, data)
    marks: list[Mark] = []
    every = [bar for row in found.values() for place in row.bars.values() for bar in place.values()]
    norm = Normalize(0, max(max(bar.variance for bar in every), 1e-4))
    top = max(bar.mean for bar in every)
    panels = figure.subplots(len(found), 1, sharex=False, squeeze=False)[:, 0]
    most = max(len(row.groups) for row in found.values())
    pitch = most + 1.2
    turned = 0
    for axes, (network, row) in zip(panels, found.items(), strict=True):
        letters = [LETTERS.get(group, plain(group, 8)) for group in row.groups]
        turned = max(map(len, letters)) if max(map(len, letters)) > 2 else 0
        offsets = [index * pitch + (most - len(letters)) / 2 for index in range(len(categories))]
        for category, offset in zip(categories, offsets, strict=True):
            drawn = _bars(axes, row, category, offset, norm, top)
            marks += [(bar, _told(results, network, group, category, row)) for group, bar in drawn.items()]
        if categories[-1] == ALL:
            axes.axvline((len(categories) - 1) * pitch - 1.1, color=QUIET, linewidth=0.8)
        spots = [offset + place for offset in offsets for place in range(len(letters))]
        axes.set_xticks(spots, letters * len(categories), fontsize=6.5, rotation=90 if turned else 0)
        axes.set_xlim(-1.0, len(categories) * pitch - 1.2)
        axes.set_ylim(0, min(1.0, top * 1.02) + 0.12)
        axes.set_yticks([tick for tick in (0, 0.25, 0.5, 0.75, 1.0) if tick <= top + 0.12])
        axes.set_ylabel("pixel F1")
        axes.set_title(", ".join(filter(None, [network.name, plain(results.details(network), 40)])))
        finish(axes, grid="y")
        axes.tick_params(axis="x", length=0, pad=1)
    names = panels[-1].secondary_xaxis(0)
    centres = [index * pitch + (most - 1) / 2 for index in range(len(categories))]
    names.set_xticks(centres, [_category_name(results, data, c) for c in categories], fontsize=8, color=INK)
    # Below the names of the bars, which stand upright where they are long.
    names.tick_params(length=0, pad=5 + 4.2 * turned if turned else 14)
    names.spines["bottom"].set_visible(False)
    if any(len(bar.methods) > 1 for bar in every):
        shrink = min(1.0, 0.5 + 0.5 / len(found))
        scale = figure.colorbar(ScalarMappable(norm, _COLOURS), ax=list(panels), shrink=shrink, pad=0.01, aspect=30)
        scale.set_label("variance of the pixel F1\nover methods")
        scale.outline.set_visible(False)
    return marks


def _bars(axes: Axes, row: Row, category: str, offset: float, norm: Normalize, top: float) -> dict[str, Patch]:
    """Draw the bars of a category from `offset` on, by layer group."""
    here = row.bars[category]
    drawn: dict[str, Patch] = {}
    best = max((group for group in here if here[group].whole), key=lambda group: here[group].mean, default=None)
    for place, group in enumerate(row.groups):
        x = offset + place
        if group not in here:
            axes.text(x, 0.01 * top, "–", ha="center", va="bottom", color=QUIET, fontsize=10)
            continue
        bar = here[group]
        colour = to_rgb(_COLOURS(norm(bar.variance)) if len(bar.methods) > 1 else _ONE_METHOD)
        edge, hatch = QUIET, None
        if not bar.whole:
            edge, hatch = _ON_LIGHT if luminance(colour) > 0.45 else _ON_DARK, "///"
        patch = axes.bar(x, bar.mean, width=0.86, color=colour, linewidth=0.5, edgecolor=edge, hatch=hatch)
        drawn[group] = patch.patches[0]
        if group == best:
            axes.text(x, bar.mean + 0.015, f"{bar.mean:.2f}", ha="center", va="bottom", fontsize=7.5)
    return drawn


def _told(results: Results, network: Network, group: str, category: str, row: Row) -> str:
    bar: Bar = row.bars[category][group]
    place = "all categories" if category == ALL else plain(category)
    lines = [joined(network.name, results.details(network), plain(group), place)]
    if len(bar.methods) > 1:
        lines.append(f"mean pixel F1 {bar.mean:.3f}, variance {bar.variance:.2g} over methods")
    else:
        lines.append(f"pixel F1 {bar.mean:.3f}")
    lines.append(f"{_methods(bar.methods)}; {number_of(bar.seeds, 'seed')}")
    return "\n".join([*lines, *([] if bar.whole else ["incomplete: not to be compared"])])


def _category_name(results: Results, data: str, category: str) -> str:
    area = results.area(data, category)
    name = plain(category, 14).replace("_", "\n")
    return name if area is None or category == ALL else f"{name}\n{1000 * area:.3g} ‰"
