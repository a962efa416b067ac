"""Mistakes in the benchmark's commands: told in one line, before any work."""

import pytest

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
