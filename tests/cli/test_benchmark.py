"""Mistakes in the benchmark's commands: told in one line, before any work."""

import json

import pytest

from flawspot.benchmark.record import DONE, FAILED
from flawspot.benchmark.run_grid import cells_of
from flawspot.benchmark.store import Store
from flawspot.benchmark.task_list import prepare

from .conftest import GRID


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("run {wrong} --store {store}", "wrong.yaml, line 10: unknown method 'padin'"),
        ("plan {none} --store {store}", "cannot read"),
        ("plan {grid} --store {store} --data demo", "--data takes NAME=FOLDER"),
        ("plan {grid} --store {store} --data other=x", "no data called 'other'"),
        ("run {grid} --store {store} --engine cloud", "unknown engine 'cloud': the known ones are local, ray"),
        ("export {none} --out {store}", "there is no store"),
    ],
)
def test_mistakes_are_told_in_one_line(line, says, grid, flawspot, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(GRID.replace("padim", "padin"), encoding="utf-8")
    places = {"wrong": wrong, "grid": grid, "none": tmp_path / "none.yaml", "store": tmp_path / "runs.sqlite"}
    code, out, err = flawspot("benchmark", *(word.format(**places) for word in line.split()))
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_wrong_grid_leaves_no_store(command, flawspot, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(GRID.replace("padim", "padin"), encoding="utf-8")
    assert flawspot("benchmark", command, wrong, "--store", tmp_path / "new" / "runs.sqlite")[0] == 1
    assert list(tmp_path.iterdir()) == [wrong]


def test_runs_that_have_failed_before_are_told_with_their_cure(grid, flawspot, tmp_path):
    store = tmp_path / "runs.sqlite"
    grid.write_text(GRID + "seeds: [0, 1, 2]\n", encoding="utf-8")
    with Store(store) as opened:
        for task, status in zip(prepare(*cells_of(str(grid)), opened), (DONE, FAILED, FAILED), strict=True):
            opened.finish(task.record(status))
    code, out, _ = flawspot("benchmark", "run", grid, "--store", store)
    assert code == 0
    assert out.splitlines()[:2] == [
        "done     0, and 1 before",
        "failed   0, and 2 before, see `flawspot benchmark list`; --retry-failed runs them again",
    ]
    told = json.loads(flawspot("benchmark", "run", grid, "--store", store, "--json")[1])
    assert (told["done"], told["done_before"], told["failed"], told["failed_before"]) == (0, 1, 0, 2)
