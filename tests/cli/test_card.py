"""``flawspot card`` as its users meet it."""

import json

import pytest

from flawspot.card import model_card
from flawspot.runtime.artifact import read


def test_a_card_is_printed(tiny, flawspot):
    code, out, err = flawspot("card", tiny)
    assert (code, err) == (0, "")
    assert out == model_card(read(tiny))


def test_a_card_is_written(tiny, flawspot, tmp_path):
    path = tmp_path / "new" / "part.md"
    code, out, _ = flawspot("card", tiny, "-o", path)
    assert code == 0
    assert str(path) in out
    assert path.read_bytes() == model_card(read(tiny)).encode()
    assert flawspot("card", tiny, "-o", path)[0] == 0  # the same again, in its place


def test_json(tiny, flawspot):
    code, out, _ = flawspot("card", tiny, "--json")
    assert code == 0
    assert json.loads(out) == {"artifact": str(tiny), "output": None, "card": model_card(read(tiny))}


@pytest.mark.parametrize("name", ["part.onnx", "part.txt", "part"])
def test_other_files_are_not_written_over(tiny, flawspot, tmp_path, name):
    before = tiny.read_bytes()
    code, out, err = flawspot("card", tiny, "-o", tmp_path / name)
    assert (code, out) == (1, "")
    assert "give it the suffix .md or .markdown" in err
    assert tiny.read_bytes() == before


@pytest.mark.weights
def test_a_trained_detector(trained, flawspot):
    code, out, _ = flawspot("card", trained[0])
    assert code == 0
    assert "24 photographs of good parts, in a folder `small part`" in out
    assert "in 5 folds (cross-conformal prediction)" in out
