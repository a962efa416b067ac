"""The command line as its users meet it: output, exit codes, and mistakes told in one line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from flawspot.backbones.registry import family
from flawspot.backbones.weights import find
from flawspot.cli import main
from flawspot.runtime.artifact import write

needs_weights = pytest.mark.skipif(
    find("mobilenet_v2", family("mobilenet_v2").weights) is None, reason="flawspot weights pull mobilenet_v2"
)


@pytest.fixture
def flawspot(capsys, monkeypatch):
    """Run a command in this process: (exit code, standard output, standard error)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["flawspot", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def trained(product_folder, tmp_path_factory):
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
    write(path, tiny_model, tiny_manifest)
    return path


def save(path: Path, level: int, size: tuple[int, int] = (20, 16)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, 0, 0)).save(path)
    return path


@needs_weights
@pytest.mark.weights
class TestTrained:
    def test_train_prints_artifact_seconds_and_manifest(self, trained):
        path, printed = trained
        assert list(printed) == ["artifact", "seconds", "manifest"]
        assert printed["artifact"] == str(path)
        assert printed["manifest"]["hyperparameters"]["channels"] == 20
        assert printed["manifest"]["training"]["images"] == 19

    def test_train_from_kept_features(self, product_folder, flawspot, tmp_path, monkeypatch):
        """Broken off while the student trains, it leaves the features, and the next run starts from them."""
        command = ["train", product_folder, "-o", tmp_path / "part.onnx", "--method", "paste", "--input-size", "64"]
        command += ["--cache", tmp_path / "kept features", "--cache-dtype", "float16", "--set", "epochs=1", "--json"]

        def interrupted(*_, **__):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("flawspot.methods.stfpm.paste.PaSTe.fit", interrupted)
            code, out, err = flawspot(*command, "--recipe", "paper")
        assert (code, out) == (130, "")
        assert "features are kept in" in err
        assert [path.name for path in tmp_path.iterdir()] == ["kept features"]
        kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "kept features").iterdir()}
        assert len(kept) == 4
        code, out, _ = flawspot(*command, "--recipe", "paper")
        assert code == 0
        used = json.loads(out)["manifest"]["hyperparameters"]
        assert (used["recipe"], used["batch_size"], used["learning_rate"]) == ("paper", 32, 0.4)
        assert kept == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "kept features").iterdir()}
        code, _, err = flawspot(*command, "--recipe", "slow")
        assert code == 1
        assert "the known ones are paper, fast" in err

    def test_evaluate(self, trained, product_folder, flawspot):
        code, out, _ = flawspot("evaluate", trained[0], product_folder, "--json")
        assert code == 0
        figures = json.loads(out)
        wanted = [
            "image_auroc",
            "image_ap",
            "image_f1_max",
            "pixel_auroc",
            "pixel_ap",
            "pixel_f1_max",
            "pixel_aupro",
            "image_f1",
            "image_precision",
            "image_recall",
            "image_false_alarm_rate",
        ]
        assert set(wanted) <= figures.keys()
        assert figures["images"] == 8
        assert figures["image_auroc"] == 1.0
        code, out, _ = flawspot("evaluate", trained[0], product_folder)
        assert code == 0
        assert "4 good, 4 defective" in out
        assert "F1 max" in out

    def test_predict(self, trained, product_folder, flawspot, tmp_path):
        code, out, _ = flawspot("predict", trained[0], product_folder / "test", "--json", "--out", tmp_path / "found")
        assert code == 0
        lines = [json.loads(line) for line in out.splitlines()]
        assert len(lines) == 8
        assert {"path", "score", "p_value", "is_anomalous", "seconds"} <= lines[0].keys()
        assert all(line["is_anomalous"] for line in lines if "spot" in line["path"])
        pictures = sorted(p.relative_to(tmp_path / "found").as_posix() for p in (tmp_path / "found").rglob("*.png"))
        assert pictures == [f"{kind}/{i:03}.png" for kind in ("good", "spot") for i in range(4)]
        assert Image.open(tmp_path / "found" / "spot" / "000.png").width > 300

    def test_info(self, trained, flawspot):
        code, out, _ = flawspot("info", trained[0])
        assert code == 0
        for part in ("small part", "padim (channels=20", "[3, 8, 14]", "19 to learn from", "cost: total", "intact"):
            assert part in out
        assert json.loads(flawspot("info", trained[0], "--json")[1]) == trained[1]["manifest"]

    def test_a_mask_of_another_size(self, trained, product_folder, flawspot, tmp_path):
        folder = shutil.copytree(product_folder, tmp_path / "part")
        save(folder / "ground_truth" / "spot" / "001_mask.png", 255, (10, 10))
        code, _, err = flawspot("evaluate", trained[0], folder)
        assert code == 1
        assert "001_mask.png is 10 x 10 pixels" in err


