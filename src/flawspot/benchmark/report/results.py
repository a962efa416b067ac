"""The records, indexed for tables and figures by condition, data set, detector, category and seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flawspot.benchmark.record import DONE, FAILED, Record, in_one_line, newest
from flawspot.benchmark.report.areas import areas
from flawspot.benchmark.report.names import (
    BACKBONES,
    LAYERS,
    METHODS,
    backbone_name,
    method_name,
    own_layers,
    plain,
    rank,
)
from flawspot.runtime.manifest import Scalar


@dataclass(frozen=True)
class Condition:
    """The condition of a run: untouched photographs, an axis beyond the paper, or a stream with its strategy."""

    corruption: str | None = None
    severity: int = 0
    contamination: float = 0.0
    shots: int | None = None
    stream: str = ""
    strategy: str = ""


CLEAN = Condition()


class Network(NamedTuple):
    """The network of a detector, as far as figures distinguish it: one row of a figure."""

    backbone: str
    random_weights: bool
    input_size: int
    normalization: str
    precision: str
    tolerate: str | None = None

    @property
    def order(self) -> tuple[object, ...]:
        """A sort key: pretrained ones first."""
        preprocessed = (self.input_size, self.normalization, self.precision, self.tolerate or "")
        return (self.random_weights, rank(self.backbone, BACKBONES), *preprocessed)

    @property
    def name(self) -> str:
        """The backbone's display name, with the mark of random weights."""
        return backbone_name(self.backbone, self.random_weights)


@dataclass(frozen=True)
class Setup:
    """A detector: a cell without the photographs and the seed. `settings` are pairs, sorted by name."""

    backbone: str
    random_weights: bool
    layers: str
    label: str
    method: str
    input_size: int
    normalization: str
    precision: str
    tolerate: str | None = None
    settings: tuple[tuple[str, Scalar], ...] = ()

    @property
    def order(self) -> tuple[object, ...]:
        """A sort key: backbone, method, layers; without a tolerance before with it."""
        return (
            self.random_weights,
            rank(self.backbone, BACKBONES),
            rank(self.label, METHODS),
            rank(self.layers, LAYERS),
            self.input_size,
            self.normalization,
            self.precision,
            self.method,
            self.tolerate or "",
            in_one_line(dict(self.settings)),
        )

    @property
    def network(self) -> Network:
        """The network, without method and layers."""
        preprocessed = (self.input_size, self.normalization, self.precision, self.tolerate)
        return Network(self.backbone, self.random_weights, *preprocessed)

    @property
    def backbone_name(self) -> str:
        """The backbone's display name, with the mark of random weights."""
        return self.network.name

    @property
    def method_name(self) -> str:
        """The label's display name."""
        return method_name(self.label)

    @property
    def own_layers(self) -> bool:
        """Whether the layers are those on which the paper compares the method."""
        return self.layers == own_layers(self.method)


Runs = dict[int, Record]
"""By seed."""


def flat(runs: Mapping[str, Runs]) -> list[Record]:
    """The runs of all categories and seeds in one list."""
    return [record for by_seed in runs.values() for record in by_seed.values()]


