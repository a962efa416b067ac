"""From photographs and a budget to a detector: small ones with random weights, on the demo's washers."""

import json
import re

import pytest

import flawspot
from flawspot.benchmark.store import Store
from flawspot.choosing.budget import Budget
from flawspot.choosing.candidates import considered, table
from flawspot.choosing.choose import planned, store_path
from flawspot.choosing.page import sentences, write_page
from flawspot.choosing.photographs import given
from flawspot.choosing.planning import _late
from flawspot.choosing.working_memory import arena_of, least_arena
from flawspot.costs.plan import make_plan
from flawspot.data.folders import open_folder
from flawspot.errors import ConfigurationError, DataError
from flawspot.runtime.artifact import read

CANDIDATES = """
title: small
data: [{name: mine, layout: folder}]
backbones: [mobilenet_v2]
layers: ["1"]
input_size: 64
random_weights: true
methods:
  - {name: padim, settings: {channels: 4}}
  - {name: patchcore, settings: {bank_size: 40}}
  - {name: padim, label: large, settings: {channels: 16}}
"""


class Notes:
    """A progress that keeps what it is told."""

    def __init__(self):
        self.lines = []

    def track(self, items, description, total=None):
        yield from items

    def step(self, description):
        import contextlib

        return contextlib.nullcontext()

    def note(self, message):
        self.lines.append(message)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "candidates.yaml"
    path.write_text(CANDIDATES, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory, product_folder, grid):
    """A choice between two that fit, where it was written, and what was said meanwhile."""
    output, notes = tmp_path_factory.mktemp("choice") / "best.onnx", Notes()
    choice = flawspot.choose(
        product_folder, output=output, memory="100KB", arena="10MB", candidates=grid, workers=1, progress=notes
    )
    return choice, output, notes.lines


def test_the_best_of_those_that_fit_is_written(made):
    choice, output, lines = made
    assert {one.name for one in choice.judged} == {
        "padim on mobilenet_v2 1",
        "padim on mobilenet_v2 1, int8",
        "patchcore on mobilenet_v2 1",
        "patchcore on mobilenet_v2 1, int8",
    }
    assert [one.why_not for one in choice.judged] == [None] * 4
    assert choice.best.rank == max(one.rank for one in choice.judged)
    assert all(0 <= one.rank <= 1 and one.record.bytes <= 100_000 and one.arena for one in choice.judged)
    assert all(re.fullmatch(r"stores [\d.]+ [KM]B", one.why_not) for one in choice.unfit)
    manifest = read(output).manifest
    assert (manifest.method, manifest.precision) == (choice.best.record.cell.method, choice.best.record.cell.precision)
    assert lines[0].startswith("4 of 6 candidates fit 100 KB of memory, 10 MB of working memory: about")
    assert lines[-1].startswith("4/4 ")
    json.dumps(choice.as_dict())


@pytest.mark.slow
def test_every_candidate_tolerates_what_is_asked(product_folder, tmp_path):
    output, alone = tmp_path / "best.onnx", tmp_path / "one.yaml"
    alone.write_text(CANDIDATES.split("  - {name: patchcore")[0], encoding="utf-8")
    choice = flawspot.choose(
        product_folder, output=output, candidates=alone, tolerate={"noise": 1}, workers=1, progress=False
    )
    assert {one.record.cell.tolerate for one in choice.judged} == {"noise=1"}
    assert read(output).manifest.calibration.tolerated.severities == {"noise": 1}
    assert choice.as_dict()["best"]["tolerate"] == "noise=1"
    assert any(sentence.startswith("It tolerates noise=1") for sentence in sentences(choice))


def test_the_same_call_has_nothing_left_to_do(made, product_folder, grid):
    choice, output, _ = made
    before = store_path(None, output).with_name("best.choose.files").joinpath("artifacts")
    times = {path: path.stat().st_mtime_ns for path in before.iterdir()}
    notes = Notes()
    again = flawspot.choose(
        product_folder, output=output, memory="100KB", arena="10MB", candidates=grid, workers=1, progress=notes
    )
    assert again.as_dict() == choice.as_dict()
    assert {path: path.stat().st_mtime_ns for path in before.iterdir()} == times
    assert notes.lines == [
        "4 of 6 candidates fit 100 KB of memory, 10 MB of working memory: all of them are done",
    ]