class TestPredict:
    def test_lines_for_people(self, tiny, flawspot, tmp_path):
        save(tmp_path / "in" / "a.png", 50)
        save(tmp_path / "in" / "b.png", 200)
        code, out, err = flawspot("predict", tiny, tmp_path / "in")
        assert code == 0
        first, second = out.splitlines()
        assert first.startswith("good")
        assert first.endswith("a.png")
        assert second.startswith("anomalous")
        assert "2 photographs: 1 anomalous, 1 good" in err

    def test_files_folders_and_patterns_each_photograph_once(self, tiny, flawspot, tmp_path):
        one = save(tmp_path / "in" / "1.png", 10)
        save(tmp_path / "in" / "sub" / "2.PNG", 10)
        save(tmp_path / "in" / "10.png", 10)
        _, out, _ = flawspot("predict", tiny, tmp_path / "in", one, tmp_path / "in" / "*.png", "--json")
        names = [Path(json.loads(line)["path"]).name for line in out.splitlines()]
        assert sorted(names) == ["1.png", "10.png", "2.PNG"]
        assert names.index("1.png") < names.index("10.png")

    def test_what_cannot_be_read_does_not_stop_a_batch(self, tiny, flawspot, tmp_path):
        good, broken = save(tmp_path / "a.png", 10), save(tmp_path / "b.png", 10)
        broken.write_bytes(broken.read_bytes()[:40])
        code, out, err = flawspot("predict", tiny, good, broken, tmp_path / "missing.png", "--json")
        assert code == 3
        lines = [json.loads(line) for line in out.splitlines()]
        assert "score" in lines[0]
        assert "b.png" in lines[1]["error"]
        assert "there is no such file" in lines[2]["error"]
        assert "2 of 3 files could not be read" in err

    def test_anomalies_can_end_with_a_code_of_their_own(self, tiny, flawspot, tmp_path):
        assert flawspot("predict", tiny, save(tmp_path / "a.png", 200), "--fail-on-anomaly")[0] == 4
        assert flawspot("predict", tiny, save(tmp_path / "b.png", 20), "--fail-on-anomaly")[0] == 0

    def test_pictures_never_replace_photographs_or_each_other(self, tiny, flawspot, tmp_path):
        photograph = save(tmp_path / "a.png", 200)
        before = photograph.read_bytes()
        other = save(tmp_path / "other" / "a.png", 20)
        code, _, _ = flawspot("predict", tiny, photograph, other, "--out", tmp_path)
        assert code == 0
        assert photograph.read_bytes() == before
        assert sorted(p.name for p in tmp_path.glob("*.png")) == ["a.png", "a_2.png", "a_3.png"]

    def test_fast_jpeg_keeps_boxes_and_pictures_in_pixels_of_the_photograph(self, tiny, flawspot, tmp_path):
        photograph = save(tmp_path / "a.jpg", 200, (640, 512))
        whole = json.loads(flawspot("predict", tiny, photograph, "--json")[1])
        fast = json.loads(flawspot("predict", tiny, photograph, "--json", "--fast-jpeg", "--out", tmp_path / "out")[1])
        assert fast["boxes"] == whole["boxes"] == [[0, 0, 640, 512]]
        assert Image.open(tmp_path / "out" / "a.png").width > 640

    def test_nothing_to_predict(self, tiny, flawspot, tmp_path):
        (tmp_path / "empty").mkdir()
        assert flawspot("predict", tiny, tmp_path / "empty")[0] == 1
        code, _, err = flawspot("predict", tiny, tmp_path / "*.webp")
        assert code == 1
        assert "no file matches" in err


class TestThreshold:
    def test_show(self, tiny, flawspot):
        code, out, _ = flawspot("threshold", tiny, "--json")
        assert code == 0
        assert json.loads(out)["threshold"] == 100.0

    def test_change(self, tiny, flawspot, tmp_path):
        photograph = save(tmp_path / "a.png", 85)
        assert "good" in flawspot("predict", tiny, photograph)[1]
        code, out, _ = flawspot("threshold", tiny, "--false-alarm-rate", 0.6, "--json")
        assert code == 0
        assert json.loads(out)["threshold"] == 80.0
        assert "anomalous" in flawspot("predict", tiny, photograph)[1]

    def test_more_than_the_images_can_promise(self, tiny, flawspot):
        code, out, err = flawspot("threshold", tiny, "--false-alarm-rate", 0.001)
        assert code == 0
        assert "4 held-out good images can promise a false-alarm rate of 0.2" in err
        assert "0.2 (asked: 0.001)" in out

    def test_a_rate_out_of_range_leaves_the_file(self, tiny, flawspot):
        before = tiny.read_bytes()
        assert flawspot("threshold", tiny, "--false-alarm-rate", 1.5)[0] == 1
        assert tiny.read_bytes() == before


