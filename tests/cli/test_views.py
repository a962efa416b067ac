"""Tiles, proportions and regions as users of the command line meet them."""

import json

import numpy as np
import pytest
from PIL import Image

QUICK = ["--method", "padim", "--input-size", "64", "--random-weights", "--calibration", "split", "--group", "none"]


@pytest.fixture(scope="module")
def mask(tmp_path_factory):
    """A picture of a region, with a space in its name."""
    path = tmp_path_factory.mktemp("regions") / "the region.png"
    region = np.zeros((64, 64), np.uint8)
    region[8:56, 8:56] = 255
    Image.fromarray(region).save(path)
    return path


def test_from_training_to_pictures(flawspot, product_folder, mask, tmp_path):
    artifact = tmp_path / "part.onnx"
    options = ["--tiles", "auto:40", "--fit", "pad", "--roi", mask, "--ignore", "40,40 64,64"]
    code, _, err = flawspot("train", product_folder, "-o", artifact, *QUICK, *options)
    assert code == 0, err
    assert "a tile shows 37 x 37 pixels of photographs of 64 x 64" in " ".join(err.split())
    assert "training will take about" in err
    code, out, _ = flawspot("info", artifact)
    assert "2 x 2 tiles of 64 x 64 that overlap by 16 and 16, proportions kept, padded, 50 % inspected" in " ".join(
        out.split()
    )
    bad = product_folder / "test" / "spot" / "000.png"
    code, out, _ = flawspot("predict", artifact, bad, "--json", "--out", tmp_path / "found")
    (found,) = [json.loads(line) for line in out.splitlines()][:1]
    assert found["inspected_share"] == pytest.approx(0.5, abs=0.02)
    assert all(0 <= value <= 64 for box in found["boxes"] for value in box)
    assert code == 0 and any(path.is_file() for path in (tmp_path / "found").rglob("*"))
    code, out, _ = flawspot("evaluate", artifact, product_folder, "--json")
    assert code == 0 and json.loads(out)["pixel_auroc"] is not None
    code, out, _ = flawspot("costs", artifact, "--json")
    costs = json.loads(out)
    assert costs["tiles"] == 4 and costs["input_size"] == 64
    code, out, _ = flawspot("smallest", artifact, product_folder, "--trials", "2", "--contrast", "80", "--json")
    assert code == 0


def test_costs_of_tiles_and_of_another_shape(flawspot):
    found = {}
    for name, options in {
        "one": ["--input-size", "64"],
        "tiles": ["--input-size", "64", "--tiles", "2x3"],
        "wide": ["--input-size", "64x128"],
    }.items():
        code, out, _ = flawspot("costs", "--method", "padim", *options, "--json")
        assert code == 0
        found[name] = json.loads(out)
    assert found["tiles"]["macs"] == 6 * found["one"]["macs"]
    assert found["wide"]["input_size"] == [64, 128]
    backbones = [next(p["macs"] for p in found[name]["parts"] if p["name"] == "backbone") for name in ("wide", "one")]
    assert backbones[0] == 2 * backbones[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tiles", "two"], "ROWSxCOLUMNS"),
        (["--input-size", "64 by 64"], "HEIGHTxWIDTH"),
        (["--input-size", "8"], "out of range"),
        (["--fit", "stretch"], "squash, pad, crop"),
        (["--tiles", "2x2", "--tile-overlap", "0.9"], "0 to 0.5"),
        (["--roi", "no such.png"], "no such file"),
        (["--roi", "5000,5000 6000,6000"], "outside"),
        (["--ignore", "0,0 64,64"], "nothing"),
        (["--precision", "int8", "--tiles", "2x2", "--tile-memory"], "float32"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(flawspot, product_folder, tmp_path, options, message):
    code, _, err = flawspot("train", product_folder, "-o", tmp_path / "part.onnx", *QUICK, *options)
    assert code != 0 and message in " ".join(err.split()) and "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_costs_need_a_number_of_tiles(flawspot):
    code, _, err = flawspot("costs", "--tiles", "auto:100")
    assert code != 0 and "depends on the photographs" in " ".join(err.split())
