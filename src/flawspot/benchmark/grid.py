"""The grid of a benchmark, read from one YAML file.

A grid names data sets, backbones, layer groups, methods and seeds; `Grid.cells` crosses them. Noise, contamination, few
shots and streams are further axes. By default a cell departs from the plain one in one of these axes at a time
(``combine: one``), otherwise in all combinations (``combine: all``; a stream is never combined with another axis).
Tolerance is not such an axis: each detector is trained with and without it, and tested on photographs of every kind.
``exclude`` drops the cells that match a rule, and ``override`` changes the settings of those that do. paper.yaml beside
this file is a complete example.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flawspot.benchmark.record import Cell
from flawspot.benchmark.streams.stream import CATEGORIES, Stream, one_after_the_other
from flawspot.benchmark.yaml_reader import Entry
from flawspot.data.layouts import DataSource
from flawspot.errors import ConfigurationError
from flawspot.runtime.manifest import Scalar

RULE_KEYS = (
    "data",
    "category",
    "backbone",
    "layers",
    "method",
    "label",
    "seed",
    "input_size",
    "normalization",
    "precision",
    "stream",
    "strategy",
    "corruption",
    "severity",
    "contamination",
    "shots",
    "tolerate",
)
"""Fields of a cell that a rule can match."""
NONE = "none"
"""The word in a rule for no corruption, no limit of shots, or no tolerance."""


@dataclass(frozen=True)
class Vocabulary:
    """The valid names in a grid. `flawspot.benchmark.vocabulary` makes it, for which it needs torch.

    Attributes:
        backbones: names of backbones.
        hyperparameters: hyperparameters of each method, by the method's name.
        corruptions: names of corruptions of test photographs.
        check: raises ConfigurationError if backbone, layers, method and settings of a cell do not fit together.
    """

    backbones: tuple[str, ...]
    hyperparameters: Mapping[str, tuple[str, ...]]
    corruptions: tuple[str, ...]
    check: Callable[[Cell], object] = lambda cell: None


@dataclass(frozen=True)
class MethodEntry:
    """A method of the grid, with its hyperparameters and its own values for axes of the grid."""

    entry: Entry
    name: str
    label: str
    settings: dict[str, Scalar] = field(default_factory=dict)
    layers: tuple[str, ...] | None = None
    backbones: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Rule:
    """A rule for cells: each field in `match` must have one of its texts; `change` are the new values."""

    entry: Entry
    match: dict[str, tuple[str, ...]]
    change: dict[str, Any] = field(default_factory=dict)

    def matches(self, cell: Cell) -> bool:
        """Whether the rule applies to `cell`."""
        return all(shown(getattr(cell, name)) in values for name, values in self.match.items())

    def applied(self, cell: Cell) -> Cell:
        """The cell with the values of `change`."""
        return replace(cell, **{**self.change, "settings": {**cell.settings, **self.change.get("settings", {})}})


@dataclass(frozen=True)
class Departure:
    """How a cell departs from plain training and testing."""

    corruption: str | None = None
    severity: int = 0
    contamination: float = 0.0
    shots: int | None = None
    stream: Stream | None = None
    strategy: str | None = None

    def product(self, category: str, known: Sequence[str]) -> str | None:
        """The category's name in a cell with this departure; None if there is no such cell.

        A stream of categories has a single cell, at its first category, if the data set has all of them.
        """
        stream = self.stream
        if stream is None or stream.of != CATEGORIES:
            return category
        has_all = stream.steps[0] == category and set(stream.steps) <= set(known)
        return one_after_the_other(stream.steps) if has_all else None


@dataclass(frozen=True)
class Grid:
    """A grid as in its file; see the module."""

    file: Path
    title: str
    data: tuple[DataSource, ...]
    backbones: tuple[str, ...]
    layers: tuple[str, ...]
    methods: tuple[MethodEntry, ...]
    seeds: tuple[int, ...]
    input_size: int
    normalization: str
    precisions: tuple[str, ...]
    tolerances: tuple[str | None, ...]
    random_weights: bool
    recipe: str | None
    departures: tuple[Departure, ...]
    exclude: tuple[Rule, ...]
    override: tuple[Rule, ...]

    def cells(self, known: Vocabulary) -> list[Cell]:
        """Every cell once. Cells that share features are adjacent: ordered by data, category, backbone, then the rest.

        Raises:
            ConfigurationError: backbone, layers, method and settings of a cell do not fit together, a rule matches no
                cell, or no cell is left. The error names the line.
        """
        self._check_data()
        self._check_streams()
        cells: dict[str, Cell] = {}
        checked: set[str] = set()
        idle = [*self.override, *self.exclude]
        for plain, method in self._crossed(known):
            cell, overriding = plain, []
            for rule in self.override:
                if rule.matches(cell):
                    cell = rule.applied(cell)
                    overriding.append(rule)
            idle = [rule for rule in idle if not any(rule is other for other in overriding)]
            excluding = [rule for rule in self.exclude if rule.matches(cell)]
            idle = [rule for rule in idle if not any(rule is other for other in excluding)]
            if excluding:
                continue
            parts = (cell.backbone, cell.layers, cell.method, cell.strategy)
            combination = repr((*parts, sorted(cell.settings.items())))
            if combination not in checked:
                checked.add(combination)
                fault = _fault(known, cell)
                if fault is not None:
                    entry = _at_fault(known, plain, method, overriding)
                    where = f"{method.label} on layers {cell.layers} of {cell.backbone}"
                    entry.fail(f"{where} cannot be: {fault}. Or leave it out by a rule under `exclude`")
            cells.setdefault(cell.identity, cell)
        if idle:
            idle[0].entry.fail("this rule matches no cell of the grid: check its spelling, or remove it")
        if not cells and self.exclude:
            self.exclude[-1].entry.fail("with this rule nothing is left of the grid: narrow it, or remove it")
        if not cells:
            self.methods[0].entry.fail("no method has a backbone of the grid: name one of `backbones` in it")
        return list(cells.values())

    def _check_data(self) -> None:
        """Refuse photographs that the grid has under two names: each run on them would count twice."""
        seen: dict[tuple[str, Path], str] = {}
        for source in self.data:
            if source.path is None:
                continue
            for category in source.all_categories():
                place = _place(source.path if source.layout == "folder" else source.path / category)
                name = f"{source.name}/{category}"
                other = seen.setdefault((source.layout, place), name)
                if other != name:
                    raise ConfigurationError(
                        f"{self.file}: {other} and {name} are the same photographs, in {place}: remove one of them"
                    )

    def _check_streams(self) -> None:
        """Refuse a stream if no data set has all of its categories."""
        known = [source.all_categories() for source in self.data]
        for departure in self.departures:
            found = [departure.product(category, each) for each in known for category in each]
            if departure.stream is not None and not any(found):
                raise ConfigurationError(
                    f"{self.file}: no data set has all categories of the stream {departure.stream.name} "
                    f"({departure.stream.text}): name them under `categories` of one"
                )

    def _crossed(self, known: Vocabulary) -> Iterator[tuple[Cell, MethodEntry]]:
        for source in self.data:
            categories = source.all_categories()
            for category, backbone in itertools.product(categories, self.backbones):
                # Another precision, contamination and few shots need their own features. Corrupted photographs are
                # only for testing.
                of_run = (self.departures, self.seeds, self.precisions, self.tolerances)
                for departure, seed, precision, tolerate in itertools.product(*of_run):
                    product = departure.product(category, categories)
                    for method in self.methods if product is not None else ():
                        if method.backbones is not None and backbone not in method.backbones:
                            continue
                        settings = dict(method.settings)
                        if self.recipe is not None and "recipe" in known.hyperparameters.get(method.name, ()):
                            settings.setdefault("recipe", self.recipe)
                        for layers in method.layers or self.layers:
                            yield (
                                Cell(
                                    data=source.name,
                                    category=product or category,
                                    backbone=backbone,
                                    layers=layers,
                                    method=method.name,
                                    label=method.label,
                                    settings=settings,
                                    seed=seed,
                                    input_size=self.input_size,
                                    normalization=self.normalization,
                                    precision=precision,
                                    random_weights=self.random_weights,
                                    stream=departure.stream,
                                    strategy=departure.strategy,
                                    corruption=departure.corruption,
                                    severity=departure.severity,
                                    contamination=departure.contamination,
                                    shots=departure.shots,
                                    tolerate=tolerate,
                                ),
                                method,
                            )

    def with_paths(self, paths: Mapping[str, Path]) -> Grid:
        """The grid with other folders for its data sets, by their names.

        Raises:
            ConfigurationError: a name is not a data set of the grid; the known ones are listed.
        """
        names = [source.name for source in self.data]
        for name in paths:
            if name not in names:
                raise ConfigurationError(f"{self.file} has no data called {name!r}: it has {', '.join(names)}")
        return replace(self, data=tuple(replace(s, path=paths.get(s.name, s.path)) for s in self.data))


def _fault(known: Vocabulary, cell: Cell) -> ConfigurationError | None:
    """Why a cell cannot be; None if it can."""
    try:
        known.check(cell)
    except ConfigurationError as error:
        return error
    return None


def _at_fault(known: Vocabulary, cell: Cell, method: MethodEntry, overriding: Sequence[Rule]) -> Entry:
    """The first place of the file that makes a cell impossible: its method, or one of the rules that override it."""
    if _fault(known, cell) is not None:
        return method.entry
    for rule in overriding:
        cell = rule.applied(cell)
        if _fault(known, cell) is not None:
            return rule.entry
    return method.entry


def _place(path: Path) -> Path:
    """The folder that a path names, by whatever name."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a circle of links in Python 3.11 and 3.12, or no name of a file
        return path.absolute()


def shown(value: Any) -> str:
    """A field's value as text, as rules write it."""
    if value is None:
        return NONE
    return f"{value:g}" if isinstance(value, float) else str(value)