class TestWeights:
    def test_list(self, flawspot, monkeypatch, tmp_path):
        monkeypatch.setenv("FLAWSPOT_CACHE", str(tmp_path))
        monkeypatch.delenv("FLAWSPOT_WEIGHTS_PATH", raising=False)
        code, out, _ = flawspot("weights", "list", "--json")
        assert code == 0
        rows = json.loads(out)["weights"]
        assert {"imagenet1k_v1", "imagenet1k_v2", "imagenet1k_tonylins"} <= {row["weights"] for row in rows}
        assert not any(row["path"] for row in rows)
        assert "mobilenet_v2" in flawspot("weights", "list")[1]

    def test_path(self, flawspot, monkeypatch, tmp_path):
        monkeypatch.setenv("FLAWSPOT_CACHE", str(tmp_path))
        monkeypatch.delenv("FLAWSPOT_WEIGHTS_PATH", raising=False)
        assert flawspot("weights", "path")[1].strip() == str(tmp_path / "weights")
        code, _, err = flawspot("weights", "path", "mobilenet_v2")
        assert code == 1
        assert "flawspot weights pull mobilenet_v2" in err


def test_backbones(flawspot):
    code, out, _ = flawspot("backbones", "--json")
    assert code == 0
    rows = {row["backbone"]: row for row in json.loads(out)["backbones"]}
    assert rows["mobilenet_v2"]["macs"] == 299_494_272
    assert rows["wide_resnet50_2"]["layer_groups"] == {"equiv": [1, 2, 3]}
    assert "phinet" in flawspot("backbones")[1]
    layers = json.loads(flawspot("backbones", "mobilenet_v2", "--json")[1])["layers"]
    # As section 4.5 of the PaSTe paper has it; its 43.78 counts the batch norms' parameters too.
    assert [round(layers[tap]["percent"], 2) for tap in (3, 8, 14)] == [25.31, 43.79, 75.28]
    code, _, err = flawspot("backbones", "resnet")
    assert code == 1
    assert "the known ones are" in err


def test_backbones_tells_what_layers_stand_for(flawspot):
    code, out, _ = flawspot("backbones", "mobilenet_v2", "--layers", "equiv:wide_resnet50_2", "--json")
    assert code == 0
    printed = json.loads(out)
    assert [layer["index"] for layer in printed["layers"]] == [3, 8, 14]
    assert printed["equivalent"]["reference_taps"] == [1, 2, 3]
    code, out, _ = flawspot("backbones", "mobilenet_v2", "--layers", "equiv:wide_resnet50_2")
    assert "25.31 / 43.79 / 75.28 % of the MACs for 18.39 / 43.64 / 80.61" in out
    assert flawspot("backbones", "--layers", "equiv")[0] == 2


def test_reproduce_costs(flawspot):
    code, out, _ = flawspot("reproduce", "costs", "--json")
    assert code == 0
    figures = json.loads(out)["figures"]
    assert len(figures) == 26
    assert {"paper", "computed", "honest", "difference_percent"} <= figures[0].keys()
    code, out, _ = flawspot("reproduce", "costs")
    assert code == 0
    assert "2410.11591" in out


def test_reproduce_costs_takes_only_detectors_of_the_table(tiny, flawspot):
    code, _, err = flawspot("reproduce", "costs", "--artifact", tiny)
    assert code == 1
    assert "is no PatchCore of the paper's table 3" in err


def test_costs_of_a_configuration(flawspot):
    asked = ("costs", "--method", "patchcore", "--layers", "equiv", "--set", "bank_size=30000")
    code, out, _ = flawspot(*asked, "--json")
    assert code == 0
    printed = json.loads(out)
    assert [part["name"] for part in printed["parts"]] == ["backbone", "memory bank", "smoothing"]
    assert printed["paper_macs"] == 225_468_992
    assert printed["macs"] == pytest.approx(225.5e6 + 23.3e9, rel=0.01)
    assert printed["training"]["ram"] > 0
    code, out, _ = flawspot(*asked)
    assert code == 0
    for part in ("memory bank", "float16", "by the paper", "training, predicted"):
        assert part in out


def test_costs_of_an_artifact(tiny, flawspot):
    code, out, err = flawspot("costs", tiny, "--json")
    assert code == 0
    printed = json.loads(out)
    assert printed["parts"] == [{"name": "backbone", "bytes": 10, "macs": 20}]
    # Its hyperparameters are none that this flawspot knows.
    assert printed["paper_macs"] is None
    assert "of another flawspot" in err
    assert "backbone" in flawspot("costs", tiny)[1]


