"""docs/grid.md: every key and value that the reader of grids knows is named, and the example is read."""

import re
from pathlib import Path

import pytest

from flawspot.backbones.registry import families, family
from flawspot.benchmark import grid, grid_file, yaml_reader
from flawspot.benchmark.streams.stream import STRATEGIES
from flawspot.benchmark.vocabulary import vocabulary
from flawspot.data.corruptions import CORRUPTIONS
from flawspot.data.demo_set import PRODUCTS
from flawspot.data.layouts import DEMO_DEFAULTS, LAYOUTS
from flawspot.data.tolerances import PRESETS
from flawspot.methods.registry import methods
from flawspot.methods.stfpm.recipes import RECIPES
from flawspot.runtime.manifest import PRECISIONS

PAGE = (Path(__file__).parents[2] / "docs" / "grid.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")}
PLACES = {
    "a grid": "The keys of a grid",
    "a data set": "Data",
    "a method": "Methods",
    "a stream": "Streams",
    "`set`": "Rules",
    "a rule under `override`": "Rules",
    "a rule under `exclude`": "Rules",
}
"""The section for each kind of keys, by the reader's name for it."""
EXAMPLE = re.search(r"```yaml\n(.*?)```", PAGE, re.S)[1]


@pytest.fixture
def example(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text(EXAMPLE, encoding="utf-8")
    return path


def test_the_example_is_read_and_its_runs_are_counted(example):
    known = vocabulary()
    count = len(grid_file.read_grid(example, known).cells(known))
    assert re.search(r"These are ([\d,]+) runs", PAGE)[1] == f"{count:,}"


def test_the_example_has_every_key():
    keys = re.findall(r"^(\w+):", EXAMPLE, re.M)
    assert sorted(keys) == sorted(grid_file.KEYS)


def test_every_key_that_the_reader_knows_is_in_its_section(example, monkeypatch):
    """What each part of a file may have is asked of the reader itself, while it reads the example."""
    asked: dict[str, set[str]] = {}
    fields = yaml_reader.Entry.fields

    def noted(entry, known, what):
        asked.setdefault(what, set()).update(known)
        return fields(entry, known, what)

    monkeypatch.setattr(yaml_reader.Entry, "fields", noted)
    grid_file.read_grid(example, vocabulary())
    for settings in ("settings", "the method"):  # whose names are those of a method or a layout
        asked.pop(settings, None)
    assert set(asked) == set(PLACES)
    for what, keys in asked.items():
        section = SECTIONS[PLACES[what]]
        assert [key for key in sorted(keys) if f"`{key}`" not in section] == [], what


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("The keys of a grid", (*families(), *PRECISIONS, *grid_file.NORMALIZATIONS, *RECIPES, *PRESETS)),
        ("Data", (*LAYOUTS, *PRODUCTS, *DEMO_DEFAULTS)),
        ("Layers", (*{group for name in families() for group in family(name).layer_groups}, "stages")),
        ("Methods", tuple(methods())),
        ("Noise, contamination, few photographs", (grid.NONE, *CORRUPTIONS)),
        ("Streams", STRATEGIES),
        ("Rules", grid.RULE_KEYS),
    ],
)
def test_every_name_is_in_its_section(section, names):
    assert [name for name in names if f"`{name}`" not in SECTIONS[section]] == []


def test_the_limits_are_those_of_the_reader():
    for limit in (yaml_reader.MAX_BYTES, grid_file.MAX_RUNS, grid_file.MAX_MATCHES, grid_file.MAX_SEED):
        assert f"{limit:,}" in PAGE
