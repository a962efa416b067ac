"""``flawspot check`` as its users meet it."""

import json
import shutil

import pytest


def test_check(flawspot, product_folder, tmp_path):
    page = tmp_path / "page.html"
    code, out, _ = flawspot("check", product_folder, "--out", page)
    assert code == 0
    assert "24 photographs of 24 parts, 0 problems" in out
    assert "remark" in out
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    told = json.loads(flawspot("check", product_folder, "--json")[1])
    assert (told["photographs"], told["parts"], told["problems"]) == (24, 24, 0)


def test_problems(flawspot, product_folder, tmp_path, save):
    folder = shutil.copytree(product_folder, tmp_path / "part")
    save(folder / "train" / "good" / "lens cap.png", 3)
    code, out, _ = flawspot("check", folder)
    assert code == 0
    assert "problem 1 photograph (train/good/lens cap.png): they show a single tone" in out
    code, _, err = flawspot("check", folder, "--strict")
    assert code == 1
    assert "problem" in err


def test_unreadable(flawspot, product_folder, tmp_path):
    folder = shutil.copytree(product_folder, tmp_path / "part")
    (folder / "train" / "good" / "broken.png").write_bytes(b"no")
    assert flawspot("check", folder)[0] == 3


@pytest.mark.weights
@pytest.mark.usefixtures("mobilenet")
@pytest.mark.slow
def test_a_bad_part_among_the_good(flawspot, product_folder, tmp_path):
    folder = shutil.copytree(product_folder, tmp_path / "part")
    shutil.copy(folder / "test" / "spot" / "000.png", folder / "train" / "good" / "bad.png")
    code, out, _ = flawspot("check", folder, "--method", "padim")
    assert code == 0
    assert "train/good/bad.png" in next(line for line in out.splitlines() if "by padim" in line)