def test_measured_costs_of_an_artifact(tiny, flawspot, monkeypatch):
    monkeypatch.setattr("flawspot.measuring.processes.RUNS", 3)
    code, out, err = flawspot("costs", tiny, "--measure", "--json")
    assert code == 0
    measured = json.loads(out)["measured"]
    assert [run["threads"] for run in measured["detector"]] == [1, None]
    assert measured["backbone"][0]["p50_ms"] > 0
    assert "measured on noise" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--measure"], "give photographs with --data"),
        (["--data", "x"], "--data goes with --measure"),
        (["--layers", "0,7"], "choose layers of at least 1"),
        (["--set", "share"], "--set takes NAME=VALUE"),
        (["nowhere.onnx"], "there is no file"),
    ],
)
def test_mistakes_about_costs(arguments, message, flawspot):
    code, _, err = flawspot("costs", *arguments)
    assert code == 1
    assert message in err


def test_version_and_help(flawspot):
    code, out, _ = flawspot("--version")
    assert code == 0
    assert out.startswith("flawspot 0.")
    code, out, _ = flawspot("--help")
    assert code == 0
    for command in (
        "train",
        "backbones",
        "costs",
        "reproduce",
        "predict",
        "evaluate",
        "info",
        "threshold",
        "weights",
        "demo",
    ):
        assert command in out
        assert flawspot(command, "--help")[0] == 0


def test_wrong_usage(flawspot, tmp_path):
    assert flawspot("train", tmp_path)[0] == 2  # no -o
    assert flawspot("polish")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "magic"], "unknown method 'magic': the known ones are cfa, padim, paste, patchcore, stfpm"),
        (["--backbone", "resnet"], "unknown backbone 'resnet': the known ones are"),
        (["--layers", "deep"], "give one of the groups low, mid, high, equiv, paste"),
        (["--layers", "8,3"], "must be in ascending order: write 3, 8"),
        (["--layers", "3,99"], "has no layer 99: its layers are 0 to 18"),
        (["--set", "banks=3", "--method", "patchcore"], "has no hyperparameter 'banks': it has"),
        (["--set", "bank_size=many", "--method", "patchcore"], "bank_size of patchcore must be int, not 'many'"),
        (["--set", "bank_size"], "--set takes NAME=VALUE"),
        (["--input-size", "5"], "give 32 to 1024 pixels"),
        (["--false-alarm-rate", "7"], "is not between 0 and 1"),
        (["--weights", "mine"], "has no weights called 'mine'"),
    ],
)
def test_mistakes_in_training_are_told_in_one_line(arguments, message, product_folder, flawspot, tmp_path):
    output = tmp_path / "part.onnx"
    code, out, err = flawspot("train", product_folder, "-o", output, *arguments)
    assert code == 1
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@needs_weights
@pytest.mark.weights
@pytest.mark.parametrize(
    ("photographs", "message"), [(None, "there is no folder"), (0, "no images in"), (1, "needs at least 3")]
)
def test_too_few_photographs(photographs, message, flawspot, tmp_path):
    folder = tmp_path / "photos"
    for index in range(photographs or 0):
        save(folder / f"{index}.png", 100)
    if photographs == 0:
        folder.mkdir()
    code, _, err = flawspot("train", folder, "-o", tmp_path / "out" / "part.onnx")
    assert code == 1
    assert err.startswith("error: ")
    assert message in err
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("command", [["info"], ["threshold"], ["predict"], ["evaluate"]])
@pytest.mark.parametrize("content", [None, b"", b"not a model", "damaged", "foreign"])
def test_artifacts_that_are_none(command, content, tiny, tiny_model, flawspot, tmp_path):
    path = tmp_path / "x.onnx"
    if content == "damaged":
        path.write_bytes(tiny.read_bytes()[:-5] + b"12345")
    elif content == "foreign":
        path.write_bytes(tiny_model)
    elif content is not None:
        path.write_bytes(content)
    more = [save(tmp_path / "a.png", 1)] if command[0] in ("predict", "evaluate") else []
    code, out, err = flawspot(*command, path, *more)
    assert code == 1
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_evaluating_a_folder_without_test_images(tiny, flawspot, tmp_path):
    save(tmp_path / "good" / "a.png", 1)
    code, _, err = flawspot("evaluate", tiny, tmp_path / "good")
    assert code == 1
    assert "no test images" in err


def test_interrupted(tiny, flawspot, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("flawspot.runtime.detector.load", interrupt)
    code, _, err = flawspot("predict", tiny, save(tmp_path / "a.png", 1))
    assert code == 130
    assert "Traceback" not in err


@pytest.mark.skipif(os.name == "nt", reason="there is no `head` to close the pipe")
def test_a_reader_that_has_seen_enough(tiny, tmp_path):
    for index in range(300):
        save(tmp_path / "in" / f"{index}.png", 1)
    command = [sys.executable, "-m", "flawspot", "predict", str(tiny), str(tmp_path / "in"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()
