"""Reads a `Grid` from a YAML file. Every value is checked, and every error names the line and the cure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from flawspot.benchmark.grid import NONE, RULE_KEYS, Departure, Grid, MethodEntry, Rule, Vocabulary, shown
from flawspot.benchmark.streams import reading
from flawspot.benchmark.yaml_reader import Entry, open_yaml
from flawspot.data.layouts import LAYOUTS, DataSource
from flawspot.data.tolerances import as_tolerance
from flawspot.errors import ConfigurationError
from flawspot.methods.shapes import LARGEST_INPUT, SMALLEST_INPUT
from flawspot.runtime.manifest import PRECISIONS, Scalar
from flawspot.seeds import MAX_SEED
from flawspot.texts import shortened

KEYS = (
    "title",
    "data",
    "backbones",
    "layers",
    "methods",
    "seeds",
    "input_size",
    "normalization",
    "precision",
    "tolerate",
    "random_weights",
    "recipe",
    "corruptions",
    "severities",
    "contamination",
    "shots",
    *reading.KEYS,
    "combine",
    "exclude",
    "override",
)
OVERRIDES = ("settings", "input_size", "normalization", "random_weights")
NORMALIZATIONS = ("weights", "paper")
MAX_RUNS = 50_000
"""Most runs of a grid, for each data set and category."""
MAX_MATCHES = 2_000_000
"""Largest product of runs and rules."""
ALL = "all"
PAPER = "paper"
"""Name of the grid that is part of flawspot."""


def grid_file(name: str) -> Path:
    """The YAML file called `name`: a path, or ``paper`` for the grid of the PaSTe paper."""
    return Path(__file__).with_name("paper.yaml") if name == PAPER else Path(name)


def read_grid(path: Path, known: Vocabulary) -> Grid:
    """Read and check the grid in the YAML file at `path`.

    Raises:
        ConfigurationError: an error in the file; names the line, the value and the cure.
    """
    root = open_yaml(path)
    found = root.fields(KEYS, "a grid")
    for key in ("data", "backbones", "layers", "methods"):
        if key not in found:
            root.fail(f"the grid has no `{key}`: add it; README.md and paper.yaml show examples")
    backbones = _distinct(found, "backbones", lambda e: e.choice(known.backbones, "backbone"))
    layers = _distinct(found, "layers", _layers)
    methods = tuple(_method(entry, known) for entry in found["methods"].some("methods"))
    labels: dict[str, MethodEntry] = {}
    for method in methods:
        same = labels.setdefault(method.label, method)
        if same is not method:
            method.entry.fail(
                f"a second method is called {method.label!r} (the first is in line {same.entry.line}): "
                "give each a `label` of its own"
            )
    data = tuple(_data(entry, path.parent) for entry in found["data"].some("data"))
    names = [source.name for source in data]
    for source, entry in zip(data, found["data"].items(), strict=True):
        if names.count(source.name) > 1:
            entry.fail(f"{names.count(source.name)} data sets are called {source.name!r}: give each its own `name`")
    grid = Grid(
        file=path,
        title=found["title"].text("title") if "title" in found else path.stem,
        data=data,
        backbones=backbones,
        layers=layers,
        methods=methods,
        seeds=_distinct(found, "seeds", lambda e: e.integer("a seed", 0, MAX_SEED)) if "seeds" in found else (0,),
        input_size=_input_size(found["input_size"]) if "input_size" in found else 224,
        normalization=_normalization(found["normalization"]) if "normalization" in found else "weights",
        precisions=_distinct(found, "precision", _precision) if "precision" in found else ("float32",),
        tolerances=_distinct(found, "tolerate", _tolerate) if "tolerate" in found else (None,),
        random_weights="random_weights" in found and found["random_weights"].truth("random_weights"),
        recipe=found["recipe"].text("recipe") if "recipe" in found else None,
        departures=_departures(found, known),
        exclude=tuple(_rule(entry, "exclude") for entry in _rules(found.get("exclude"))),
        override=tuple(_override(entry) for entry in _rules(found.get("override"))),
    )
    crossed = (backbones, grid.seeds, grid.departures, grid.precisions, grid.tolerances)
    runs = math.prod(map(len, crossed)) * sum(len(m.layers or layers) for m in methods)
    if runs > MAX_RUNS or runs * (len(grid.exclude) + len(grid.override)) > MAX_MATCHES:
        root.fail(f"the grid crosses to {runs:,} runs for each category: split it into grids of at most {MAX_RUNS:,}")
    return grid


def _distinct(found: Mapping[str, Entry], key: str, read: Callable[[Entry], Any]) -> tuple[Any, ...]:
    """The values under `key`, a list or a single value: at least one, and none twice."""
    values: dict[Any, int] = {}
    for item in found[key].some(key):
        value = read(item)
        if value in values:
            item.fail(f"{value!r} stands in line {values[value]} already: remove one of them")
        values[value] = item.line
    return tuple(values)


def _layers(entry: Entry) -> str:
    if entry.is_text:
        return entry.text("a layer group")
    return ",".join(str(item.integer("a layer", 0)) for item in entry.some("layers"))


def _input_size(entry: Entry) -> int:
    return entry.integer("input_size", SMALLEST_INPUT, LARGEST_INPUT)


def _normalization(entry: Entry) -> str:
    return entry.choice(NORMALIZATIONS, "normalization")


def _precision(entry: Entry) -> str:
    return entry.choice(PRECISIONS, "precision")


def _tolerate(entry: Entry) -> str | None:
    """The tolerance as a canonical text, which is the same for equal tolerances."""
    text = entry.text("tolerate")
    if text == NONE:
        return None
    try:
        found = as_tolerance(text)
    except ConfigurationError as error:
        entry.fail(f'{error}. Severities go into quotes: "noise=2,shift=1"')
    return None if found is None else found.text


def _method(entry: Entry, known: Vocabulary) -> MethodEntry:
    names = tuple(known.hyperparameters)
    if entry.is_text:
        name = entry.choice(names, "method")
        return MethodEntry(entry, name, name)
    found = entry.fields(("name", "label", "settings", "layers", "backbones"), "a method")
    if "name" not in found:
        entry.fail(f"the method has no `name`: give one of {', '.join(names)}")
    name = found["name"].choice(names, "method")
    return MethodEntry(
        entry,
        name,
        found["label"].text("label") if "label" in found else name,
        _settings(found["settings"], known.hyperparameters[name]) if "settings" in found else {},
        _distinct(found, "layers", _layers) if "layers" in found else None,
        _distinct(found, "backbones", lambda e: e.choice(known.backbones, "backbone"))
        if "backbones" in found
        else None,
    )


def _settings(entry: Entry, hyperparameters: Sequence[str] | None = None) -> dict[str, Scalar]:
    found = entry.pairs("settings") if hyperparameters is None else entry.fields(hyperparameters, "the method")
    return {name: value.scalar(name) for name, value in found.items()}


def _data(entry: Entry, parent: Path) -> DataSource:
    found = entry.fields(("name", "layout", "path", "categories", "settings"), "a data set")
    if "name" not in found:
        entry.fail("the data set has no `name`: give it one, such as mvtec_ad")
    name = found["name"].text("name")
    layout = found["layout"].choice(tuple(LAYOUTS), "layout") if "layout" in found else name
    if layout not in LAYOUTS:
        entry.fail(f"{name} has no `layout`: give one of {', '.join(LAYOUTS)}")
    categories: tuple[str, ...] | None = None
    if "categories" in found and not (found["categories"].is_text and found["categories"].text("categories") == ALL):
        categories = _distinct(found, "categories", _category)
        if layout == "folder" and len(categories) > 1:
            found["categories"].fail("the layout `folder` is a single product: name one category, or remove the line")
    settings = _settings(found["settings"], LAYOUTS[layout].settings) if "settings" in found else {}
    # Joining leaves an absolute path unchanged.
    path = parent / found["path"].text("path") if "path" in found else None
    return DataSource(name, layout, path, categories, settings)


def _category(entry: Entry) -> str:
    """The name of a folder, so that no two names are the same folder."""
    name = entry.text("a category")
    if name in (".", "..") or "/" in name or "\\" in name:
        entry.fail(f"{shortened(name)!r} is no category: give the name of a folder in the data set's `path`")
    return name


def _departures(found: Mapping[str, Entry], known: Vocabulary) -> tuple[Departure, ...]:
    def axis(key: str, read: Callable[[Entry], Any], default: Any) -> tuple[Any, ...]:
        return _distinct(found, key, read) if key in found else (default,)

    def corruption(entry: Entry) -> str | None:
        name = entry.choice((NONE, *known.corruptions), "corruption")
        return None if name == NONE else name

    def shots(entry: Entry) -> int | None:
        return None if entry.is_text and entry.text("shots") == ALL else entry.integer("shots", 1)

    corruptions = axis("corruptions", corruption, None)
    severities = axis("severities", lambda e: e.integer("a severity", 1, 5), None)
    if severities == (None,):
        severities = (1, 2, 3, 4, 5)
    elif not any(corruptions):
        found["severities"].fail("`severities` are of `corruptions`, and the grid has none: add them, or remove this")
    noises = [(name, severity) for name in corruptions for severity in ((0,) if name is None else severities)]
    shares = axis("contamination", lambda e: e.share("contamination"), 0.0)
    numbers = axis("shots", shots, None)
    streams = tuple(
        Departure(stream=stream, strategy=strategy) for stream, strategy in reading.crossed(found, known.corruptions)
    )
    combine = found["combine"].choice(("one", "all"), "combine") if "combine" in found else "one"
    if combine == "all":
        if len(shares) * len(numbers) * len(noises) > MAX_RUNS:
            found["combine"].fail(f"all combinations are more than {MAX_RUNS:,}: leave some out")
        return tuple(s for s in streams if s.stream is not None) + tuple(
            Departure(name, severity, share, number)
            for share, number, (name, severity) in itertools.product(shares, numbers, noises)
        )
    one = [Departure(name, severity) for name, severity in noises]
    one += [Departure(contamination=share) for share in shares]
    one += [Departure(shots=number) for number in numbers]
    one += streams
    # In the given order, each once. The plain cell is part of the grid if every axis has its plain value.
    plain = None in corruptions and 0.0 in shares and None in numbers and Departure() in streams
    return tuple(d for d in dict.fromkeys(one) if plain or d != Departure())


def _rules(entry: Entry | None) -> list[Entry]:
    return [] if entry is None else entry.items()


def _rule(entry: Entry, what: str) -> Rule:
    match = {}
    for name, values in entry.fields(RULE_KEYS, f"a rule under `{what}`").items():
        match[name] = tuple(_normal(name, item) for item in values.items())
    if not match:
        entry.fail(f"a rule under `{what}` without a field would match every cell: name one of {', '.join(RULE_KEYS)}")
    return Rule(entry, match)


def _normal(name: str, entry: Entry) -> str:
    """A value in a rule, in the form that `shown` gives a cell's value."""
    if name == "layers":
        return _layers(entry)
    if name == "contamination":
        return shown(entry.share(name))
    if name == "tolerate":
        return shown(_tolerate(entry))
    if name == "shots" and entry.is_text and entry.text(name) == ALL:
        return NONE
    if name == "strategy" and entry.text(name) != NONE:
        return reading.read_strategy(entry)
    return entry.text(name)


def _override(entry: Entry) -> Rule:
    found = entry.fields(("match", "set"), "a rule under `override`")
    for key in ("match", "set"):
        if key not in found:
            entry.fail(f"a rule under `override` needs `match` and `set`; `{key}` is missing")
    readers: dict[str, Callable[[Entry], Any]] = {
        "settings": _settings,
        "input_size": _input_size,
        "normalization": _normalization,
        "random_weights": lambda e: e.truth("random_weights"),
    }
    change = {name: readers[name](value) for name, value in found["set"].fields(OVERRIDES, "`set`").items()}
    return replace(_rule(found["match"], "override"), entry=entry, change=change)
