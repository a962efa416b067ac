"""``flawspot train`` as its users meet it."""

import json

import pytest

from flawspot.progress.display import DISPLAY


@pytest.mark.weights
def test_train_prints_artifact_seconds_and_manifest(trained):
    path, printed = trained
    assert list(printed) == ["artifact", "seconds", "manifest", "data"]
    assert printed["artifact"] == str(path)
    assert printed["manifest"]["hyperparameters"]["channels"] == 20
    assert printed["manifest"]["training"]["images"] == 24


@pytest.mark.weights
@pytest.mark.usefixtures("mobilenet")
def test_train_from_kept_features(product_folder, flawspot, tmp_path, monkeypatch):
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
    assert "recipe must be paper or fast, not 'slow'" in err


def test_every_second_that_it_takes_has_a_name(product_folder, flawspot, tmp_path, monkeypatch):
    """From the import of torch on: whoever waits is told for what."""
    named, real = [], DISPLAY.step

    def step(description):
        named.append(description)
        return real(description)

    monkeypatch.setattr(DISPLAY, "step", step)
    options = ["--method", "padim", "--random-weights", "--input-size", "64", "--layers", "1", "--set", "channels=4"]
    assert flawspot("train", product_folder, "-o", tmp_path / "part.onnx", *options)[0] == 0
    wanted = ["loading torch", "loading the backbone", "looking at the layers", "compiling the backbone"]
    wanted.append("inverting the covariances")
    assert named == [*wanted, "writing the graph", "setting the threshold", "writing the artifact"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "magic"], "unknown method 'magic': the known ones are cfa, jury, padim, paste, pasted, "),
        (["--tolerate", "fog=1"], "tolerate 'fog': choose of blur, noise, jpeg, brightness, contrast, shift, rotation"),
        (["--tolerate", "noise=9"], "tolerate noise=9: a severity is a number from 0 to 5"),
        (["--tolerate", "line,copies=0"], "tolerate copies=0: give a whole number from 1 to 20"),
        (["--backbone", "resnet"], "unknown backbone 'resnet': the known ones are"),
        (["--layers", "deep"], "give one of the groups low, mid, high, equiv, paste, stages,"),
        (["--layers", "8,3"], "must be in ascending order: write 3, 8"),
        (["--layers", "3,99"], "has no layer 99: its layers are 0 to 18"),
        (["--set", "banks=3", "--method", "patchcore"], "has no hyperparameter 'banks': it has"),
        (["--set", "bank_size=many", "--method", "patchcore"], "bank_size must be int, not 'many'"),
        (["--set", "bank_size"], "--set takes NAME=VALUE"),
        (
            ["--set", "epochs=1", "--set", "epochs=2"],
            "--set epochs is given twice with different values: leave one out",
        ),
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


@pytest.mark.usefixtures("mobilenet")
@pytest.mark.weights
@pytest.mark.parametrize(
    ("photographs", "message"), [(None, "there is no folder"), (0, "no images in"), (1, "needs at least 3")]
)
def test_too_few_photographs(photographs, message, flawspot, tmp_path, save):
    folder = tmp_path / "photos"
    for index in range(photographs or 0):
        save(folder / f"{index}.png", 100)
    if photographs == 0:
        folder.mkdir()
    code, _, err = flawspot("train", folder, "-o", tmp_path / "out" / "part.onnx")
    assert code == 1
    assert err.startswith("error: ")
    assert message in err
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.slow
def test_a_detector_of_int8(product_folder, flawspot, tmp_path):
    part = tmp_path / "part.onnx"
    asked = ("--method", "padim", "--input-size", "64", "--random-weights", "--precision", "int8")
    code, out, err = flawspot("train", product_folder, "-o", part, *asked)
    assert code == 0, err
    shown = flawspot("info", part)[1]
    assert "networks compute in" in shown
    assert "int8" in shown
    assert "precision=float16" in shown  # of the triangles
    code, out, _ = flawspot("costs", part, "--json")
    assert code == 0
    stored = json.loads(out)["parts"]
    code, out, _ = flawspot("costs", "--method", "padim", "--input-size", "64", "--precision", "int8", "--json")
    assert code == 0
    assert json.loads(out)["parts"] == stored
    assert "stored" in flawspot("costs", "--method", "padim", "--precision", "int8")[1]
    code, _, err = flawspot("train", product_folder, "-o", part, *asked[:-1], "int4")
    assert code == 1
    assert "unknown precision 'int4': the known ones are float32, int8" in err


def test_the_default_method_is_named_and_within_its_budget(flawspot):
    """5 MB, as docs/results.md has it. What the search of its bank computes depends on the photographs."""
    assert "[default: jury]" in " ".join(flawspot("train", "--help")[1].replace("│", " ").split())
    code, out, _ = flawspot("costs", "--json")
    assert code == 0
    assert json.loads(out)["method"] == "jury"
    assert json.loads(out)["bytes"] <= 5e6
