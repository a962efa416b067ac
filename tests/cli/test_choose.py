"""``flawspot choose`` as its users meet it; what it chooses is tested in tests/choosing."""

import json

import pytest


@pytest.fixture
def asked(product_folder, grid, tmp_path):
    return "choose", product_folder, "--candidates", grid, "--store", tmp_path / "choice.sqlite", "--workers", 1


def test_a_plan(asked, flawspot, tmp_path):
    code, out, err = flawspot(*asked, "--dry-run")
    assert code == 0, err
    assert "padim on mobilenet_v2 1" in out
    assert "1 of 1 candidates fit no limit: about" in out
    told = json.loads(flawspot(*asked, "--dry-run", "--json", "--macs", "900M")[1])
    assert [one["name"] for one in told["candidates"]] == ["padim on mobilenet_v2 1"]
    assert not list(tmp_path.glob("choice.*"))  # it leaves nothing behind


def test_a_plan_of_what_tolerates(asked, flawspot):
    told = json.loads(flawspot(*asked, "--dry-run", "--json", "--tolerate", "noise=1")[1])
    assert [one["tolerate"] for one in told["candidates"]] == ["noise=1"]
    assert [one["name"] for one in told["candidates"]] == ["padim on mobilenet_v2 1, tolerates noise=1"]


@pytest.mark.slow
def test_a_choice(asked, flawspot, tmp_path):
    code, out, err = flawspot(*asked, "-o", tmp_path / "best.onnx", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["best"]["name"] == "padim on mobilenet_v2 1"
    assert (tmp_path / "best.onnx").is_file()
    assert (tmp_path / "best.html").is_file()
    code, out, err = flawspot(*asked, "-o", tmp_path / "best.onnx")
    assert code == 0, err
    assert "chosen" in out
    assert "Real defects are different" in out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "name the file for the best detector"),
        (("--memory", "5 apples", "--dry-run"), "memory must be a number above 0 with one of the units"),
        (("--memory", "10B", "--dry-run"), "nothing fits 10 bytes of memory: the smallest is"),
        (("--tolerate", "fog=1", "--dry-run"), "tolerate 'fog': choose of"),
        (("--time", "soon", "--dry-run"), "time must be a number above 0"),
        (("-o", "best.html"), "cannot be both the detector and its page"),
        (("-o", "best.onnx", "--out", "page.txt"), "give it the suffix .html"),
    ],
)
def test_errors_are_one_line(asked, flawspot, more, words):
    code, out, err = flawspot(*asked, *more)
    assert (code, out) == (1, "")
    assert words in err
    assert len(err.strip().splitlines()) == 1
