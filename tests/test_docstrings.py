"""The examples of the public names run, in a folder with an artifact and photographs, and print what they say."""

import dataclasses
import doctest

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

import flawspot
from flawspot.runtime.artifact import assemble, read
from flawspot.sklearn import DefectDetector

SIDE = 64
CANDIDATES = """
title: small
data: [{name: yours, layout: folder}]
backbones: [mobilenet_v2]
layers: ["1"]
methods: [padim]
precision: [float32]
input_size: 64
random_weights: true
"""


def _detector() -> flawspot.Detector:
    return flawspot.load("part.onnx")


EXAMPLES = [
    (flawspot.load, {}),
    (flawspot.train, {}),
    (flawspot.FeatureCache, {}),
    (type(flawspot.methods).__call__, {}),
    (type(flawspot.backbones).__call__, {}),
    *((method, {}) for method in (flawspot.PatchCore, flawspot.PaDiM, flawspot.CFA, flawspot.STFPM, flawspot.PaSTe)),
    (flawspot.evaluate, {}),
    (flawspot.check, {}),
    (flawspot.Check, {}),
    (flawspot.smallest_defect, {}),
    (flawspot.choose, {}),
    (flawspot.update, {}),
    (flawspot.Artifact, {"artifact": lambda: read("part.onnx")}),
    (flawspot.Detector, {"detector": _detector}),
    (flawspot.Detector.predict, {"detector": _detector}),
    (flawspot.Evaluation, {"evaluation": lambda: flawspot.evaluate("part.onnx", "photos", progress=False)}),
    (flawspot.Prediction, {"prediction": lambda: _detector().predict("new.png")}),
    (flawspot.Region, {"detector": _detector}),
    (flawspot.Prediction.to_coco, {"prediction": lambda: _detector().predict("new.png")}),
    (flawspot.NotInspected, {"detector": _detector}),
    (flawspot.table, {"detector": _detector}),
    (DefectDetector, {}),
]
"""Each object, and what its example takes as given beside `flawspot`."""


@pytest.fixture
def workplace(tmp_path, monkeypatch, tiny_model, tiny_manifest):
    """The present folder: ``part.onnx``, whose map is the red channel of 64 x 64 pixels; ``new.png``, ``photos`` and
    ``more`` good ones; and a table ``candidates.yaml``."""
    model = onnx.load_from_string(tiny_model)
    for constant in model.graph.initializer:
        if constant.name == "end":
            constant.CopyFrom(numpy_helper.from_array(np.array([SIDE, SIDE, 1]), "end"))
    weights = np.zeros(870_000, np.float32)  # for an ordinary size
    model.graph.initializer.append(numpy_helper.from_array(weights, "weights"))
    manifest = dataclasses.replace(
        tiny_manifest,
        method="padim",
        input_size=SIDE,
        backbone=dataclasses.replace(tiny_manifest.backbone, taps=(3, 8, 14)),
        training=dataclasses.replace(tiny_manifest.training, images=40),
    )
    monkeypatch.chdir(tmp_path)
    assemble(model.SerializeToString(), manifest).save("part.onnx")

    def save(name: str, height: int, width: int, spot: tuple[slice, slice] | None = None) -> None:
        image = np.full((height, width, 3), 40, np.uint8)
        if spot:
            image[spot] = 230
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)

    spot = slice(20, 30), slice(10, 25)
    save("new.png", SIDE, SIDE, spot)
    for index in range(12):
        save(f"more/{index}.png", SIDE, SIDE, (slice(index, index + 1), slice(1, 2)))
    (tmp_path / "candidates.yaml").write_text(CANDIDATES, encoding="utf-8")
    for index in range(4):
        save(f"photos/train/good/{index}.png", SIDE, SIDE)
        save(f"photos/train/good/{index + 4}.png", SIDE, SIDE, (slice(index, index + 1), slice(0, 1)))
        save(f"photos/test/good/{index}.png", SIDE, SIDE)
        save(f"photos/test/scratch/{index}.png", SIDE, SIDE, spot)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[spot] = 255
        truth = tmp_path / "photos" / "ground_truth" / "scratch" / f"{index}_mask.png"
        truth.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(truth)


@pytest.mark.parametrize(("documented", "given"), EXAMPLES, ids=[item.__qualname__ for item, _ in EXAMPLES])
def test_example(documented, given, workplace):
    names = {"flawspot": flawspot, **{name: make() for name, make in given.items()}}
    (example,) = doctest.DocTestFinder(recurse=False).find(documented, documented.__qualname__, globs=names)
    assert example.examples, "there is no example"
    output: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=output.append)
    assert not failed, "".join(output)