def test_a_page_of_its_own(made, product_folder, tmp_path):
    choice, _, _ = made
    write_page(choice, open_folder(product_folder), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert page.count("<figure>") == 7
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "Real defects are different" in page
    assert sentences(choice)[0].startswith(f"{choice.best.name} was chosen of 4 detectors")


def test_the_front_rises(made):
    choice, _, _ = made
    for cost in ("memory", "macs"):
        front = choice.front(cost)
        assert front[-1].rank == choice.best.rank
        assert [one.rank for one in front] == sorted(one.rank for one in front)


def test_test_photographs_are_not_looked_at(product_folder, grid):
    folder = open_folder(product_folder)
    plain = given(folder, labelled=False, with_arena=False)
    assert plain.open("").test == ()
    assert given(folder, labelled=True, with_arena=False).open("").test == folder.test
    good_alone = open_folder(product_folder / "train" / "good")
    with pytest.raises(DataError, match="no labelled defective photographs: leave out --labelled"):
        given(good_alone, labelled=True, with_arena=False)


@pytest.mark.slow
def test_labelled_photographs_judge_too(made, product_folder, grid):
    choice, output, _ = made
    # The detectors are there; only the judgement is another.
    store = store_path(None, output)
    labelled = flawspot.choose(
        product_folder, store=store, memory="30KB", candidates=grid, workers=1, labelled=True, progress=False
    )
    assert labelled.best.as_dict()["labelled"].keys() >= {"image_auroc", "pixel_f1_max"}
    assert "no longer serve as a test set" in labelled.about
    with Store(store) as opened:
        assert len(opened.records(every=True)) > len(choice.judged)


def test_a_plan_trains_nothing_and_time_leaves_out_what_promises_least(product_folder, grid, tmp_path):
    asked = {"candidates": grid, "store": tmp_path / "runs.sqlite", "workers": 1, "progress": False}
    plan = planned(product_folder, Budget(), time_limit="1s", **asked)
    assert [one.name for one in plan.chosen] == ["padim on mobilenet_v2 1"]
    assert len(plan.late) == 2
    assert not (tmp_path / "runs.files" / "artifacts").exists()
    assert len(planned(product_folder, Budget(), time_limit="9h", **asked).chosen) == 3
    everything = plan.fitting
    keys = [one.cell.identity for one in everything]
    assert _late(everything, dict(zip(keys, (5.0, 50.0, 4.0), strict=True)), 10.0) == {keys[1]}


def test_nothing_that_fits_is_an_error_before_anything_is_trained(product_folder, grid, tmp_path):
    with pytest.raises(ConfigurationError, match="nothing fits 1 KB of memory: the smallest is patchcore"):
        flawspot.choose(product_folder, memory="1KB", candidates=grid, store=tmp_path / "runs.sqlite", progress=False)


@pytest.mark.parametrize(
    ("more", "words"), [("seeds: [0, 1]", "must have the same seed"), ("shots: [5]", "your unchanged photographs")]
)
def test_tables_whose_candidates_cannot_be_compared(product_folder, tmp_path, more, words):
    path = tmp_path / "candidates.yaml"
    path.write_text(f"{CANDIDATES}{more}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=words):
        table(given(open_folder(product_folder), labelled=False, with_arena=False), path)


@pytest.mark.slow
def test_the_table_that_ships(product_folder):
    source = given(open_folder(product_folder), labelled=False, with_arena=False)
    found = considered(table(source), Budget.read("5MB", "300M"), images=20, seed=0)
    assert len(found) >= 30
    assert {one.cell.method for one in found} == {"patchcore", "padim", "paste", "stfpm", "cfa", "jury", "pasted"}
    assert found[0].cell.method == "jury"
    for one in found:
        if one.memory > 5e6 or one.macs > 3e8:
            # How much PatchCore searches is only known once it is trained.
            assert one.why_not or (one.perhaps and one.cell.method in ("patchcore", "jury"))
            assert one.why_not or one.perhaps.endswith("at most")
    assert any(one.perhaps for one in found)


def test_the_least_working_memory_is_below_what_c_plans(made):
    choice, output, _ = made
    for one in choice.judged:
        cell = one.record.cell
        plan = make_plan(
            backbone=cell.backbone,
            layers=cell.layers,
            method=cell.method,
            settings=cell.settings,
            input_size=cell.input_size,
            precision=cell.precision,
        )
        assert least_arena(plan) <= one.arena
    assert arena_of(read(output)) == choice.best.arena
