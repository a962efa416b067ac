"""The effect of the feature layers: which methods and layer groups of a backbone can be compared, and their means."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from flawspot.benchmark.report.names import LAYERS, METHODS, OWN_LAYERS, method_name, plain, rank
from flawspot.benchmark.report.results import Network, Results, Setup, flat, why_missing
from flawspot.benchmark.report.statistics import metric, values

ALL = "all"

Place = tuple[str, str]
"""Label of a method, and layer group."""
_Figure = tuple[float, int]
"""A mean over seeds, and their number."""


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        mean, variance: mean and variance of the pixel F1 over `methods`.
        methods: methods of the mean, by label.
        seeds: the fewest of a method and category that are in it.
        whole: whether it includes all methods of the row and, for `ALL`, all categories of the data set.
    """

    mean: float
    variance: float
    methods: tuple[str, ...]
    seeds: int
    whole: bool


@dataclass(frozen=True)
class Row:
    """The bars of one network.

    Attributes:
        methods: labels of the methods that all of its means are over, as far as they have figures.
        groups: its layer groups.
        bars: by category (`ALL` last) and layer group.
        dashes: by category and layer group, the reason why there is no bar.
        left: for each label or layer group that is not in it, the reason.
    """

    methods: tuple[str, ...]
    groups: tuple[str, ...]
    bars: dict[str, dict[str, Bar]]
    dashes: dict[Place, str]
    left: dict[str, str]


def rows(results: Results, data: str) -> dict[Network, Row]:
    """The rows of the figure, for the networks that have figures.

    The bars of a row are compared, so all are over the same methods: those that were run on every group shown. A method
    that no network has on two groups or more says nothing on layers, and is left out where others do.
    """
    asked: dict[Network, dict[Place, Setup]] = {}
    for setup in results.setups(data):
        asked.setdefault(setup.network, {})[setup.label, setup.layers] = setup
    figures = {network: _figures(results, data, here) for network, here in asked.items()}
    several = {label for here in figures.values() for label, groups in _by_label(here).items() if len(groups) > 1}
    found = {}
    for network, here in sorted(figures.items(), key=lambda item: item[0].order):
        able = {
            label: groups
            for label, groups in _by_label(here).items()
            if (label in several if several else not all(_alone(asked[network][label, g]) for g in groups))
        }
        if able:
            methods, groups = _compared(able)
            # Groups that were asked for, and on which no method has a figure, stay: as dashes with their reasons.
            bare = {group for label, group in asked[network] if label in methods} - {group for _, group in here}
            ordered = sorted({*groups, *bare}, key=lambda group: rank(group, LAYERS))
            found[network] = _row(results, data, asked[network], here, methods, ordered)
    return found


def _figures(results: Results, data: str, asked: Mapping[Place, Setup]) -> dict[Place, dict[str, _Figure]]:
    """The pixel F1 of each detector that has any, by category."""
    found = {
        place: {
            category: (sum(by_seed.values()) / len(by_seed), len(by_seed))
            for category, runs in results.runs(data, setup).items()
            if (by_seed := values(runs, metric("pixel_f1_max")))
        }
        for place, setup in asked.items()
    }
    return {place: by_category for place, by_category in found.items() if by_category}


def _by_label(places: Collection[Place]) -> dict[str, set[str]]:
    """The layer groups of each method."""
    found: dict[str, set[str]] = {}
    for label, group in places:
        found.setdefault(label, set()).add(group)
    return found


def _alone(setup: Setup) -> bool:
    """Whether the paper gives the method layers of its own, and it ran on these."""
    return setup.own_layers and setup.method in OWN_LAYERS


def _compared(groups: Mapping[str, set[str]]) -> tuple[tuple[str, ...], set[str]]:
    """Methods and layer groups such that each method was run on each group: as many pairs as possible, of as many the
    ones with more groups. Tried are the groups that any two methods share."""
    shared = {frozenset(one & other) for one in groups.values() for other in groups.values()} - {frozenset()}

    def order(chosen: frozenset[str]) -> tuple[object, ...]:
        count = sum(chosen <= ran for ran in groups.values())
        return -count * len(chosen), -len(chosen), sorted(rank(group, LAYERS) for group in chosen)

    chosen = min(shared, key=order)
    methods = sorted((label for label, ran in groups.items() if chosen <= ran), key=lambda one: rank(one, METHODS))
    return tuple(methods), set(chosen)


def _row(
    results: Results,
    data: str,
    asked: Mapping[Place, Setup],
    figures: Mapping[Place, Mapping[str, _Figure]],
    methods: tuple[str, ...],
    groups: list[str],
) -> Row:
    categories = results.categories(data)
    bars: dict[str, dict[str, Bar]] = {category: {} for category in [*categories, ALL]}
    dashes: dict[Place, str] = {}
    for group in groups:
        by_label = {label: figures.get((label, group), {}) for label in methods}
        for category in categories:
            got = {label: found[category] for label, found in by_label.items() if category in found}
            if got:
                bars[category][group] = _bar(got, whole=len(got) == len(methods))
            else:
                setups = [asked.get((label, group)) for label in methods]
                reasons = [_why(results, data, setup, category) for setup in setups]
                dashes[category, group] = "; ".join(dict.fromkeys(reasons))
        # Every method's mean is over the same categories: those that all methods have done in this group.
        there = [category for category in categories if all(category in found for found in by_label.values())]
        if there:
            got = {
                label: (float(np.mean([found[c][0] for c in there])), min(found[c][1] for c in there))
                for label, found in by_label.items()
            }
            bars[ALL][group] = _bar(got, whole=there == categories)
        else:
            dashes[ALL, group] = "no category that all methods have done"
    left = dict(_left(results, data, asked, figures, methods, groups))
    return Row(methods, tuple(groups), bars, dashes, left)


def _bar(figures: dict[str, _Figure], *, whole: bool) -> Bar:
    """The bar of each method's figure."""
    means = [figure for figure, _ in figures.values()]
    seeds = min(count for _, count in figures.values())
    return Bar(float(np.mean(means)), float(np.var(means)), tuple(figures), seeds, whole)


def _why(results: Results, data: str, setup: Setup | None, category: str | None = None) -> str:
    runs = results.runs(data, setup) if setup else {}
    records = flat(runs) if category is None else runs.get(category, {}).values()
    return why_missing(records, "pixel_f1_max")


def _left(
    results: Results,
    data: str,
    asked: Mapping[Place, Setup],
    figures: Collection[Place],
    methods: Collection[str],
    groups: Collection[str],
) -> Iterator[tuple[str, str]]:
    """Methods and layer groups that were asked for and are not in a row, with the reason."""
    for label, wanted in _by_label(asked).items():
        if label in methods:
            continue
        if not wanted & set(groups):
            yield method_name(label), f"run only on {listed(wanted)}"
            continue
        lacking: dict[str, list[str]] = {}
        for group in groups:
            if (label, group) not in figures:
                lacking.setdefault(_why(results, data, asked.get((label, group))), []).append(group)
        said = "; ".join(f"{listed(those)}: {reason}" for reason, those in lacking.items())
        yield method_name(label), said or "run on one layer group only"
    for group in sorted({group for _, group in figures} - set(groups), key=lambda one: rank(one, LAYERS)):
        there = [method_name(label) for label in methods if (label, group) in figures]
        if there:
            yield f"layers {plain(group)}", f"of the methods compared, only {', '.join(there)} ran on them"


def listed(groups: Collection[str]) -> str:
    return ", ".join(plain(group) for group in sorted(groups, key=lambda group: rank(group, LAYERS)))
