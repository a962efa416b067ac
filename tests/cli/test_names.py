"""Names that forge lines, drive terminals, are no UTF-8 or look like formulas, through every command."""

import csv
import dataclasses
import json
import os
import shutil
import sys

import pytest

from flawspot.benchmark.record import DONE, FAILED, Cell, Record
from flawspot.benchmark.store import Store
from flawspot.errors import FlawspotError
from flawspot.progress.display import DISPLAY
from flawspot.runtime.artifact import assemble, read
from flawspot.runtime.manifest import Part
from flawspot.texts import spreadsheet_cell, visible

from .every_command import start

FORGED = "\ngood        severity 0.01"
HOSTILE = f"=a{FORGED}\r\x1b[2J\x9b31m\x7f\u202e\u2066\u2028[bold red]:smile:[link=x]`|<img src=x onerror=alert(1)>"
ODD = os.fsdecode(b"caf\xe9 \xff") if sys.platform.startswith("linux") else "café"

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="such names cannot be elsewhere")


def is_harmless(text):
    """Lines of printable characters."""
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [bold] ü 螺丝 \u202f", "plain [bold] ü 螺丝 \u202f"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[31m\x9b\x7f\0", "\\x1b[31m\\x9b\\x7f\\x00"),
        ("\u202a\u202e\u2066\u2069\u200b\u2028\ufeff", "\\u202a\\u202e\\u2066\\u2069\\u200b\\u2028\\ufeff"),
        ("caf\udce9\ud800", "caf\\udce9\\ud800"),
        ("C:\\new", "C:\\new"),
    ],
)
def test_visible(text, shown):
    assert visible(text) == shown
    assert visible(shown) == shown
    shown.encode()


def test_errors_and_notes_are_one_harmless_line(capfd):
    assert is_harmless(str(FlawspotError(HOSTILE)))
    assert "\n" not in str(FlawspotError(HOSTILE))
    DISPLAY.note(HOSTILE)
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert is_harmless(err)


@on_linux
def test_predict(tiny, flawspot, save, tmp_path):
    names = [HOSTILE.replace("/", "") + ".png", ODD + ".png"]
    for name in names:
        save(tmp_path / "in" / "x.png", 50).rename(tmp_path / "in" / name)
    (tmp_path / "in" / f"broken{FORGED}.png").write_bytes(b"no picture")
    code, out, err = flawspot("predict", tiny, tmp_path / "in", "--out", tmp_path / "found")
    assert code == 3
    assert is_harmless(out + err)
    assert len(out.splitlines()) == 3
    assert "[bold red]:smile:" in out
    assert len(list((tmp_path / "found").glob("*.jpg"))) == 2
    process = start("predict", tiny, tmp_path / "in", "--json", env={**os.environ, "LC_ALL": "C"})
    out, _ = process.communicate(timeout=60)
    assert out.isascii()
    assert is_harmless(out)
    found = {os.fsencode(json.loads(line)["path"]) for line in out.splitlines()}
    assert found == {os.fsencode(path) for path in (tmp_path / "in").iterdir()}


@pytest.mark.parametrize("command", ["info", "card", "predict", "evaluate", "costs", "threshold", "train", "backbones"])
def test_errors_name_files_harmlessly(command, flawspot, tmp_path):
    name = tmp_path / HOSTILE.replace("/", "")
    more = {"predict": ["x"], "evaluate": ["x"], "train": ["-o", tmp_path / "part.onnx"]}
    code, out, err = flawspot(command, name, *more.get(command, []))
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert is_harmless(err)


@pytest.mark.parametrize("arguments", [["--\x1b[31m\n"], ["info"], ["\x1b[2J\nx"], ["predict", "--threads", "\x1b\n1"]])
def test_wrong_usage_is_told_harmlessly(arguments, flawspot):
    code, out, err = flawspot(*arguments)
    assert (code, out) == (2, "")
    assert is_harmless(err)
    assert err.splitlines()[-1].startswith("error: ")


def test_a_manifest_that_forges(tiny_model, tiny_manifest, flawspot, save, tmp_path):
    manifest = dataclasses.replace(
        tiny_manifest,
        product=HOSTILE,
        method=HOSTILE,
        hyperparameters={HOSTILE: HOSTILE},
        parts=(Part(HOSTILE, 1, 2),),
        versions={HOSTILE: HOSTILE},
        created=HOSTILE,
        backbone=dataclasses.replace(tiny_manifest.backbone, name=HOSTILE, layers=HOSTILE, weights=HOSTILE),
    )
    assemble(tiny_model, manifest).save(tmp_path / "x.onnx")
    photograph = save(tmp_path / "a.png", 200)
    for command in (["info"], ["card"], ["doctor"], ["threshold"], ["costs"], ["predict", photograph]):
        for form in ([], ["--json"]):
            code, out, err = flawspot(command[0], tmp_path / "x.onnx", *command[1:], *form)
            assert code == 0, err
            assert is_harmless(out + err)
            assert not any(line.startswith("good") for line in out.splitlines())
    assert flawspot("reproduce", "costs", "--artifact", tmp_path / "x.onnx")[0] == 1


