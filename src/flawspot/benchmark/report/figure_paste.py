"""Figure 6 of the paper: PaSTe against STFPM on each backbone."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from flawspot.benchmark.record import DONE
from flawspot.benchmark.report.detector_tables import shared
from flawspot.benchmark.report.drawing import INK, QUIET, Drawing, Mark, draw, finish
from flawspot.benchmark.report.names import (
    backbone_name,
    data_name,
    joined,
    legend_name,
    method_colours,
    method_name,
    plain,
    short,
)
from flawspot.benchmark.report.paper_comparison import (
    paper_memory,
    paper_mmac,
    training_mmac,
    training_ram,
)
from flawspot.benchmark.report.results import Network, Results, Setup, flat, why_missing
from flawspot.benchmark.report.statistics import estimate, metric, seed_mean
from flawspot.benchmark.report.tables import three_digits
from flawspot.costs.tables import paper_tables

PAIR = ("stfpm", "paste")
_F1 = metric("pixel_f1_max")
_OURS = "our count"
_COSTS = (
    ("Memory", "MiB", "the paper's count", paper_memory),
    ("Inference", "MMAC per photograph", "the paper's count", paper_mmac),
    # The paper's figures for training could not be derived: see `flawspot.methods.stfpm.costs`.
    ("Training", "MMAC per photograph\nand epoch", _OURS, training_mmac),
    ("Training RAM", "MiB", "the paper's count", training_ram),
)
"""Name, unit, who counts so, and figure."""


def setups_of_pairs(results: Results, data: str) -> dict[Network, dict[str, Setup]]:
    """Both methods' detectors on the paper's layers, for each network that both were asked for on."""
    found: dict[Network, dict[str, Setup]] = {}
    for setup in results.setups(data):
        if setup.method in PAIR and setup.own_layers and setup.label == setup.method:
            found.setdefault(setup.network, {})[setup.method] = setup
    both = {network: pair for network, pair in found.items() if len(pair) == len(PAIR)}
    return dict(sorted(both.items(), key=lambda item: item[0].order))


def pairs(results: Results, data: str) -> tuple[dict[Network, dict[str, tuple[float | None, ...]]], list[str]]:
    """F1, memory, inference, training, training RAM of both methods by backbone; and notes.

    A backbone is there when both methods were asked for on it and either has any figure.
    """
    found: dict[Network, dict[str, tuple[float | None, ...]]] = {}
    lacking: dict[tuple[Setup, str], list[str]] = {}
    for row, pair in setups_of_pairs(results, data).items():
        done = [
            {category for category, runs in results.runs(data, setup).items() if seed_mean(runs, _F1) is not None}
            for setup in pair.values()
        ]
        # The two of a backbone are compared, so it is enough that these two have the same categories.
        common = set.intersection(*done) if all(done) else set.union(*done)
        figures: dict[str, tuple[float | None, ...]] = {}
        for method, setup in pair.items():
            runs = results.runs(data, setup)
            f1 = estimate(runs, [c for c in results.categories(data) if c in common], _F1).mean
            figures[method] = (f1, *(shared(runs, value) for *_, value in _COSTS))
            if any(record.status == DONE for record in flat(runs)):
                bare = [
                    name.lower() for (name, *_), cost in zip(_COSTS, figures[method][1:], strict=True) if cost is None
                ]
                lacking |= {(setup, "not in its records"): bare} if bare else {}
        if any(figure is not None for values in figures.values() for figure in values):
            found[row] = figures
        for category in results.categories(data):
            for setup in pair.values():
                runs_ = results.runs(data, setup).get(category, {})
                if seed_mean(runs_, _F1) is None:
                    reason = why_missing(runs_.values(), "pixel_f1_max")
                    lacking.setdefault((setup, reason), []).append(plain(category))
    notes = [f"{results.name(s)} without {', '.join(names)}: {why}." for (s, why), names in lacking.items()]
    return found, notes


def paste_figure(results: Results, data: str, key: str) -> Drawing | None:
    """Figure 6; None unless both methods were asked for on some backbone."""
    found, notes = pairs(results, data)
    if not found:
        return None
    every = len(results.categories(data))
    caption = (
        "PaSTe and STFPM on the layers of the paper. Pixel F1: mean over "
        f"{'the categories' if every > 1 else 'the one category'} that both have done. Memory, inference and training "
        "RAM are counted as the paper counts them. Training computation is our count, forward and both ways backward, "
        f"because the paper's way could not be derived{_published(found)}."
    )
    if any(row.precision != "float32" for row in found):
        caption += " The paper counts float32, and so do these, whatever the precision of the row."
    if any(figure is None for figures in found.values() for values in figures.values() for figure in values):
        caption += " A dash: no figure, for the reason below."
    words = "; ".join(
        f"{_name(results, row)}: pixel F1 {' and '.join(_shown(figures[method][0]) for method in PAIR)}"
        for row, figures in found.items()
    )
    return draw(
        key,
        f"PaSTe against STFPM, {data_name(data)}",
        caption,
        (10.2, 1.3 + 0.62 * len(found)),
        lambda figure: _paint(figure, results, found),
        description=f"Bars of STFPM and PaSTe by backbone. {words}.",
        notes=notes,
    )


def _published(found: Iterable[Network]) -> str:
    """What the paper has for training computation, where the figure shows a backbone of the paper's table."""
    said = []
    for backbone, methods in paper_tables()["table2"].items():
        if any(row.backbone == backbone for row in found):
            printed = " and ".join(f"{methods[method]['training_mmac']:g}" for method in PAIR)
            said.append(f"; the paper has {printed} MMAC for {backbone_name(backbone)}")
    return "".join(said)


