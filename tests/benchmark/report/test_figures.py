"""What the figures are drawn from."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from flawspot.benchmark.record import FAILED, Record
from flawspot.benchmark.report.drawing import FAINT, INK, PAPER, QUIET
from flawspot.benchmark.report.figure_cost import cost_figure, pareto, points
from flawspot.benchmark.report.figure_curves import sizes_figure
from flawspot.benchmark.report.figure_layers import ALL, bars, layers_figure
from flawspot.benchmark.report.figure_paste import pairs, paste_figure
from flawspot.benchmark.report.names import METHODS, backbone_markers, method_colours, method_name
from flawspot.benchmark.report.results import Results
from flawspot.benchmark.report.summary import findings
from flawspot.runtime.manifest import Part

from .conftest import cell, paper_grid, record


def run(f1: float, macs: int = 1_000_000, **changes: object) -> Record:
    """A done run with an F1 and a cost."""
    return record(cell(**changes), metrics={"pixel_f1_max": f1}, parts=(Part("all", 2**20, macs),))


def test_the_front_holds_what_nothing_beats() -> None:
    generator = np.random.default_rng(0)
    records = [
        run(round(float(generator.random()), 1), int(generator.integers(1, 9)) * 10**6, method=f"m{k}")
        for k in range(40)
    ]
    found, categories, notes = points(Results(records), "mvtec_ad")
    assert (len(found), categories, notes) == (40, ("bottle",), [])
    for point in found:
        beaten = [
            other
            for other in found
            if (other.f1 >= point.f1 and other.mmac < point.mmac) or (other.f1 > point.f1 and other.mmac <= point.mmac)
        ]
        assert point.front == (not beaten)
    assert pareto([]) == []


def test_random_weights_are_on_no_front() -> None:
    records = [run(0.9, 10, random_weights=True), run(0.5, 10**6)]
    found, _, _ = points(Results(records), "mvtec_ad")
    assert [(point.setup.random_weights, point.front) for point in found] == [(False, True), (True, False)]


def test_the_cost_figure_shows_every_group_of_layers() -> None:
    records = [run(0.5), run(0.6, layers="low"), run(0.4, layers="1,2"), run(0.7, method="paste", layers="paste")]
    found, _, notes = points(Results(records), "mvtec_ad")
    assert {(p.setup.method, p.setup.layers) for p in found} == {
        ("patchcore", "low"), ("patchcore", "equiv"), ("patchcore", "1,2"), ("paste", "paste"),
    }  # fmt: skip
    assert notes == []
    drawn = cost_figure(Results(records), "mvtec_ad", "f")
    assert drawn is not None
    assert "those of the 4 detectors drawn that no other one beats in both, each with its layers beside it" in (
        drawn.caption
    )
    assert cost_figure(Results([record(cell(), FAILED, error="x")]), "mvtec_ad", "f") is None


def test_symbols_and_lines_show_the_precision_where_it_varies() -> None:
    both = [run(0.5), run(0.6, precision="int8")]
    for records, shown in ((both, True), (both[:1], False)):
        drawn = cost_figure(Results(records), "mvtec_ad", "f")
        assert drawn is not None
        assert ("Precision" in drawn.svg.decode()) == ("int8" in drawn.svg.decode()) == shown
    # By size: dashes, and a line in the legend for each.
    lines = [record(cell(precision=precision)) for precision in ("float32", "int8")]
    drawn = sizes_figure(Results(lines), "mvtec_ad", "f")
    assert drawn is not None
    assert {"MobileNetV2, float32", "MobileNetV2, int8"} <= set(re.findall(r"MobileNetV2, \w+", drawn.svg.decode()))


def test_as_the_paper_it_compares_its_layers_and_names_what_is_left_out() -> None:
    records = [run(0.5), run(0.6, layers="low"), run(0.7, method="paste", layers="paste")]
    # Nothing is on the paper's layers with that method, so what there is stands for it.
    records += [run(0.5, layers="1,2", method="padim"), run(0.6, layers="low", method="padim")]
    found, _, notes = points(Results(records), "mvtec_ad", as_paper=True)
    assert {(p.setup.method, p.setup.layers) for p in found} == {
        ("patchcore", "equiv"), ("paste", "paste"), ("padim", "low"), ("padim", "1,2"), ("patchcore", "low"),
    }  # fmt: skip
    assert [(p.setup.method, p.setup.layers) for p in found if p.aside] == [("patchcore", "low")]
    assert notes == [
        "Small: 1 detector on other layers than those of the paper's comparison. They are shown because the front "
        "includes everything that was run."
    ]


def test_the_front_is_over_everything_that_was_run_whatever_the_figure_compares() -> None:
    def costing(f1: float, macs: int, **changes: object) -> Record:
        return dataclasses.replace(run(f1, macs, **changes), paper_macs=macs)

    records = [costing(0.5, 20), costing(0.6, 10, layers="low"), costing(0.7, 30, layers="high")]
    found, _, notes = points(Results(records), "mvtec_ad", as_paper=True)
    assert [(p.setup.layers, p.aside, p.front) for p in found] == [
        ("equiv", False, False), ("low", True, True), ("high", True, True),
    ]  # fmt: skip
    # One that lacks a category of the means has no place there.
    records += [costing(f1, 20, category="screw") for f1 in (0.5,)]
    found, categories, notes = points(Results(records), "mvtec_ad", as_paper=True)
    assert (len(categories), [p.setup.layers for p in found]) == (2, ["equiv"])
    assert notes[0].startswith("Small: 2 detectors (2 of them left out, because they lack categories) on other layers")


def test_lines_that_are_left_out_are_told() -> None:
    results = Results([record(cell()), record(cell(layers="low")), record(cell(method="new", layers="low"))])
    drawn = sizes_figure(results, "mvtec_ad", "f")
    assert drawn is not None
    assert [note.partition(" whose")[0] for note in drawn.notes] == ["Not drawn: 1 detector on other layers (low)"]
    assert "Lines of 2 detectors" in drawn.inline


def test_bars_are_means_and_variances_over_methods() -> None:
    figures = {("a", "cfa"): 0.2, ("a", "padim"): 0.4, ("b", "cfa"): 0.6, ("b", "padim"): 0.9}
    records = [run(f1, category=c, method=m) for (c, m), f1 in figures.items()]
    records.append(run(0.7, category="a", method="cfa", layers="low"))
    records.append(run(0.9, category="a", method="paste", layers="paste"))
    ((row, places),) = bars(Results(records), "mvtec_ad")[0].items()
    assert row[0] == "mobilenet_v2"
    assert places["a"]["equiv"].mean == pytest.approx(0.3)
    assert places["a"]["equiv"].variance == pytest.approx(0.01)
    assert places["a"]["equiv"].whole
    assert not places["a"]["low"].whole, "PaDiM is missing there"
    assert "low" not in places["b"]
    assert places[ALL]["equiv"].mean == pytest.approx((0.4 + 0.65) / 2)
    assert places[ALL]["equiv"].variance == pytest.approx(np.var([0.4, 0.65]))
    assert "low" not in places[ALL]
    assert "paste" not in places["a"]
    drawn = layers_figure(Results(records), "mvtec_ad", "f")
    assert drawn is not None
    assert drawn.notes == ("Not drawn: PaSTe on layers that no other method is compared on.",)
    assert "for the layer groups low (L), equiv (E)." in drawn.caption
    # Another method on the same layers is not PaSTe's alone.
    records.append(run(0.9, category="a", method="cfa", layers="paste"))
    ((_, places),) = bars(Results(records), "mvtec_ad")[0].items()
    assert places["a"]["paste"].mean == pytest.approx(0.9)


def test_a_mean_over_fewer_categories_is_not_whole() -> None:
    records = [run(0.2, category="a"), run(0.4, category="b"), record(cell(category="c"), FAILED, error="x")]
    ((_, places),) = bars(Results(records), "mvtec_ad")[0].items()
    assert places[ALL]["equiv"].mean == pytest.approx(0.3)
    assert not places[ALL]["equiv"].whole
    assert places["c"] == {}


def test_pairs_are_compared_on_what_both_have_done() -> None:
    records = [
        run(0.5, category="a", method="stfpm"),
        run(0.1, category="b", method="stfpm"),
        run(0.6, category="a", method="paste", layers="paste"),
        record(cell(category="b", method="paste", layers="paste"), FAILED, error="out of memory"),
        run(0.7, category="a", method="stfpm", backbone="wide_resnet50_2"),
    ]
    found, notes = pairs(Results(records), "mvtec_ad")
    ((row, figures),) = found.items()
    assert row[0] == "mobilenet_v2"
    assert (figures["stfpm"][0], figures["paste"][0]) == (0.5, 0.6)
    assert notes == ["MobileNetV2 · PaSTe · paste without b: failed: out of memory."]


def test_a_pair_that_failed_on_one_side_has_no_figure_there() -> None:
    records = [run(0.5, method="stfpm"), record(cell(method="paste", layers="paste"), FAILED, error="x")]
    found, notes = pairs(Results(records), "mvtec_ad")
    assert notes == ["MobileNetV2 · PaSTe · paste without bottle: failed: x."]
    ((_, figures),) = found.items()
    assert figures["stfpm"][0] == 0.5
    assert figures["paste"] == (None,) * 5
    drawn = paste_figure(Results(records), "mvtec_ad", "f")
    assert drawn is not None
    assert "–" in drawn.svg.decode()


def test_colours_and_markers_keep_apart() -> None:
    labels = {method: method for method in METHODS} | {"PatchCore, half precision": "patchcore", "new": "new"}
    colours = method_colours(labels)
    assert len(set(colours.values())) == len(labels)
    assert colours["patchcore"] == method_colours({"patchcore": "patchcore"})["patchcore"]


def test_new_methods_and_backbones_have_a_name_and_looks_by_themselves() -> None:
    labels = {f"new {number}": f"new {number}" for number in range(40)}
    colours = method_colours(labels)
    assert len(set(colours.values())) == 40
    assert all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in colours.values())
    assert not set(colours.values()) & {colour.upper() for colour in (INK, QUIET, FAINT, PAPER)}
    assert method_name("new 1") == "new 1"
    markers = backbone_markers(["mobilenet_v2", "a", "b", "c"])
    assert len(set(markers.values())) == 4


def test_the_paper_grid_leaves_out_a_category_rather_than_a_backbone() -> None:
    found, categories, notes = points(Results(paper_grid(1)), "mvtec_ad")
    assert "grid" not in categories
    assert len(categories) == 14
    assert {point.setup.backbone for point in found} >= {"mobilenet_v2", "mcunet_in3", "phinet", "wide_resnet50_2"}
    assert any(note.startswith("The means are without grid") for note in notes)
    assert any("zipper: not run" in note for note in notes)


def test_the_summary_knows_the_best_of_all_layers() -> None:
    records = [run(0.5), run(0.6, layers="low"), run(0.9, layers="high", random_weights=True)]
    (sentence,) = findings(Results(records))
    assert sentence.startswith("MVTec AD (bottle): the best pixel F1 is 0.600, of MobileNetV2 · PatchCore · low")
