"""What a user is told who lacks an optional package: in one line, with the extra that brings it."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import flawspot
from flawspot import extras
from flawspot.errors import FlawspotError, MissingPackageError
from flawspot.extras import EXTRAS, install_command, missing_package, require

ROOT = Path(__file__).parents[1]
IMPORTED_AS = {
    "pyyaml": "yaml",
    "opencv-python-headless": "cv2",
    "tflite-micro": "tflite_micro",
    "scikit-learn": "sklearn",
}
IMPORTED_AS |= {"python-multipart": "python_multipart", "prometheus-client": "prometheus_client", "paho-mqtt": "paho"}

HIDE = """
import os
from importlib.machinery import PathFinder
found = PathFinder.find_spec.__func__
def find_spec(cls, name, path=None, target=None):
    return None if name in os.environ["ABSENT"].split() else found(cls, name, path, target)
PathFinder.find_spec = classmethod(find_spec)
"""
"""Run by Python as it starts, in the processes that a command starts as well."""

GRID = """\
title: tiny
data: [{name: demo, layout: synthetic, categories: [washer], settings: {train: 12, size: 64}}]
backbones: [mobilenet_v2]
layers: ["1,2"]
methods: [padim]
input_size: 64
random_weights: true
"""


@pytest.fixture
def without(tmp_path, tiny_model, tiny_manifest, product_folder):
    """Run Python as if a package were not installed."""
    from flawspot.benchmark.record import DONE, Cell, Record
    from flawspot.benchmark.store import Store
    from flawspot.runtime.artifact import assemble

    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "sitecustomize.py").write_text(HIDE, encoding="utf-8")
    (tmp_path / "grid.yaml").write_text(GRID, encoding="utf-8")
    (tmp_path / "photos").symlink_to(product_folder)
    assemble(tiny_model, tiny_manifest).save(tmp_path / "tiny.onnx")
    with Store(tmp_path / "runs.sqlite") as store:
        store.claim("k")
        cell = Cell(
            data="demo", category="washer", backbone="mobilenet_v2", layers="1,2", method="padim", label="PaDiM"
        )
        store.finish(Record(key="k", status=DONE, cell=cell, metrics={"pixel_f1_max": 0.5}))

    def run(package, *arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "ABSENT": package, "PYTHONPATH": f"{tmp_path / 'start'}{os.pathsep}{ROOT / 'src'}"},
            check=False,
        )

    return run


TRAIN = "train photos -o new.onnx --method padim --random-weights --input-size 64"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "command"),
    [
        # onnxscript is needed only where a module is not flawspot's own.
        *((package, TRAIN) for package in EXTRAS["train"] if package != "onnxscript"),
        ("onnx", "costs --method padim --measure --data photos"),
        ("numba", "costs --method patchcore"),
        ("torch", "backbones"),
        ("platformdirs", "weights list"),
        ("platformdirs", "weights pull mobilenet_v2"),
        ("torch", "reproduce costs"),
        ("torch", "demo --out demo"),
        ("yaml", "benchmark plan grid.yaml --store new.sqlite"),
        ("psutil", "benchmark plan grid.yaml --store new.sqlite"),
        ("psutil", "benchmark list runs.sqlite"),
        ("ray", "benchmark run grid.yaml --store new.sqlite --engine ray"),
        ("pandas", "benchmark export runs.sqlite --out table.parquet"),
        ("pyarrow", "benchmark export runs.sqlite --out table.parquet"),
        *((package, "benchmark report runs.sqlite --out report") for package in ("matplotlib", "jinja2", "markupsafe")),
    ],
)
def test_a_command_names_the_package_and_the_extra(package, command, without):
    extra = next(extra for extra, packages in EXTRAS.items() if package in packages)
    done = without(package, "-m", "flawspot", *command.split())
    told = [line for line in done.stderr.splitlines() if not re.match(r"note: |.*, \d+ s", line)]
    assert done.returncode == 1, done.stderr
    assert len(told) == 1, done.stderr
    assert re.match(r"error: .* needs (\w+), which is not installed: run ", told[0])
    assert f" needs {package}," in told[0]
    assert told[0].endswith(f"run `{install_command(extra)}`")


def test_what_a_line_needs_goes_without_all_of_them(without):
    every = " ".join(package for packages in EXTRAS.values() for package in packages)
    commands = ("predict tiny.onnx photos/test/spot --out found", "info tiny.onnx", "evaluate tiny.onnx photos")
    for command in (*commands, "doctor tiny.onnx", "card tiny.onnx"):
        done = without(every, "-m", "flawspot", *command.split())
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["torch", "onnx", "platformdirs"])
def test_the_python_interface_says_the_same(package, without):
    done = without(package, "-c", "import flawspot; flawspot.train")
    last = done.stderr.splitlines()[-1]
    assert "MissingPackageError: flawspot.train needs " in last
    assert last.endswith(f"needs {package}, which is not installed: run `{install_command('train')}`")


def test_estimators_without_scikit_learn(without):
    done = without("sklearn", "-c", "import flawspot.sklearn")
    told = f"flawspot.sklearn needs sklearn, which is not installed: run `{install_command('sklearn')}`"
    assert done.stderr.splitlines()[-1].endswith(told)


def test_a_missing_package_is_both_kinds_of_error():
    with pytest.raises(MissingPackageError) as caught:
        raise missing_package(ModuleNotFoundError("no", name="yaml.reader"), "the grid") or AssertionError
    assert isinstance(caught.value, FlawspotError)
    assert isinstance(caught.value, ImportError)
    assert caught.value.name == "yaml"


def test_what_no_extra_brings_is_a_fault_of_flawspot(monkeypatch):
    assert missing_package(ModuleNotFoundError("no", name="flawspot.mistyped"), "this") is None
    assert missing_package(ModuleNotFoundError("no"), "this") is None
    monkeypatch.setitem(flawspot._HOMES, "load", "flawspot.mistyped")
    with pytest.raises(ModuleNotFoundError, match=r"flawspot\.mistyped"):
        _ = flawspot.load


def test_a_package_that_is_too_old_is_not_called_missing():
    error = ModuleNotFoundError("no", name="onnx._a_part_of_the_future")
    told = str(missing_package(error, "this command"))
    assert told.startswith("this command needs another onnx, this one has no onnx._a_part_of_the_future: ")
    assert told.endswith("run `pip install -U onnx`")


def test_away_from_a_checkout_both_ways_to_install_are_named(monkeypatch):
    """flawspot is in no public index: a copy of the repository may be all that there is."""
    monkeypatch.setattr(extras, "_sources", lambda: None)
    told = str(missing_package(ModuleNotFoundError("no", name="tflite_micro"), "an export to TFLite"))
    assert "run `pip install 'flawspot[tflite]'`, or in a copy of flawspot's repository" in told
    assert told.endswith("`pip install -c constraints.txt '.[tflite]'`")


def test_what_is_here_is_not_asked_for():
    require("onnx", "this")


def test_every_declared_extra_is_known():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for extra, packages in EXTRAS.items():
        names = {re.split(r"[<>=;\[ ]", line)[0].lower() for line in declared[extra]} - {"flawspot"}
        # What is imported by code of ours and brought by another package, such as markupsafe by jinja2.
        assert {IMPORTED_AS.get(name, name) for name in names} <= set(packages)


def test_from_a_checkout_pip_is_given_the_folder(monkeypatch, tmp_path):
    def placed(*names):
        path = tmp_path.joinpath(*names, "flawspot", "extras.py")
        path.parent.mkdir(parents=True)
        monkeypatch.setattr(extras, "__file__", str(path))

    placed("my checkout", "src")
    (tmp_path / "my checkout" / "pyproject.toml").write_text('[project]\nname = "flawspot"\n', encoding="utf-8")
    assert install_command("train") == f"pip install -e '{tmp_path / 'my checkout'}[train]'"
    placed("lib", "python3", "site-packages")
    assert install_command("ray") == "pip install 'flawspot[ray]'"
    placed("other", "src")  # copied into another project
    (tmp_path / "other" / "pyproject.toml").write_text('[project]\nname = "inspection"\n', encoding="utf-8")
    assert install_command("train") == "pip install 'flawspot[train]'"
    (tmp_path / "other" / "pyproject.toml").write_text("half a [", encoding="utf-8")
    assert install_command("train") == "pip install 'flawspot[train]'"
