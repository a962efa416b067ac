"""What the figures are drawn from."""

from __future__ import annotations

import dataclasses
import re

import numpy as np

from flawspot.benchmark.record import FAILED, Record
from flawspot.benchmark.report.axis_analysis import axes
from flawspot.benchmark.report.drawing import FAINT, INK, PAPER, QUIET
from flawspot.benchmark.report.figure_cost import cost_figure, pareto, points
from flawspot.benchmark.report.figure_curves import MOST_LINES, axis_figure, sizes_figure
from flawspot.benchmark.report.figure_paste import pairs, paste_figure
from flawspot.benchmark.report.names import METHODS, backbone_markers, method_colours, method_name
from flawspot.benchmark.report.results import Results
from flawspot.runtime.manifest import Part

from .conftest import BANDS, cell, paper_grid, record
from .marks import told


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
    assert "A dash: no figure, for the reason below." in drawn.caption


def test_figure_6_tells_whose_count_each_cost_is_and_which_row_is_which() -> None:
    records = [
        run(0.5, method=method, layers=layers, precision=precision)
        for method, layers in (("stfpm", "equiv"), ("paste", "paste"))
        for precision in ("float32", "int8")
    ]
    drawn = paste_figure(Results(records), "mvtec_ad", "f")
    assert drawn is not None
    assert "Memory, inference and training RAM are counted as the paper counts them." in drawn.caption
    assert "Training computation is our count" in drawn.caption
    assert "the paper has 297.5 and 198.4 MMAC for MobileNetV2." in drawn.caption
    assert "The paper counts float32, and so do these" in drawn.caption
    assert "A dash" not in drawn.caption
    texts = told(drawn)
    assert len(set(texts)) == len(texts) == 20
    assert "STFPM · MobileNetV2 · int8\nTraining: 298 MMAC per photograph and epoch (our count)" in texts
    assert "STFPM · MobileNetV2 · int8\nInference: 451 MMAC per photograph (the paper's count)" in texts
    label = re.search(r'aria-label="([^"]*)"', drawn.inline)
    assert label is not None
    assert "MobileNetV2 · float32: pixel F1 0.500 and 0.500; MobileNetV2 · int8: pixel F1" in label[1]


def test_a_cost_that_was_not_recorded_is_a_dash_with_its_reason() -> None:
    bare = dataclasses.replace(run(0.5, method="paste", layers="paste"), training_ram=None)
    _, notes = pairs(Results([run(0.5, method="stfpm"), bare]), "mvtec_ad")
    assert notes == ["MobileNetV2 · PaSTe · paste without training ram: not in its records."]


def test_points_of_lines_by_size_tell_their_figures() -> None:
    drawn = sizes_figure(Results([record(cell()), record(cell(method="padim"))]), "mvtec_ad", "f")
    texts = told(drawn)
    assert len(texts) == 2 * 2 * len(BANDS)
    item = record(cell()).defect_sizes[2]
    found = f"recall of defects {item['recall']:.3f} (of {item['regions']} defects in all runs)"
    assert f"MobileNetV2 · PatchCore · equiv\ndefects of 2–10 ‰ of the photograph\n{found}" in texts
    assert (
        f"MobileNetV2 · PatchCore · equiv\ndefects of 2–10 ‰ of the photograph\npixel f1 {item['f1_max']:.3f}" in texts
    )


def test_points_along_an_axis_tell_level_figure_and_interval() -> None:
    def noisy(severity: int, seed: int) -> Record:
        return run(0.5 - 0.1 * severity + 0.02 * seed, corruption="noise", severity=severity, seed=seed)

    results = Results([run(0.5 + 0.02 * seed, seed=seed) for seed in (0, 1)] + [noisy(3, 0), noisy(3, 1), noisy(5, 0)])
    (axis,) = axes(results)
    drawn = axis_figure(results, [axis], "mvtec_ad", "f", "Noise")
    assert told(drawn)[0] == "MobileNetV2 · PatchCore · equiv\nNoise: severity 0\npixel F1 0.500\n1 seed"
    two = Results([run(0.5 + 0.02 * seed, seed=seed) for seed in (0, 1)] + [noisy(3, 0), noisy(3, 1)])
    (axis,) = axes(two)
    drawn = axis_figure(two, [axis], "mvtec_ad", "f", "Noise")
    texts = told(drawn)
    assert len(texts) == 2
    assert texts[1] == (
        "MobileNetV2 · PatchCore · equiv\nNoise: severity 3\npixel F1 0.210, 95% interval 0.083 to 0.337\n2 seeds"
    )


def test_no_more_lines_are_drawn_than_can_be_told_apart() -> None:
    def lines(records: list[Record]) -> tuple[int, str]:
        drawn = sizes_figure(Results(records), "mvtec_ad", "f")
        assert drawn is not None
        return len({text.split("\n")[0] for text in told(drawn)}), " ".join(drawn.notes)

    methods = [f"m{number}" for number in range(5)]
    backbones = ("mobilenet_v2", "mcunet_in3", "phinet")
    first = [record(cell(backbone=b, method=m, seed=s)) for b in backbones[:2] for m in methods for s in (0, 1)]
    assert lines(first) == (10, "")
    more = first + [record(cell(backbone=b, method=m, precision="int8")) for b in backbones[:2] for m in methods]
    count, note = lines(more)
    assert count == 10
    assert "MobileNetV2 int8 with m0 equiv" in note
    assert note.endswith("They are those with another precision. The tables have them.")
    count, note = lines(first + [record(cell(backbone="phinet", method=m)) for m in methods])
    assert count == 10
    assert "apart: PhiNet with m0 equiv, m1 equiv, m2 equiv, m3 equiv, m4 equiv. They are those with fewer s" in note
    count, note = lines(first + [record(cell(backbone="phinet", method=m, seed=s)) for m in methods for s in (0, 1)])
    assert count == 10
    assert "They are those with a later place in the list of detectors." in note
    # None of them is chosen by its figures, and there is no empty figure.
    count, note = lines([record(cell(method=f"m{number:02}")) for number in range(20)])
    assert count == MOST_LINES
    assert "m12 equiv" in note and "m11 equiv" not in note


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