def _shown(figure: float | None) -> str:
    return "not measured" if figure is None else f"{figure:.3f}"


def _paint(figure: Figure, results: Results, found: dict[Network, dict[str, tuple[float | None, ...]]]) -> list[Mark]:
    marks: list[Mark] = []
    colours = method_colours({method: method for method in PAIR})
    panels = figure.subplots(1, 1 + len(_COSTS), sharey=True)
    headings = [("Pixel F1", "best F1, 0 to 1", ""), *(cost[:3] for cost in _COSTS)]
    for place, (axes, (name, unit, whose)) in enumerate(zip(panels, headings, strict=True)):
        largest = max((f[place] or 0.0 for row in found.values() for f in row.values()), default=0.0) or 1.0
        for position, (row, figures) in enumerate(found.items()):
            for method, offset in zip(PAIR, (-0.2, 0.2), strict=True):
                values = figures.get(method)
                figure_ = values[place] if values else None
                if figure_ is None:
                    axes.text(0.02 * largest, position + offset, "–", va="center", color=QUIET)
                    continue
                bar = axes.barh(position + offset, figure_, height=0.36, color=colours[method])
                text = f"{figure_:.3f}" if place == 0 else three_digits(figure_)
                shown = text if place == 0 else f"{text} {unit} ({whose})".replace("\n", " ")
                told = [
                    joined(method_name(method), _name(results, row)),
                    f"{name}: {shown}",
                    *_change(figures, method, place),
                ]
                marks.append((bar.patches[0], "\n".join(told)))
                axes.text(figure_ + 0.03 * largest, position + offset, text, va="center", fontsize=7.5, color=INK)
        axes.set_xlim(0, 1.32 * largest)
        axes.set_title(name)
        axes.set_xlabel(f"{unit}\n({whose})" if whose else unit, color=QUIET)
        axes.set_ylim(len(found) - 0.5, -0.5)
        axes.locator_params(axis="x", nbins=4)
        if place:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: three_digits(value)))
        finish(axes, grid="x")
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(found)), [_tick(results, row) for row in found])
    handles = [Patch(color=colours[method], label=method_name(method)) for method in PAIR]
    figure.legend(handles=handles, loc="outside upper right", ncols=2)
    return marks


def _change(figures: dict[str, tuple[float | None, ...]], method: str, place: int) -> list[str]:
    """What PaSTe changes, in words."""
    old, new = (figures.get(one, (None,) * (place + 1))[place] for one in PAIR)
    if method != PAIR[1] or old is None or new is None:
        return []
    if place == 0:
        return [f"{new - old:+.3f} against {method_name(PAIR[0])}".replace("-", "−")]
    return [f"{100 * (new - old) / old:+.1f} % against {method_name(PAIR[0])}".replace("-", "−")] if old else []


def _name(results: Results, row: Network) -> str:
    return joined(row.name, results.details(row))


def _tick(results: Results, row: Network) -> str:
    return "\n".join(filter(None, [legend_name(row.name), short(results.details(row))]))
