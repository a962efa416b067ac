"""Streams in the file of a grid."""

from pathlib import Path

import pytest

from flawspot.benchmark import vocabulary
from flawspot.benchmark.grid import Vocabulary
from flawspot.benchmark.grid_file import read_grid
from flawspot.benchmark.record import Cell
from flawspot.errors import ConfigurationError

PLAIN = """\
data:
  - {name: parts, layout: mvtec_ad, path: parts, categories: [a, b]}
backbones: [mobilenet_v2]
layers: [equiv]
methods: [padim, patchcore]
"""
STREAMS = """\
streams:
  - {name: light, steps: [none, noise=2 + brightness=1]}
  - {name: products, categories: [b, a]}
strategies: [frozen, update, update=016, anew]
"""


@pytest.fixture
def cells(tmp_path: Path):
    """The cells of a grid from text."""
    known = Vocabulary(("mobilenet_v2",), {"padim": (), "patchcore": ()}, ("blur", "noise", "brightness"))

    def read(text: str) -> list[Cell]:
        path = tmp_path / "a grid.yaml"
        path.write_text(text, encoding="utf-8")
        return read_grid(path, known).cells(known)

    return read


def test_every_stream_is_crossed_with_every_strategy(cells):
    found = cells(PLAIN + STREAMS)
    assert {(cell.category, cell.stream.name) for cell in found} == {
        ("a", "light"),
        ("b", "light"),
        ("b then a", "products"),
    }
    assert len(found) == 3 * 4 * 2
    assert {cell.strategy for cell in found} == {"frozen", "update=64", "update=16", "anew"}
    assert {cell.stream.steps for cell in found} == {("none", "brightness=1+noise=2"), ("b", "a")}


def test_cells_without_a_stream_are_there_where_none_is_named(cells):
    assert all(cell.stream is not None for cell in cells(PLAIN + STREAMS))
    text = PLAIN + "streams: [none, {name: light, steps: [none, noise=2]}]\n"
    assert {(cell.stream and cell.stream.name, cell.strategy) for cell in cells(text)} == {
        (None, None),
        ("light", "frozen"),
        ("light", "update=64"),
        ("light", "anew"),
    }
    assert {cell.stream for cell in cells(PLAIN)} == {None}


def test_a_stream_is_combined_with_no_other_axis(cells):
    text = PLAIN + STREAMS + "corruptions: [none, blur]\nseverities: [1]\nshots: [all, 5]\n"
    for combined, others in (("", 2), ("combine: all\n", 4)):
        found = cells(text + combined)
        streams = [cell for cell in found if cell.stream is not None]
        assert len(streams) == 3 * 4 * 2
        assert all(cell.corruption is None and cell.shots is None for cell in streams)
        assert len(found) - len(streams) == 2 * 2 * others


def test_rules_look_at_streams_and_strategies(cells):
    rules = "exclude:\n  - {stream: light, method: padim}\n  - {strategy: [update, anew]}\n"
    found = cells(PLAIN + STREAMS + rules)
    assert {cell.strategy for cell in found} == {"frozen", "update=16"}
    assert {cell.method for cell in found if cell.stream.name == "light"} == {"patchcore"}


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("noise=2 + brightness=1", "fog=2"), 7, "'fog=2' is no condition: write none, noise=2 or"),
        (("noise=2 + brightness=1", "noise=6"), 7, "severities 1 to 5 of blur, noise, brightness"),
        (("none, noise=2 + brightness=1", "none"), 7, "a stream has 2 to 50 steps, not 1"),
        (("name: light, ", ""), 7, "the stream has no `name`"),
        (("name: products", "name: light"), 7, "2 streams are called 'light'"),
        (("categories: [b, a]", "categories: [b, b]"), 8, "a category comes twice"),
        (("[b, a]}", "[b, a], steps: [none, noise=1]}"), 8, "either `steps`, conditions such as none and noise=2, or"),
        (("frozen", "ice"), 9, "unknown strategy 'ice': the known ones are frozen, update, anew, and update=16 for"),
        (("update=016", "update=0"), 9, "may take 1 to 1024 megabytes for features, not 0"),
        (("update=016", "update"), 9, "'update=64' stands in line 9 already"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_cure(cells, change, line, says):
    with pytest.raises(ConfigurationError, match=f"a grid.yaml, line {line}: ") as error:
        cells(PLAIN + STREAMS.replace(*change, 1))
    assert says in str(error.value)


def test_strategies_without_streams_are_refused(cells):
    with pytest.raises(ConfigurationError, match="line 6: `strategies` are of `streams`, and the grid has none"):
        cells(PLAIN + "strategies: [frozen]\n")


def test_a_stream_of_categories_that_no_data_set_has_is_refused(cells):
    with pytest.raises(ConfigurationError, match=r"no data set has all categories of the stream products \(b, c\)"):
        cells(PLAIN + STREAMS.replace("[b, a]", "[b, c]"))


def test_updates_of_a_method_that_cannot_be_updated_are_refused(monkeypatch, cell, light):
    def refuse(method):
        raise ConfigurationError(f"detectors of {method} cannot be updated")

    monkeypatch.setattr(vocabulary, "updating_of", refuse)
    vocabulary.check(cell(stream=light, strategy="anew"))
    vocabulary.check(cell())
    with pytest.raises(ConfigurationError, match="padim cannot be updated"):
        vocabulary.check(cell(stream=light, strategy="update=16"))
