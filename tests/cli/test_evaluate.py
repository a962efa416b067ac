"""``flawspot evaluate`` as its users meet it."""

import json
import shutil

import pytest


@pytest.mark.weights
def test_evaluate(trained, product_folder, flawspot):
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
    assert "at the masks' size" not in out


@pytest.mark.weights
def test_pixels_at_the_masks_own_size(trained, product_folder, flawspot):
    code, out, _ = flawspot("evaluate", trained[0], product_folder, "--mask-size", "--json")
    assert code == 0
    figures = json.loads(out)["at_mask_size"]
    assert figures["pixels"] == 8 * 64 * 64
    assert 0 < figures["pixel_f1_max"] <= 1
    code, out, _ = flawspot("evaluate", trained[0], product_folder, "--mask-size")
    assert code == 0
    assert f"F1 max {figures['pixel_f1_max']:.4f}" in out.split("at the masks' size")[1].splitlines()[0]


@pytest.mark.weights
def test_a_mask_of_another_size(trained, product_folder, flawspot, tmp_path, save):
    folder = shutil.copytree(product_folder, tmp_path / "part")
    save(folder / "ground_truth" / "spot" / "001_mask.png", 255, (10, 10))
    code, _, err = flawspot("evaluate", trained[0], folder)
    assert code == 1
    assert "001_mask.png is 10 x 10 pixels" in err


def test_evaluating_a_folder_without_test_images(tiny, flawspot, tmp_path, save):
    save(tmp_path / "good" / "a.png", 1)
    code, _, err = flawspot("evaluate", tiny, tmp_path / "good")
    assert code == 1
    assert "no test images: give labelled photographs, in folders such as OK and NG or test/good" in err
    assert "--good" in err


def test_kinds_and_mistakes_are_told(tiny, flawspot, tmp_path, save):
    for kind, levels in {"good": (10, 120), "scratch": (90, 140)}.items():
        for index, level in enumerate(levels):
            save(tmp_path / "part" / "test" / kind / f"{index}.png", level)
    page, scores = tmp_path / "page.html", tmp_path / "scores.csv"
    code, out, _ = flawspot("evaluate", tiny, tmp_path / "part", "--out", page, "--scores", scores)
    assert code == 0
    assert "anomalous: scratch" in out
    assert "1 of 2 (0.095 to 0.905, 95 %)" in out
    assert "test/scratch/0.png" in out
    assert page.is_file()
    assert scores.read_text().count("\n") == 5
    told = json.loads(flawspot("evaluate", tiny, tmp_path / "part", "--json")[1])
    assert told["wrong"] == ["test/good/1.png", "test/scratch/0.png"]
    assert [kind["name"] for kind in told["kinds"]] == ["good", "scratch"]


def test_files_to_write_are_refused_before_the_work(tiny, flawspot, tmp_path, save):
    save(tmp_path / "part" / "test" / "good" / "0.png", 10)
    before = tiny.read_bytes()
    for options, message in (
        (["--out", tiny], ".html"),
        (["--scores", tmp_path / "scores.txt"], ".csv or .json"),
        (["--out", tmp_path / "part" / "test" / "good" / "0.png"], ".html"),
        (["--out", tmp_path], ".html"),
    ):
        code, _, err = flawspot("evaluate", tiny, tmp_path / "part", *options)
        assert code == 1
        assert message in err
    assert tiny.read_bytes() == before
