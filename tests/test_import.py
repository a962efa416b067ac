"""The running half stands alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flawspot
from flawspot.runtime.artifact import assemble

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "onnx", "onnxscript", "numba", "sklearn", "scipy", "platformdirs", "pandas")


@pytest.fixture
def line(tmp_path, tiny_model, tiny_manifest):
    """An artifact and a photograph."""
    assemble(tiny_model, tiny_manifest).save(tmp_path / "part.onnx")
    Image.fromarray(np.full((9, 9, 3), 120, np.uint8)).save(tmp_path / "photo.png")
    return tmp_path


def imported(code: str, folder: Path) -> set[str]:
    """The top-level modules that `code` has imported by its end."""
    code += "\nimport sys, json; print(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_flawspot_imports_next_to_nothing(tmp_path):
    modules = imported("import flawspot", tmp_path)
    assert not modules & {*HEAVY, "numpy", "PIL", "onnxruntime", "typer", "rich"}


def test_importing_flawspot_is_quick(tmp_path):
    code = "import time; begin = time.perf_counter(); import flawspot; print(time.perf_counter() - begin)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    assert min(float(run.stdout) for run in runs) < 0.2


def test_predicting_needs_neither_torch_nor_onnx(line):
    code = "import flawspot; assert flawspot.load('part.onnx').predict('photo.png').is_anomalous"
    assert not imported(code, line) & set(HEAVY)


@pytest.mark.parametrize("command", ["predict part.onnx photo.png", "info part.onnx", "threshold part.onnx", "--help"])
def test_the_commands_of_the_running_half_need_neither(line, command):
    code = f"""
import sys; sys.argv = ["flawspot", *{command.split()!r}]
from flawspot.cli import main
try: main()
except SystemExit as end: assert not end.code
"""
    assert not imported(code, line) & set(HEAVY)


def test_names():
    assert {"train", "load", "evaluate", "Detector", "Prediction", "Region", "table"} <= set(dir(flawspot))
    assert all(getattr(flawspot, name) is not None for name in dir(flawspot))
    assert flawspot.__version__
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = flawspot.trian


@pytest.mark.slow
@pytest.mark.network
def test_an_environment_without_torch_and_onnx(line):
    """`pip install .` without extras, in an environment of its own."""
    venv = line / "bare environment"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(python), *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=line, env=environment, check=False)

    installed = run("-m", "pip", "install", "--quiet", "--constraint", str(ROOT / "constraints.txt"), str(ROOT))
    assert installed.returncode == 0, installed.stderr
    packages = {p["name"].lower() for p in json.loads(run("-m", "pip", "list", "--format", "json").stdout)}
    assert "onnxruntime" in packages
    assert not packages & {"torch", "onnx", "onnxscript", "numba", "scipy", "scikit-learn"}
    predicted = run("-c", "import flawspot; print(flawspot.load('part.onnx').predict('photo.png').score)")
    assert predicted.stdout.strip() == "120.0", predicted.stderr
    command = run("-m", "flawspot", "predict", "part.onnx", "photo.png", "--json", "--out", "found")
    assert json.loads(command.stdout)["is_anomalous"], command.stderr
    assert (line / "found" / "photo.jpg").exists()
    training = run("-m", "flawspot", "train", ".", "-o", "new.onnx")
    assert training.returncode == 1
    assert "pip install 'flawspot[train]'" in training.stderr
    assert training.stderr.count("\n") == 1
    # What it says works, though no package index knows flawspot: pip takes the extra from what is installed.
    constraints = ("--constraint", str(ROOT / "constraints.txt"))
    told = run("-m", "pip", "install", "--dry-run", "--quiet", "--report", "-", *constraints, "flawspot[train]")
    assert told.returncode == 0, told.stderr
    brought = {package["metadata"]["name"].lower() for package in json.loads(told.stdout)["install"]}
    assert {"torch", "onnx", "onnxscript", "numba", "platformdirs"} <= brought
