"""A method in one file of somebody else's package: everything knows it, with no other file touched.

It is installed for processes of its own, so nothing of it is left here: the whole contract is run on it, and the
command line, the costs and the benchmark.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flawspot.methods.registry import methods

HERE = Path(__file__).parent
SOURCE = (HERE / "toy" / "toy_method.py").read_text(encoding="utf-8")
GRID = """\
title: tiny
data:
  - name: demo
    layout: synthetic
    categories: [washer]
    settings: {train: 12, test_good: 3, test_per_defect: 1, size: 64}
backbones: [mobilenet_v2]
layers: ["1,2"]
methods:
  - padim
  - {name: toy, settings: {strength: 2}}
seeds: [0]
input_size: 64
random_weights: true
"""


def install(folder: Path, name: str, source: str) -> None:
    """As pip would leave a package of one module that names itself under the entry point group."""
    (folder / f"{name}_method.py").write_text(source, encoding="utf-8")
    information = folder / f"{name}_method-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-method\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[flawspot.methods]\n{name} = {name}_method\n")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run Python where two methods are installed: ``toy``, and ``quiet``, which tells its costs only once fitted."""
    folder = tmp_path_factory.mktemp("installed")
    install(folder, "toy", SOURCE)
    quiet = SOURCE.replace('"toy"', '"quiet"').replace(
        "def planned_parts(self, shapes: Shapes) -> list[Part]:",
        "def parts(self) -> list[Part]:\n        shapes = self.shapes_",
    )
    install(folder, "quiet", quiet[: quiet.index("    def training_costs")] + quiet[quiet.index("class ToyHead") :])
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}

    def run(*arguments: object, code: int = 0) -> tuple[str, str]:
        command = [sys.executable, "-m", *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False, timeout=600
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout, done.stderr

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", ["toy", "quiet"])
def test_the_whole_contract_holds_for_it(run, name):
    files = ["methods/test_contract.py", "methods/test_planned_costs.py", "costs/test_configuration.py"]
    out, _ = run("pytest", "-p", "no:cacheprovider", "-k", name, *(HERE.parent / file for file in files))
    assert int(re.search(r"(\d+) passed", out)[1]) >= 15
    assert "skipped" not in out


def test_the_tests_of_all_backbones_take_it_in(run):
    run("pytest", "-p", "no:cacheprovider", "-k", "covers_all_pairs", HERE / "test_backbones.py")


@pytest.mark.slow
def test_the_command_line_lists_it(run):
    listed = json.loads(run("flawspot", "methods", "--json")[0])["methods"]
    assert {method["method"] for method in listed} == {*methods(), "toy", "quiet"}
    text, _ = run("flawspot", "methods", "toy")
    assert "Distance to the mean at each position." in text
    assert "Nobody, 2026" in text
    told = json.loads(run("flawspot", "methods", "toy", "--json")[0])
    assert told["hyperparameters"] == [
        {
            "name": "strength",
            "type": "float",
            "default": 1.0,
            "allowed": "above 0 and at most 10",
            "high": 10,
            "above": 0,
            "description": "what distances are multiplied with.",
        },
        {
            "name": "channels",
            "type": "int",
            "default": 12,
            "allowed": "at least 1",
            "low": 1,
            "description": "how many are kept, chosen by the seed; never more than there are.",
        },
    ]
    _, error = run("flawspot", "costs", "--method", "toy", "--set", "strength=nan", code=1)
    assert "strength must be above 0 and at most 10, not nan" in error


@pytest.mark.slow
def test_its_costs_are_told_before_and_after(run, product_folder, tmp_path):
    planned = json.loads(run("flawspot", "costs", "--method", "toy", "--input-size", 64, "--json")[0])
    assert [part["name"] for part in planned["parts"]] == ["backbone", "mean", "smoothing"]
    assert [item["name"] for item in planned["training"]["items"]] == ["cached features", "sum"]
    assert planned["paper_bytes"] is None
    _, error = run("flawspot", "costs", "--method", "quiet", code=1)
    assert "the costs of quiet are known once it is fitted" in error
    options = ["--random-weights", "--input-size", 64, "--set", "channels=12"]
    for name in ("toy", "quiet"):
        file = tmp_path / f"{name}.onnx"
        run("flawspot", "train", product_folder, "-o", file, "--method", name, *options)
        after = json.loads(run("flawspot", "costs", file, "--json")[0])
        assert after["parts"] == planned["parts"]


@pytest.mark.slow
def test_the_benchmark_plans_it_runs_it_and_reports_it(run, tmp_path):
    grid, store, report = tmp_path / "tiny.yaml", tmp_path / "runs.sqlite", tmp_path / "report"
    grid.write_text(GRID, encoding="utf-8")
    plan = json.loads(run("flawspot", "benchmark", "plan", grid, "--store", store, "--json")[0])
    assert [method["label"] for method in plan["methods"]] == ["padim", "toy"]
    assert all(method["memory_bytes"] > 0 for method in plan["methods"])
    assert json.loads(run("flawspot", "benchmark", "run", grid, "--store", store, "--json")[0])["done"] == 2
    run("flawspot", "benchmark", "report", store, "--out", report)
    page = next(report.rglob("*.html")).read_text(encoding="utf-8")
    assert re.search(r">\s*toy\s*<", page)


def test_nothing_of_it_is_left_here():
    assert not {"toy", "quiet"} & set(methods())