class Results:
    """The current records, indexed.

    If a cell has several records (an older code version, other weights), `newest` chooses the current one.

    Attributes:
        records: the current records, sorted.
        every: all records, sorted.
        older: the records that are not current, sorted.
        title: titles of the current records' grids; empty if none has one.
        varied_size, varied_normalization, varied_precision: whether detectors differ in these, so that names show them.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = sorted(newest(records), key=_order)
        self.every = sorted(records, key=_order)
        current = {id(record) for record in self.records}
        self.older = [record for record in self.every if id(record) not in current]
        by_age = sorted(self.records, key=lambda r: (r.finished, r.key))
        self.title = " · ".join(dict.fromkeys(record.grid for record in by_age if record.grid))
        self._runs: dict[Condition, dict[str, dict[Setup, dict[str, Runs]]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
        )
        for record in self.records:
            cell = record.cell
            self._runs[condition_of(record)][cell.data][setup_of(record)][cell.category][cell.seed] = record
        self._settings: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for record in self.records:
            cell = record.cell
            self._settings[cell.backbone, cell.method, cell.label].add(cell.settings_text)
        self.varied_size = len({record.cell.input_size for record in self.records}) > 1
        self.varied_normalization = len({record.cell.normalization for record in self.records}) > 1
        self.varied_precision = len({record.cell.precision for record in self.records}) > 1
        alone = [record for record in self.records if record.cell.stream is None]
        self._areas = areas(alone)
        self._categories: dict[str, list[str]] = {}
        for data, category in sorted(
            {(record.cell.data, record.cell.category) for record in alone},
            key=lambda place: (self.area(*place) is None, self.area(*place) or 0.0, place),
        ):
            self._categories.setdefault(data, []).append(category)

    @property
    def conditions(self) -> list[Condition]:
        """All conditions, the untouched one first."""
        return sorted(self._runs, key=lambda c: (c != CLEAN, *_place(c)))

    def data(self, condition: Condition = CLEAN) -> list[str]:
        """Data sets by name, MVTec AD first."""
        return sorted(self._runs[condition], key=lambda data: rank(data, ["mvtec_ad"]))

    def setups(self, data: str, condition: Condition = CLEAN) -> list[Setup]:
        """Detectors that ran, or should have run, on a data set."""
        return sorted(self._runs[condition][data], key=lambda setup: setup.order)

    def runs(self, data: str, setup: Setup, condition: Condition = CLEAN) -> dict[str, Runs]:
        """The runs by category, with any status."""
        found = self._runs[condition][data].get(setup, {})
        return {category: found[category] for category in self.categories(data) if category in found}

    def categories(self, data: str) -> list[str]:
        """Categories of a data set by the mean area of their defects, smallest first; then those of unknown area."""
        return list(self._categories.get(data, ()))

    def area(self, data: str, category: str) -> float | None:
        """Mean area of the defects in a defective photograph, as a share of the photograph; None where unknown."""
        return self._areas.get((data, category))

    def names(self, setups: Sequence[Setup]) -> str:
        """Several detectors in one line, backbone by backbone."""
        by_backbone: dict[str, dict[str, list[str]]] = {}
        for setup in setups:
            head = " ".join([setup.backbone_name, *filter(None, [self.details(setup)])])
            by_backbone.setdefault(head, {}).setdefault(setup.method_name, []).append(plain(setup.layers))
        return "; ".join(
            f"{head} with " + ", ".join(f"{method} {_listed(layers)}" for method, layers in methods.items())
            for head, methods in by_backbone.items()
        )

    def details(self, setup: Setup | Network) -> str:
        """Further settings that distinguish detectors of one backbone, method and layers; mostly empty."""
        parts = []
        if self.varied_size:
            parts.append(f"{setup.input_size} px")
        if self.varied_normalization:
            parts.append(f"{plain(setup.normalization)} normalisation")
        if self.varied_precision:
            parts.append(plain(setup.precision))
        if setup.tolerate is not None:
            parts.append(f"tolerates {plain(setup.tolerate)}")
        if isinstance(setup, Setup) and len(self._settings[setup.backbone, setup.method, setup.label]) > 1:
            parts.append(plain(in_one_line(dict(setup.settings))) or "settings left at their defaults")
        return ", ".join(parts)

    def name(self, setup: Setup, layers: bool = True) -> str:
        """A detector in one line."""
        parts = [setup.backbone_name, setup.method_name]
        if layers:
            parts.append(plain(setup.layers))
        return " · ".join([*parts, *filter(None, [self.details(setup)])])


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def on_own_layers(setups: Sequence[Setup]) -> tuple[list[Setup], str | None]:
    """The detectors on one layer group for each method and network, for figures that cannot show several groups.

    Returns:
        The detectors on the paper's layers, and all detectors of methods that were not run on these. Also a note on the
        others; None if there are none.
    """
    there = {(setup.network, setup.label) for setup in setups if setup.own_layers}
    chosen = [setup for setup in setups if setup.own_layers or (setup.network, setup.label) not in there]
    rest = [setup for setup in setups if setup not in chosen]
    if not rest:
        return chosen, None
    groups = ", ".join(sorted({plain(setup.layers) for setup in rest}, key=lambda layers: rank(layers, LAYERS)))
    count = "1 detector" if len(rest) == 1 else f"{len(rest)} detectors"
    return chosen, (
        f"Not drawn: {count} on other layers ({groups}) whose method and backbone are drawn on the layers that the "
        "paper compares methods on. The tables have them."
    )


def condition_of(record: Record) -> Condition:
    """The condition of a run."""
    cell = record.cell
    corruption = cell.corruption if cell.severity else None
    stream = "" if cell.stream is None else f"{cell.stream.name}: {cell.stream.text}"
    return Condition(
        corruption, cell.severity if corruption else 0, cell.contamination, cell.shots, stream, cell.strategy or ""
    )


def setup_of(record: Record) -> Setup:
    """The detector of a run."""
    cell = record.cell
    features = (cell.backbone, cell.random_weights, cell.layers)
    inputs = (cell.input_size, cell.normalization, cell.precision)
    return Setup(*features, cell.label, cell.method, *inputs, cell.tolerate, tuple(sorted(cell.settings.items())))


def why_missing(runs: Iterable[Record] | None, metric: str | None = None) -> str:
    """One line on why the runs of a cell, or no runs, give no figure."""
    records = list(runs or ())
    for record in records:
        if record.status != DONE:
            word = "failed" if record.status == FAILED else "missing"
            return f"{word}: {plain(record.error or 'no reason given')}"
    if records and metric:
        return "undefined here: the test set lacks the masks or one of the two classes"
    return "not run"


def _place(condition: Condition) -> tuple[object, ...]:
    untouched = (condition.corruption or "", condition.severity, condition.contamination, condition.shots or 0)
    return (*untouched, condition.stream, condition.strategy)


def _order(record: Record) -> tuple[object, ...]:
    cell, condition = record.cell, condition_of(record)
    return (
        rank(cell.data, ["mvtec_ad"]),
        cell.category,
        setup_of(record).order,
        *_place(condition),
        cell.seed,
        record.key,
    )
