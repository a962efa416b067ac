"""Masks in every form that they come in, and those that cannot be right."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawspot.data.folders import open_folder, read_sample_mask
from flawspot.errors import DataError, ImageError

MARKED = np.zeros((12, 16), bool)
MARKED[3:6, 4:9] = True


def product(root: Path) -> Path:
    for name in ("good/0.png", "scratch/0.png"):
        path = root / "test" / name
        path.parent.mkdir(parents=True)
        Image.new("RGB", (16, 12), "grey").save(path)
    (root / "ground_truth" / "scratch").mkdir(parents=True)
    return root


def read(root: Path) -> np.ndarray:
    (sample,) = (sample for sample in open_folder(root).test if sample.is_defective)
    return read_sample_mask(sample, (12, 16))


def rgba(colour: np.ndarray, alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([np.repeat(colour[:, :, None], 3, axis=2), alpha]).astype(np.uint8))


def palette(indices: np.ndarray, *colours: tuple[int, int, int]) -> Image.Image:
    image = Image.fromarray(indices.astype(np.uint8)).convert("P")
    image.putdata(indices.astype(np.uint8).ravel().tolist())
    image.putpalette([value for colour in colours for value in colour])
    return image


PICTURES = {
    "0 and 255": Image.fromarray(MARKED * np.uint8(255)),
    "0 and 1": Image.fromarray(MARKED * np.uint8(1)),
    "classes": Image.fromarray(np.where(MARKED, 1 + np.arange(16) % 3, 0).astype(np.uint8)),
    "bits": Image.fromarray(MARKED),
    "16 bits": Image.fromarray(MARKED.astype(np.uint16)),
    "red": Image.fromarray(np.where(MARKED[:, :, None], [200, 0, 0], 0).astype(np.uint8)),
    "alpha alone": rgba(np.zeros((12, 16)), 255 * MARKED),
    "alpha of white": rgba(np.full((12, 16), 255), 255 * MARKED),
    "alpha as the colour": rgba(255 * MARKED, 255 * MARKED),
    "opaque": rgba(255 * MARKED, np.full((12, 16), 255)),
    "palette": palette(MARKED, (0, 0, 0), (255, 0, 0)),
    "palette without black": palette(MARKED, (255, 255, 255), (255, 0, 0)),
}


@pytest.mark.parametrize("form", PICTURES)
def test_masks_as_pictures(tmp_path, form):
    root = product(tmp_path)
    PICTURES[form].save(root / "ground_truth" / "scratch" / "0_mask.png")
    np.testing.assert_array_equal(read(root), MARKED)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((12, 16)), "marks nothing"),
        (np.full((12, 16), 255), "marks the whole of"),
        (~MARKED * 255, "seems to be inverted"),
        (np.zeros((6, 8)), "is 8 x 6 pixels, but its image"),
    ],
)
def test_masks_that_cannot_be_right_are_refused_by_name(tmp_path, mask, message):
    root = product(tmp_path)
    Image.fromarray(mask.astype(np.uint8)).save(root / "ground_truth" / "scratch" / "0.png")
    with pytest.raises(DataError, match=message) as error:
        read(root)
    assert str(root / "ground_truth" / "scratch" / "0.png") in str(error.value)


def test_colours_against_transparency(tmp_path):
    root = product(tmp_path)
    rgba(255 * MARKED, 255 * MARKED.T[:12, :].repeat(2, axis=1)[:12, :16]).save(
        root / "ground_truth" / "scratch" / "0.png"
    )
    with pytest.raises(ImageError, match="mark different things"):
        read(root)


def test_the_mask_of_a_good_photograph_marks_nothing(tmp_path):
    root = product(tmp_path)
    for kind, mask in (("good", MARKED), ("scratch", MARKED)):
        path = root / "ground_truth" / kind / "0.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(mask).save(path)
    good = next(sample for sample in open_folder(root).test if not sample.is_defective)
    with pytest.raises(DataError, match="marks a defect, but its image"):
        read_sample_mask(good, (12, 16))
    Image.fromarray(~MARKED & MARKED).save(root / "ground_truth" / "good" / "0.png")
    assert not read_sample_mask(good, (12, 16)).any()


# Outlines

BOX = [[4, 3], [8, 3], [8, 5], [4, 5]]


def labelme(*shapes: dict, width: int = 16) -> dict:
    return {"version": "5", "imageWidth": width, "imageHeight": 12, "imagePath": "0.png", "shapes": list(shapes)}


def coco(*annotations: dict, width: int = 16) -> dict:
    images = [{"id": 5, "file_name": "test/scratch/0.png", "width": width, "height": 12}]
    categories = [{"id": 1, "name": "cut"}, {"id": 2, "name": "good"}]
    return {"images": images, "annotations": [{"image_id": 5, **a} for a in annotations], "categories": categories}


COUNTS = np.diff(np.flatnonzero(np.diff(MARKED.T.ravel().astype(int), prepend=0, append=0)), prepend=0).tolist()
RUNS = {"size": [12, 16], "counts": [*COUNTS, MARKED.size - sum(COUNTS)]}
OUTLINES = {
    "labelme.polygon": labelme({"label": "cut", "shape_type": "polygon", "points": BOX}),
    "labelme.rectangle": labelme({"label": "cut", "shape_type": "rectangle", "points": [[4, 3], [8, 5]]}),
    "labelme.good too": labelme(
        {"label": "cut", "points": BOX}, {"label": "OK part", "points": [[0, 0], [15, 0], [15, 11]]}
    ),
    "coco.polygon": coco({"category_id": 1, "segmentation": [[x for point in BOX for x in point]]}),
    "coco.runs": coco({"category_id": 1, "segmentation": RUNS}, {"category_id": 2, "bbox": [0, 0, 9, 9]}),
}


def write_outline(root: Path, form: str, document: dict) -> None:
    name = "scratch/0.json" if form.startswith("labelme") else "annotations.json"
    (root / "ground_truth" / name).write_text(json.dumps(document))


@pytest.mark.parametrize("form", OUTLINES)
def test_outlines(tmp_path, form):
    root = product(tmp_path)
    write_outline(root, form, OUTLINES[form])
    np.testing.assert_array_equal(read(root), MARKED)


def test_labelme_beside_the_photograph(tmp_path):
    root = product(tmp_path)
    (root / "test" / "scratch" / "0.json").write_text(json.dumps(OUTLINES["labelme.polygon"]))
    np.testing.assert_array_equal(read(root), MARKED)
    assert open_folder(root).left_out == ()


def test_a_circle(tmp_path):
    root = product(tmp_path)
    write_outline(root, "labelme", labelme({"label": "x", "shape_type": "circle", "points": [[8, 6], [8, 9]]}))
    assert 20 < read(root).sum() < 45


@pytest.mark.parametrize(
    ("form", "document", "message"),
    [
        ("labelme", labelme(), "marks nothing"),
        ("labelme", labelme({"points": BOX}, width=32), "32 x 12 pixels, but the image has 16 x 12"),
        ("labelme", labelme({"shape_type": "linestrip", "points": BOX}), "'linestrip': it has no area"),
        ("labelme", labelme({"points": [[0, 1e300], [1, 1], [2, 2]]}), "a point lies at"),
        ("labelme", labelme({"points": "none"}), "are damaged"),
        ("labelme", {"something": "else"}, "neither of labelme nor of COCO"),
        ("coco", coco({"category_id": 1, "bbox": [1, 2, 3, 4]}), "a box without an outline"),
        ("coco", coco({"category_id": 1, "segmentation": {"size": [12, 16], "counts": "abc"}}), "compressed runs"),
        ("coco", coco({"category_id": 1, "segmentation": {"size": [12, 16], "counts": [2**62] * 3}}), "do not fill"),
        ("coco", coco({"category_id": 1, "segmentation": [[1, 2]]}), "has 1 points"),
    ],
)
def test_outlines_that_cannot_serve_are_refused_by_name(tmp_path, form, document, message):
    root = product(tmp_path)
    write_outline(root, form, document)
    with pytest.raises(DataError, match=message) as error:
        read(root)
    assert ".json" in str(error.value)
    assert "\n" not in str(error.value)
