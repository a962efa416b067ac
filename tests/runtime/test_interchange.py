"""What other tools are given of a prediction: every pixel of every region, as they read it."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from flawspot.errors import ConfigurationError, MissingPackageError
from flawspot.runtime.interchange import run_lengths

from .test_prediction import SIZES, predicted


def decoded(segmentation):
    """(H, W) of COCO's run-length code, by its definition: runs of 0 and 1 in turn, column by column."""
    height, width = segmentation["size"]
    values = np.repeat(np.arange(len(segmentation["counts"])) % 2 == 1, segmentation["counts"])
    return values.reshape(width, height).T


def noise(seed, size=(24, 16)):
    values = np.random.default_rng(seed).random((8, 8)).astype(np.float32)
    return predicted(values, 0.7, size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(6))
def test_coco_has_every_pixel_of_the_mask(size, seed):
    prediction = noise(seed, size)
    found = prediction.to_coco()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["images"] == [{"id": 1, "file_name": "", "width": size[0], "height": size[1]}]
    masks = []
    for region, annotation in zip(prediction.regions, found["annotations"], strict=True):
        mask = decoded(annotation["segmentation"])
        left, top, wide, high = annotation["bbox"]
        assert (left, top, left + wide, top + high) == region.box
        assert annotation["area"] == mask.sum() > 0
        outside = mask.copy()
        outside[top : top + high, left : left + wide] = False
        assert not outside.any()
        assert annotation["score"] == region.peak
        assert annotation["iscrowd"] == 0
        masks.append(mask)
    assert (np.any(masks, axis=0) == prediction.mask).all()
    if min(size) >= 8:  # where a pixel has one cell, it has one region
        assert np.sum(masks, axis=0).max() == 1


def test_several_photographs_become_one_data_set():
    first, second = noise(1), noise(2)
    one = first.to_coco(image_id=1, file_name="a/1.png")
    other = second.to_coco(image_id=2, first_id=len(one["annotations"]) + 1, file_name="a/2.png")
    annotations = one["annotations"] + other["annotations"]
    assert [each["id"] for each in annotations] == list(range(1, len(annotations) + 1))
    assert [each["file_name"] for each in one["images"] + other["images"]] == ["a/1.png", "a/2.png"]
    assert {each["image_id"] for each in other["annotations"]} == {2}
    assert one["categories"] == other["categories"] == [{"id": 1, "name": "anomaly"}]


def test_a_good_photograph_has_no_annotations():
    found = predicted(np.zeros((8, 8)), path=Path("photos/a.png")).to_coco()
    assert found["annotations"] == []
    assert found["images"][0]["file_name"] == "a.png"  # not where it lies on this machine


@pytest.mark.parametrize("wrong", [{"image_id": 0}, {"first_id": -1}])
def test_numbers_below_one_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="begin at 1"):
        noise(0).to_coco(**wrong)


@pytest.mark.parametrize(
    ("mask", "box", "size", "counts"),
    [
        ([[1, 1], [1, 1]], (0, 0, 2, 2), (2, 2), [0, 4]),  # columns that touch are one run
        ([[1, 0], [0, 1]], (0, 0, 2, 2), (2, 2), [0, 1, 2, 1]),
        ([[0, 1], [1, 0]], (0, 0, 2, 2), (2, 2), [1, 2, 1]),
        ([[1]], (1, 2, 2, 3), (3, 4), [6, 1, 5]),
        ([[0]], (0, 0, 1, 1), (1, 1), [1]),
    ],
)
def test_run_lengths(mask, box, size, counts):
    assert run_lengths(np.array(mask, bool), box, size) == counts


@pytest.mark.parametrize("size", SIZES)
def test_pycocotools_reads_it(size):
    masks = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed, and nothing needs it")
    prediction = noise(3, size)
    width, height = size
    for annotation in prediction.to_coco()["annotations"]:
        code = masks.frPyObjects(annotation["segmentation"], height, width)
        assert (masks.decode(code).astype(bool) == decoded(annotation["segmentation"])).all()
        assert masks.area(code) == annotation["area"]


class Given(types.SimpleNamespace):
    """In the place of supervision's Detections: what it was given."""


@pytest.fixture(params=["supervision", "a stand-in"])
def supervision(request, monkeypatch):
    """The package where it is installed, and one that keeps what it is given."""
    if request.param == "supervision":
        return pytest.importorskip("supervision", reason="supervision is not installed, and nothing needs it")
    module = types.ModuleType("supervision")
    module.Detections = Given
    monkeypatch.setitem(sys.modules, "supervision", module)
    return module


@pytest.mark.parametrize("size", SIZES)
def test_supervision(size, supervision):
    prediction = noise(4, size)
    found = prediction.to_supervision()
    count = len(prediction.regions)
    assert isinstance(found, supervision.Detections)
    assert found.xyxy.tolist() == [list(box) for box in prediction.boxes]
    assert found.mask.shape == (count, size[1], size[0])
    assert (found.mask.any(axis=0) == prediction.mask).all()
    assert found.confidence.tolist() == [region.peak for region in prediction.regions]
    assert found.class_id.tolist() == [0] * count
    assert found.data["class_name"].tolist() == ["anomaly"] * count
    assert prediction.to_supervision(masks=False).mask is None


def test_supervision_of_a_good_photograph(supervision):
    found = predicted(np.zeros((8, 8))).to_supervision()
    assert found.xyxy.shape == (0, 4)
    assert found.mask.shape == (0, 16, 24)


def test_without_supervision_the_cure_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MissingPackageError, match="run `pip install supervision`") as caught:
        noise(0).to_supervision()
    assert caught.value.name == "supervision"