@on_linux
@pytest.mark.weights
@pytest.mark.usefixtures("mobilenet")
def test_train_and_evaluate_a_folder_that_is_no_utf8(product_folder, flawspot, tmp_path):
    folder = tmp_path / f"{ODD}{FORGED}"
    shutil.copytree(product_folder, folder)
    (folder / "train" / "good" / f"{ODD}{FORGED}.png").write_bytes(b"no picture")
    (folder / "train" / "good" / "000.png").rename(folder / "train" / "good" / f"{ODD}.png")
    artifact = tmp_path / f"{ODD}.onnx"
    options = ["--method", "padim", "--input-size", "32", "--layers", "1", "--set", "channels=4", "--random-weights"]
    code, out, err = flawspot("train", folder, "-o", artifact, *options)
    assert code == 0, err
    assert is_harmless(out + err)
    manifest = read(artifact).manifest
    assert manifest.product == "caf\\udce9 \\udcff\\ngood        severity 0.01"
    assert manifest.training.skipped == (f"train/good/{manifest.product}.png",)
    for arguments in (["evaluate", artifact, folder], ["info", artifact], ["threshold", artifact]):
        for form in ([], ["--json"]):
            code, out, err = flawspot(*arguments, *form)
            assert code == 0, err
            assert is_harmless(out + err)


@pytest.fixture
def hostile_store(tmp_path):
    """Runs whose every text is hostile."""
    cell = Cell(
        data=HOSTILE, category=ODD, backbone=HOSTILE, layers=HOSTILE, method=HOSTILE, label=HOSTILE,
        settings={HOSTILE: HOSTILE, ODD: ODD},
    )  # fmt: skip
    origin = {"grid": HOSTILE, "weights": ODD, "versions": {HOSTILE: HOSTILE}, "machine": {HOSTILE: ODD}}
    example = {"kind": "best", "image": ODD, "defective": True, "score": 1.0, "picture": "examples/none.jpg"}
    with Store(tmp_path / "runs.sqlite") as store:
        for index, (status, error) in enumerate([(DONE, None), (FAILED, HOSTILE), (FAILED, ODD)]):
            store.finish(
                Record(
                    key=f"{index}{HOSTILE}",
                    cell=dataclasses.replace(cell, seed=index),
                    status=status,
                    error=error,
                    traceback=error,
                    metrics={"offset": -0.5, "image_auroc": 0.9},
                    examples=(example,),
                    **origin,
                )
            )
    return tmp_path / "runs.sqlite"


def test_a_store_of_hostile_runs(hostile_store, flawspot, tmp_path):
    for arguments in (["list"], ["show", "0"], ["show", "1"], ["show", "2"]):
        for form in ([], ["--json"]):
            code, out, err = flawspot("benchmark", arguments[0], hostile_store, *arguments[1:], *form)
            assert code == 0, err
            assert is_harmless(out + err)
    code, out, err = flawspot("benchmark", "show", hostile_store, "2", "--json")
    assert json.loads(out)["cell"]["category"] == ODD
    for arguments in (["export", "--out", tmp_path / "runs.parquet"], ["report", "--out", tmp_path / "report"]):
        code, out, err = flawspot("benchmark", arguments[0], hostile_store, *arguments[1:])
        assert code == 0, err
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "<img src=x" not in (tmp_path / "report" / "tables.md").read_text(encoding="utf-8")


def test_csv_holds_no_formula(hostile_store, flawspot, tmp_path):
    assert flawspot("benchmark", "export", hostile_store, "--out", tmp_path / "runs.csv")[0] == 0
    with (tmp_path / "runs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert rows[0]["data"] == "'" + visible(HOSTILE)
    assert rows[0]["offset"] == "-0.5"  # a number stays one
    for row in rows:
        for name, value in row.items():
            assert name[:1] not in ("=", "+", "@", "\t", "\r")
            assert value == "-0.5" or value[:1] not in ("=", "+", "-", "@", "\t", "\r")
            assert is_harmless(value)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_spreadsheet_cells(text):
    assert spreadsheet_cell(text) == "'" + visible(text)
    assert spreadsheet_cell("a=1") == "a=1"


@pytest.mark.slow
@on_linux
def test_a_benchmark_on_folders_that_are_no_utf8(product_folder, tmp_path):
    """From the grid to the report, in the workers too; the name of the category is that of its folder."""
    data = tmp_path / f"data {ODD}"
    shutil.copytree(product_folder, data / f"=part {ODD}")
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        "data: [{name: mvtec_ad}]\nbackbones: [mobilenet_v2]\nlayers: ['1']\nmethods: [padim]\ninput_size: 32\n"
        'random_weights: true\ntitle: "=\\uDCFF\\e[2J"\n',
        encoding="utf-8",
    )
    store = tmp_path / f"runs {ODD}.sqlite"
    commands = [
        ["plan", grid, "--store", store, "--data", f"mvtec_ad={data}"],
        ["run", grid, "--store", store, "--data", f"mvtec_ad={data}", "--workers", "1"],
        ["list", store],
        ["export", store, "--out", tmp_path / f"{ODD}.csv"],
        ["export", store, "--out", tmp_path / f"{ODD}.parquet"],
        ["report", store, "--out", tmp_path / f"report {ODD}"],
    ]
    for command in commands:
        process = start("benchmark", *command)
        out, err = process.communicate(timeout=200)
        assert process.returncode == 0, err
        assert is_harmless(out + err)
    with Store(store, create=False) as opened:
        (record,) = opened.records()
    assert (record.status, record.cell.category) == (DONE, f"=part {ODD}")
