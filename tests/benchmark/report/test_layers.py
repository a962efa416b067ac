"""Figure 5: which methods its bars are over, and which bars may be compared."""

from __future__ import annotations

import numpy as np
import pytest

from flawspot.benchmark.record import FAILED, Record
from flawspot.benchmark.report.drawing import Drawing
from flawspot.benchmark.report.figure_layers import layers_figure
from flawspot.benchmark.report.layer_analysis import ALL, Row, rows
from flawspot.benchmark.report.results import Results
from flawspot.runtime.manifest import Part

from .conftest import cell, paper_grid, record
from .marks import told


def run(f1: float, **changes: object) -> Record:
    """A done run with an F1."""
    return record(cell(**changes), metrics={"pixel_f1_max": f1}, parts=(Part("all", 2**20, 10**6),))


def only(records: list[Record]) -> Row:
    """The row of the only network."""
    (row,) = rows(Results(records), "mvtec_ad").values()
    return row


def drawn(records: list[Record]) -> Drawing:
    """The figure."""
    figure = layers_figure(Results(records), "mvtec_ad", "f")
    assert figure is not None
    return figure


def on_groups(method: str, *groups: str, f1: float = 0.5, **changes: object) -> list[Record]:
    """A method on several groups of two categories."""
    return [run(f1, category=c, method=method, layers=group, **changes) for group in groups for c in ("a", "b")]


def test_bars_are_means_and_variances_over_methods() -> None:
    figures = {("a", "cfa"): 0.2, ("a", "padim"): 0.4, ("b", "cfa"): 0.6, ("b", "padim"): 0.9}
    records = [
        run(f1 - less, category=c, method=m, layers=layers)
        for (c, m), f1 in figures.items()
        for layers, less in (("equiv", 0.0), ("low", 0.1))
    ]
    row = only(records)
    assert (row.methods, row.groups, row.dashes, row.left) == (("padim", "cfa"), ("low", "equiv"), {}, {})
    assert row.bars["a"]["equiv"].mean == pytest.approx(0.3)
    assert row.bars["a"]["equiv"].variance == pytest.approx(0.01)
    assert row.bars[ALL]["equiv"].mean == pytest.approx((0.4 + 0.65) / 2)
    assert row.bars[ALL]["equiv"].variance == pytest.approx(np.var([0.4, 0.65]))
    assert row.bars[ALL]["low"].mean == pytest.approx((0.4 + 0.65) / 2 - 0.1)
    assert all(bar.whole and bar.seeds == 1 for place in row.bars.values() for bar in place.values())


def test_methods_on_layers_of_their_own_make_no_bar_incomplete() -> None:
    records = on_groups("patchcore", "low", "equiv") + on_groups("padim", "low", "equiv")
    records += on_groups("jury", "stages") + on_groups("pasted", "stages") + on_groups("paste", "paste")
    row = only(records)
    assert (row.methods, row.groups) == (("patchcore", "padim"), ("low", "equiv"))
    assert all(bar.whole for place in row.bars.values() for bar in place.values())
    assert set(row.bars[ALL]) == {"low", "equiv"}
    assert row.left == {"PaSTe": "run only on paste", "jury": "run only on stages", "pasted": "run only on stages"}
    figure = drawn(records)
    assert figure.notes == ("Not drawn: PaSTe (run only on paste).", "Not drawn: jury, pasted (run only on stages).")
    assert "over the methods PatchCore, PaDiM, for the layer groups: low (L), equiv (E)." in figure.caption
    assert not any(word in figure.caption for word in ("Hatched", "dash", "Grey", "seeds"))
    # In a row of one group, too, that the methods have which are compared in others.
    records += [run(0.5, category=c, precision="int8") for c in ("a", "b")]
    records += [
        run(0.9, category=c, precision="int8", method=m, layers="stages") for c in ("a", "b") for m in ("x", "y")
    ]
    first, second = rows(Results(records), "mvtec_ad").values()
    assert (first.methods, second.methods, second.groups) == (("patchcore", "padim"), ("patchcore",), ("equiv",))
    # Another method on the same layers: they are compared then.
    records = on_groups("cfa", "paste", "equiv") + on_groups("paste", "paste")
    assert only(records).groups == ("equiv", "paste")


