"""Compares pairs of runs that differ in one setting only."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from flawspot.benchmark.record import DONE, Record
from flawspot.benchmark.report.claims.usual_settings import is_usual, of_one_kind
from flawspot.benchmark.report.claims.verdict import Evidence, Place
from flawspot.benchmark.report.results import Results, Runs, Setup, flat, why_missing
from flawspot.benchmark.report.statistics import Value, values

HOW = (
    "Runs are compared in pairs that differ in one setting only. They have the same photographs, category, seed, input "
    "size, normalisation, precision, weights and code, and the same backbone, method or layers, except for the one "
    "that is compared. Every method is at its default settings or at the paper's, and students may have one recipe or "
    "the other. Variants of methods, corrupted or reduced sets of photographs, and streams are left out. Accuracy is "
    "compared only for pretrained networks. Seeds are averaged within a category first (measured times: their median), "
    "then detectors. Categories of the same photographs count once. The interval is Student's t interval over the "
    "categories, and needs three of them that differ. It shows how the figure might differ for other categories of "
    "this kind. A claim of several parts has wider intervals, so that all of them together are as certain as one. "
    "What holds on average but is outside for one of the detectors does not decide. Quantities counted by formulas "
    "are the same in every run and have no interval."
)


@dataclass(frozen=True)
class Side:
    """One side of a comparison: its name, and its detectors."""

    name: str
    takes: Callable[[Setup], bool]

    def within(self, other: Side) -> Side:
        """The detectors that belong to both sides."""
        return Side(f"{self.name} ({other.name})", lambda setup: self.takes(setup) and other.takes(setup))


@dataclass(frozen=True)
class Quantity:
    """A compared quantity.

    Attributes:
        name: display name.
        value: the quantity of a record.
        counted: whether it is counted by formulas, so that weights do not matter.
        median: whether seeds give their median, since a time that was stalled by other work has no limit.
        fair: whether the figures of two runs may be compared.
        unfair: why they may not be compared.
    """

    name: str
    value: Value
    counted: bool = False
    median: bool = False
    fair: Callable[[Record, Record], bool] = lambda _first, _second: True
    unfair: str = ""


@dataclass(frozen=True)
class Combined:
    """A way to combine two figures.

    Attributes:
        text: text with placeholders for both sides and the quantity.
        unit: see `Evidence.unit`.
        figure: function of the first and the second figure. Only for a difference may the second be zero.
    """

    text: str
    unit: str
    figure: Callable[[float, float], float]


DIFFERENCE = Combined("{0} − {1}, {2}", "", lambda first, second: first - second)
SAVED = Combined("{0} saves of {1}'s {2}", "%", lambda first, second: 100 * (second - first) / second)
TIMES = Combined("{0} / {1}, {2}", "×", lambda first, second: first / second)

Alike = Callable[[Setup], object]


def but_method(setup: Setup) -> object:
    """Everything that must be equal when methods are compared, each on its own layers."""
    return setup.network


def but_network(setup: Setup) -> object:
    """Everything that must be equal when backbones are compared, but for settings."""
    return dataclasses.replace(setup, backbone="", settings=())


def but_layers(setup: Setup) -> object:
    """Everything that must be equal when layers are compared, but for settings."""
    return dataclasses.replace(setup, layers="", settings=())


@dataclass(frozen=True)
class Comparison:
    """A comparison.

    Attributes:
        first, second: the two sides.
        within: the detectors that are included.
        quantity: the compared quantity.
        alike: the properties that both runs of a pair must share.
        how: how two figures are combined.
        only: the included categories; None for all.
    """

    first: Side
    second: Side
    within: Side
    quantity: Quantity
    alike: Alike
    how: Combined = DIFFERENCE
    only: Collection[Place] | None = None

    @property
    def text(self) -> str:
        """The comparison in words."""
        return f"{self.how.text.format(self.first.name, self.second.name, self.quantity.name)}, {self.within.name}"


def compared(results: Results, comparison: Comparison) -> Evidence:
    """The figures of all pairs of runs, of untouched photographs."""
    quantity = comparison.quantity
    found: dict[Place, list[float]] = {}
    by_detector: dict[str, list[float]] = {}
    every: list[float] = []
    unfair = untrained = False
    first_with: dict[str, Place] = {}
    for place, setup, one, other in _runs(results, comparison):
        figures, refused = _figures(one, other, comparison)
        unfair = unfair or refused
        if figures:
            every += figures
            untrained = untrained or any(run.cell.random_weights for run in (*one.values(), *other.values()))
            photographs = next(iter(one.values())).data_fingerprint or repr(place)
            place = first_with.setdefault(photographs, place)
            middle = statistics.median(figures) if quantity.median else sum(figures) / len(figures)
            found.setdefault(place, []).append(middle)
            by_detector.setdefault(results.name(setup), []).append(middle)
    reason = "" if found else _why_nothing(results, comparison, unfair)
    return Evidence(
        comparison.text, {place: _mean(found[place]) for place in sorted(found)}, len(every), comparison.how.unit,
        quantity.counted, reason, untrained, {name: _mean(figures) for name, figures in by_detector.items()},
        (min(every), max(every)) if every else None,
    )  # fmt: skip


def _mean(figures: Sequence[float]) -> float:
    return sum(figures) / len(figures)


def _figures(one: Runs, other: Runs, comparison: Comparison) -> tuple[list[float], bool]:
    """The figure of each seed, and whether one was left out because it would not be fair."""
    quantity, how = comparison.quantity, comparison.how
    figures = []
    unfair = False
    ours, theirs = values(one, quantity.value), values(other, quantity.value)
    for seed in sorted(set(ours) & set(theirs)):
        if not _of_one_origin(one[seed], other[seed]):
            continue
        if not quantity.fair(one[seed], other[seed]):
            unfair = True
        elif how is DIFFERENCE or (ours[seed] and theirs[seed]):
            figures.append(how.figure(ours[seed], theirs[seed]))
    return figures, unfair


def _of_one_origin(one: Record, other: Record) -> bool:
    """Whether two runs are of the same photographs, code and, on one backbone, weights."""
    if one.data_fingerprint != other.data_fingerprint or one.code_version != other.code_version:
        return False
    return one.cell.backbone != other.cell.backbone or one.weights_sha256 == other.weights_sha256


def plain(setup: Setup, counted: bool) -> bool:
    """Whether a detector is compared: it must not be a variant or have a tolerance, and it must be pretrained unless
    only costs are compared."""
    named = setup.label == setup.method and setup.tolerate is None
    return named and is_usual(setup) and (counted or not setup.random_weights)


def _runs(results: Results, comparison: Comparison) -> Iterator[tuple[Place, Setup, Runs, Runs]]:
    """The comparable runs of two detectors in one category, with the first of them."""
    for data in results.data():
        setups = [
            setup
            for setup in results.setups(data)
            if plain(setup, comparison.quantity.counted) and comparison.within.takes(setup)
        ]
        others: dict[object, list[Setup]] = {}
        for setup in setups:
            if comparison.second.takes(setup):
                others.setdefault(comparison.alike(setup), []).append(setup)
        for setup in setups:
            if not comparison.first.takes(setup):
                continue
            ours = results.runs(data, setup)
            for partner in others.get(comparison.alike(setup), ()):
                if not of_one_kind(setup, partner):
                    continue
                theirs = results.runs(data, partner)
                for category in ours:
                    if category in theirs and (comparison.only is None or (data, category) in comparison.only):
                        yield (data, category), setup, ours[category], theirs[category]


def _why_nothing(results: Results, comparison: Comparison, unfair: bool) -> str:
    within, quantity = comparison.within, comparison.quantity
    if unfair:
        return quantity.unfair
    for side in (within, comparison.second.within(within), comparison.first.within(within)):
        runs, reason = _runs_or_why(results, side, quantity)
        if reason:
            return reason
        if side is not within and all(quantity.value(record) is None for record in runs):
            return f"{side.name}: {quantity.name} is not known there"
    if comparison.only is not None and not comparison.only:
        return _no_small(results)
    return f"{comparison.text}: no two runs that differ in nothing else"


def _runs_or_why(results: Results, side: Side, quantity: Quantity) -> tuple[list[Record], str]:
    """The runs of these detectors, and the reason if none of them is done; empty if one is."""
    runs: list[Record] = []
    others = False
    for data in results.data():
        for setup in results.setups(data):
            if side.takes(setup):
                others = others or not plain(setup, quantity.counted)
                runs += flat(results.runs(data, setup)) if plain(setup, quantity.counted) else []
    if not runs:
        return runs, f"{side.name}: not run" + (" but as a variant or with random weights" if others else "")
    if all(record.status != DONE for record in runs):
        return runs, f"{side.name}: {why_missing(runs)}"
    return runs, ""


SMALL = 10.0
"""Thousandths of the photograph, 22 x 22 pixels at 224 x 224. The paper names *screw* and *grid* as examples of small
defects and gives no limit: this one is ours."""


def small(results: Results) -> set[Place]:
    """The categories whose defects cover no more than `SMALL` of a defective photograph on average."""
    return {place for place, area in _areas(results).items() if 0 < area <= SMALL / 1000}


def _areas(results: Results) -> dict[Place, float]:
    """The mean share of a defective photograph that defects cover, of each category where it is known."""
    return {
        (data, category): area
        for data in results.data()
        for category in results.categories(data)
        if (area := results.area(data, category)) is not None
    }


def _no_small(results: Results) -> str:
    areas = [(area, category) for (_, category), area in _areas(results).items()]
    least = f": the smallest are those of {min(areas)[1]}, {1000 * min(areas)[0]:.3g} ‰" if areas else ""
    return f"no category whose defects cover at most {SMALL:g} ‰ of the photograph was run{least}"
