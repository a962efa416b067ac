"""Running commands, and artifacts to run them on."""

import json
import logging
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawspot.backbones.registry import family
from flawspot.backbones.weights import find
from flawspot.benchmark.record import DONE, Cell, Record
from flawspot.benchmark.store import Store
from flawspot.cli import main
from flawspot.progress.display import DISPLAY
from flawspot.runtime.artifact import assemble, read
from flawspot.runtime.signature import make_key, sign
from flawspot.spinning import SPINS, VARIABLE

from ..export.graphs import artifact
from ..serve.written import station


@pytest.fixture(scope="session")
def mobilenet():
    """For tests that train: skipped where MobileNetV2's weights are not at hand."""
    if find("mobilenet_v2", family("mobilenet_v2").weights) is None:
        pytest.skip("flawspot weights pull mobilenet_v2")


@pytest.fixture
def flawspot(capsys, monkeypatch):
    """Run a command in this process: (exit code, standard output, standard error)."""
    # What the command line changes in its own process is put back afterwards.
    for owner, hook in (
        (sys, "excepthook"),
        (sys, "unraisablehook"),
        (threading, "excepthook"),
        (logging, "lastResort"),
        (warnings, "showwarning"),
    ):
        monkeypatch.setattr(owner, hook, getattr(owner, hook))
    monkeypatch.setenv(VARIABLE, SPINS)  # so that it is put back
    monkeypatch.delenv(VARIABLE)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["flawspot", *map(str, arguments)])
        DISPLAY.clear()  # a command is a process of its own: it does not go on with the work of the last one
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def trained(mobilenet, product_folder, tmp_path_factory):
    """A PaDiM artifact of the small part, made by the command line in a process of its own, and what that printed."""
    path = tmp_path_factory.mktemp("cli") / "small part.onnx"
    command = [sys.executable, "-m", "flawspot", "train", str(product_folder), "-o", str(path)]
    command += ["--method", "padim", "--input-size", "64", "--set", "channels=20", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path, json.loads(done.stdout)


@pytest.fixture
def tiny(tmp_path, tiny_model, tiny_manifest):
    """An artifact that needs no training; above grey level 100 in the first 8 x 8 pixels is anomalous."""
    path = tmp_path / "tiny.onnx"
    assemble(tiny_model, tiny_manifest).save(path)
    return path


@pytest.fixture
def small(tmp_path, tiny_manifest):
    """An artifact that has convolutions, and needs no training."""
    path = tmp_path / "small.onnx"
    artifact(tiny_manifest).save(path)
    return path


GRID = """\
title: tiny
data:
  - name: demo
    layout: synthetic
    categories: [washer]
    settings: {train: 12, test_good: 3, test_per_defect: 1, size: 64}
backbones: [mobilenet_v2]
layers: ["1"]
methods:
  - padim
input_size: 64
random_weights: true
"""


@pytest.fixture
def grid(tmp_path):
    """A grid of one run."""
    path = tmp_path / "tiny.yaml"
    path.write_text(GRID, encoding="utf-8")
    return path


@pytest.fixture
def store(tmp_path):
    """A store of benchmark runs that holds one, whose key is k."""
    cell = Cell(data="d", category="c", backbone="b", layers="equiv", method="padim", label="padim")
    with Store(tmp_path / "some.sqlite") as opened:
        opened.finish(Record(key="k", cell=cell, status=DONE, metrics={"pixel_f1_max": 0.5, "image_auroc": 0.9}))
    return tmp_path / "some.sqlite"


@pytest.fixture(scope="session")
def updatable(tmp_path_factory):
    """The file of a detector that can be updated, with its state beside it."""
    import flawspot

    place = tmp_path_factory.mktemp("updatable")
    generator = np.random.default_rng(11)
    (place / "good").mkdir()
    for number in range(12):
        pixels = np.clip(generator.normal(120, 20, (40, 40, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(place / "good" / f"{number}.png")
    flawspot.train(
        place / "good",
        method="padim",
        settings={"channels": 4},
        layers=(1,),
        random_weights=True,
        input_size=32,
        state=True,
        false_alarm_rate=0.2,
        output=place / "part.onnx",
        progress=False,
    )
    return place / "part.onnx"


@pytest.fixture
def places(tiny, small, updatable, product_folder, grid, store, save, tmp_path):
    """What the arguments of `every_command.ARGUMENTS` name."""
    key, signed = tmp_path / "key", tmp_path / "signed.onnx"
    make_key(key)
    sign(read(tiny), key).save(signed)
    return {
        "tiny": tiny,
        "signed": signed,
        "key": key,
        "small": small,
        "updatable": updatable,
        "photograph": save(tmp_path / "a.png", 50),
        "data": product_folder,
        "grid": grid,
        "store": store,
        "station": station(tmp_path / "station"),
        "new": tmp_path / "new",
    }


@pytest.fixture(scope="session")
def save():
    """``save(path, level, size)``: write a photograph of one red level, folders included."""

    def write_photograph(path: Path, level: int, size: tuple[int, int] = (20, 16)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (level, 0, 0)).save(path)
        return path

    return write_photograph