def test_a_method_that_lacks_groups_is_left_out_rather_than_all_bars_be_incomplete() -> None:
    groups = ("low", "mid", "high", "equiv")
    records = [each for method in ("patchcore", "padim") for each in on_groups(method, *groups)]
    records += on_groups("cfa", "low", "equiv")
    records.append(record(cell(category="a", method="cfa", layers="mid"), FAILED, error="x"))
    row = only(records)
    assert (row.methods, row.groups) == (("patchcore", "padim"), groups)
    assert row.left == {"CFA": "mid: failed: x; high: not run"}
    assert all(bar.whole for place in row.bars.values() for bar in place.values())
    # On two backbones, and CFA whole on the second: then it is in that one's bars, and the caption tells.
    records += [each for m in ("padim", "cfa") for each in on_groups(m, *groups, backbone="phinet")]
    figure = drawn(records)
    assert "over methods (PatchCore, PaDiM on MobileNetV2; PaDiM, CFA on PhiNet; compare only bars of" in figure.caption
    assert figure.notes == ("Not drawn: CFA on MobileNetV2 (mid: failed: x; high: not run).",)
    # Layers that one method alone was run on are left out likewise.
    row = only(on_groups("patchcore", "low", "equiv", "1,2") + on_groups("padim", "low", "equiv"))
    assert row.left == {"layers 1,2": "of the methods compared, only PatchCore ran on them"}


def test_a_figure_that_is_missing_is_hatched_or_a_dash_with_its_reason() -> None:
    records = on_groups("patchcore", "low", "equiv") + on_groups("padim", "low", "equiv")
    lost = {("a", "low", "padim"), ("b", "equiv", "padim"), ("b", "equiv", "patchcore")}
    records = [
        record(each.cell, FAILED, error="out of memory")
        if (each.cell.category, each.cell.layers, each.cell.method) in lost
        else each
        for each in records
    ]
    row = only(records)
    assert [row.bars["a"][group].whole for group in ("low", "equiv")] == [False, True]
    assert row.dashes == {("b", "equiv"): "failed: out of memory"}
    assert {group: bar.whole for group, bar in row.bars[ALL].items()} == {"low": False, "equiv": False}
    figure = drawn(records)
    assert "A dash instead of a bar: failed: out of memory (1 of them)." in figure.caption
    assert "Hatched: some methods" in figure.caption
    assert "The best that may be compared of each category has its figure above." in figure.caption
    # None of the hatched ones has a figure above; the axis has one too.
    assert figure.svg.decode().count(">0.50</text>") == 3


def test_the_hatch_is_seen_on_light_bars_and_on_dark_ones() -> None:
    for f1, shown, other in ((0.5, "#262c38", "#f4f5f7"), (0.9, "#f4f5f7", "#262c38")):
        records = on_groups("patchcore", "equiv") + on_groups("padim", "equiv", f1=f1)
        figure = drawn([*records, record(cell(category="c"), FAILED, error="x")]).svg.decode()
        assert f"stroke: {shown}" in figure
        assert f"stroke: {other}" not in figure


def test_layers_on_which_every_run_failed_are_dashes() -> None:
    records = on_groups("patchcore", "low", "equiv")
    records += [record(cell(category=c, layers="high"), FAILED, error="x") for c in ("a", "b")]
    row = only(records)
    assert row.groups == ("low", "high", "equiv")
    assert row.dashes == {
        ("a", "high"): "failed: x",
        ("b", "high"): "failed: x",
        (ALL, "high"): "no category that all methods have done",
    }


def test_a_mean_over_fewer_categories_is_not_whole() -> None:
    records = [run(0.2, category="a"), run(0.4, category="b"), record(cell(category="c"), FAILED, error="x")]
    row = only(records)
    assert row.bars[ALL]["equiv"].mean == pytest.approx(0.3)
    assert not row.bars[ALL]["equiv"].whole
    assert row.bars["c"] == {}
    assert row.dashes == {("c", "equiv"): "failed: x"}


def test_a_bar_of_one_method_is_grey_and_backbones_are_counted_once() -> None:
    records = on_groups("patchcore", "low", "equiv", seed=0) + on_groups("patchcore", "equiv", precision="int8")
    figure = drawn([*records, *on_groups("patchcore", "low", seed=1)])
    assert "Grey: one method, so there is no variance." in figure.caption
    assert "Colour" not in figure.caption
    assert "The bars have 1 to 2 seeds" in figure.caption
    assert 'aria-label="Bar charts of 1 backbone in 2 rows over 2 categories;' in figure.inline
    svg = figure.svg.decode()
    assert svg.count("fill: #9aa1ab") == 9
    texts = told(figure)
    assert len(set(texts)) == len(texts) == 9
    assert "MobileNetV2 · int8 · equiv · a\npixel F1 0.500\nPatchCore; 1 seed" in texts
    assert "MobileNetV2 · float32 · low · a\npixel F1 0.500\nPatchCore; 2 seeds" in texts


def test_the_paper_grid_has_the_papers_four_methods_in_every_row() -> None:
    found = rows(Results(paper_grid(1)), "mvtec_ad")
    assert {row.methods for row in found.values()} == {("patchcore", "padim", "cfa", "stfpm")}
    assert [len(row.groups) for row in found.values()] == [4, 4, 4, 1, 1]
    whole = {network.backbone: row.bars[ALL]["equiv"].whole for network, row in found.items()}
    assert [name for name, is_whole in whole.items() if not is_whole] == ["mcunet_in3", "phinet", "wide_resnet50_2"]
