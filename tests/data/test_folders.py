import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawspot.data.folders import Sample, fingerprint, open_folder, read_sample_mask
from flawspot.data.reading import at_centres, check_photographs
from flawspot.errors import DataError, ImageError


def picture(path: Path, size: tuple[int, int] = (6, 4), value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)
    return path


@pytest.fixture
def bottle(tmp_path) -> Path:
    root = tmp_path / "data sets" / "bottle"
    for name in [
        "train/good/10.png",
        "train/good/9.png",
        "test/good/0.png",
        "test/scratch/0.png",
        "test/scratch/1.jpg",
    ]:
        picture(root / name)
    picture(root / "test" / "hole" / "0.png")
    picture(root / "ground_truth" / "scratch" / "0_mask.png", value=255)
    picture(root / "ground_truth" / "scratch" / "1.bmp", value=255)
    picture(root / "ground_truth" / "hole" / "0_mask.tif", value=255)
    (root / "license.txt").write_text("free")
    return root


def error_line(folder: Path) -> str:
    with pytest.raises(DataError) as error:
        open_folder(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_mvtec_layout(bottle):
    folder = open_folder(bottle)
    assert folder.name == "bottle" and folder.root == bottle
    assert [path.name for path in folder.train] == ["9.png", "10.png"]
    truth = bottle / "ground_truth"
    assert folder.test == (
        Sample(bottle / "test" / "good" / "0.png", None, None),
        Sample(bottle / "test" / "hole" / "0.png", "hole", truth / "hole" / "0_mask.tif"),
        Sample(bottle / "test" / "scratch" / "0.png", "scratch", truth / "scratch" / "0_mask.png"),
        Sample(bottle / "test" / "scratch" / "1.jpg", "scratch", truth / "scratch" / "1.bmp"),
    )
    assert [sample.is_defective for sample in folder.test] == [False, True, True, True]
    assert folder.has_masks


def test_name_of_the_current_folder(bottle, monkeypatch):
    monkeypatch.chdir(bottle)
    assert open_folder(Path()).name == "bottle"


def test_without_ground_truth_there_are_no_masks(bottle):
    shutil.rmtree(bottle / "ground_truth")
    folder = open_folder(bottle)
    assert len(folder.test) == 4 and all(sample.mask is None for sample in folder.test)
    assert not folder.has_masks
    (bottle / "ground_truth").mkdir()  # an empty one is none
    assert open_folder(bottle) == folder


def test_a_missing_mask_is_named(bottle):
    (bottle / "ground_truth" / "scratch" / "1.bmp").unlink()
    message = open_folder(bottle).masks_fault  # which only who needs masks minds
    assert "1 of 3 defective test images" in message
    assert "\n" not in message
    assert str(bottle / "test" / "scratch" / "1.jpg") in message
    assert str(bottle / "ground_truth" / "scratch" / "1_mask.png") in message


def test_two_masks_for_one_image(bottle):
    picture(bottle / "ground_truth" / "scratch" / "1.png")
    assert "two masks for one image" in open_folder(bottle).masks_fault


def test_only_a_test_set(bottle):
    shutil.rmtree(bottle / "train")
    folder = open_folder(bottle)
    assert folder.train == () and len(folder.test) == 4


def test_only_a_training_set(bottle):
    shutil.rmtree(bottle / "test")
    folder = open_folder(bottle)
    assert len(folder.train) == 2 and folder.test == () and not folder.has_masks


def test_train_without_good(bottle):
    (bottle / "train" / "good").rename(bottle / "train" / "fine")
    assert f"into {bottle / 'train' / 'good'}" in error_line(bottle)


def test_images_directly_in_test(bottle):
    picture(bottle / "test" / "7.png")
    assert "1 image directly in" in error_line(bottle) and "7.png" in error_line(bottle)


def test_plain_folder_with_subfolders(tmp_path):
    for name in ["b.png", "a/2.PNG", "a/10.png"]:
        picture(tmp_path / "good parts" / name)
    (tmp_path / "good parts" / ".DS_Store").touch()
    folder = open_folder(tmp_path / "good parts")
    assert folder.name == "good parts" and folder.test == ()
    assert [path.name for path in folder.train] == ["2.PNG", "10.png", "b.png"]


def test_the_train_folder_of_a_product_is_a_plain_folder(bottle):
    assert len(open_folder(bottle / "train").train) == 2


def test_the_test_folder_of_a_product_is_not_learned_from(bottle):
    folder = open_folder(bottle / "test")
    assert folder.train == ()
    assert folder.test == open_folder(bottle).test  # with their masks, which lie beside it


def test_several_products(bottle):
    shutil.copytree(bottle, bottle.parent / "cable")
    message = error_line(bottle.parent)
    assert "2 products (bottle, cable)" in message and str(bottle) in message


def test_no_images_no_folder_and_a_file(tmp_path):
    assert "no images" in error_line(tmp_path)
    (tmp_path / "train" / "good").mkdir(parents=True)
    assert "no images" in error_line(tmp_path)
    assert "no folder" in error_line(tmp_path / "absent")
    assert "is a file" in error_line(picture(tmp_path / "a.png"))


# Masks


def test_masks_of_samples(bottle):
    good, hole, *_ = open_folder(bottle).test
    assert read_sample_mask(good, (4, 6)).shape == (4, 6) and not read_sample_mask(good, (4, 6)).any()
    marked = np.zeros((4, 6), np.uint8)
    marked[1:3, 2:4] = 1
    Image.fromarray(marked).save(hole.mask)
    np.testing.assert_array_equal(read_sample_mask(hole, (4, 6)), marked.astype(bool))
    with pytest.raises(DataError, match=r"is 6 x 4 pixels, but its image .* is 6 x 5"):
        read_sample_mask(hole, (5, 6))
    with pytest.raises(DataError, match="has no mask"):
        read_sample_mask(Sample(hole.path, "hole", None), (4, 6))


@pytest.mark.parametrize("shape", [(900, 900), (700, 900), (224, 224), (37, 511), (1, 3)])
@pytest.mark.parametrize("size", [1, 7, 56, 224, 256])
def test_at_centres_is_pillows_nearest(shape, size):
    mask = np.random.default_rng(0).random(shape) < 0.5
    expected = Image.fromarray(mask.astype(np.uint8)).resize((size, size), Image.Resampling.NEAREST)
    resized = at_centres(mask, (size, size))
    assert resized.dtype == np.bool_
    np.testing.assert_array_equal(resized, np.asarray(expected).astype(bool))


# Going through the photographs


def test_readable_names_what_it_skips(tmp_path):
    good = [picture(tmp_path / f"{i}.png") for i in range(3)]
    bad = tmp_path / "bad.png"
    bad.write_bytes(good[0].read_bytes()[:40])
    paths = [good[0], bad, *good[1:]]
    checked = check_photographs(paths)
    assert checked.readable == good
    assert [path for path, _ in checked.skipped] == [bad] and str(bad) in checked.skipped[0][1]
    with pytest.raises(ImageError, match=r"bad\.png"):
        check_photographs(paths, strict=True)


def test_photographs_that_show_nothing_or_do_not_differ(tmp_path):
    def saved(*pictures: Image.Image) -> list[Path]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for index, each in enumerate(pictures):
            each.save(folder / f"{index}.png")
        return sorted(folder.iterdir())

    noise = [Image.fromarray(np.random.default_rng(s).integers(0, 9, (50, 60), dtype=np.uint8)) for s in range(3)]
    black, grey = Image.new("L", (50, 60)), Image.new("RGB", (50, 60), (90, 80, 70))
    found = {
        name: check_photographs(saved(*pictures))
        for name, pictures in {
            "usual": noise,
            "the same": noise[:1] * 3,
            "black": [black] * 3,
            "colours": [black, grey],
            "one with something": [black, noise[0]],
        }.items()
    }
    assert {name: (checked.differ, checked.empty) for name, checked in found.items()} == {
        "usual": (True, False),
        "the same": (False, False),
        "black": (False, True),
        "colours": (True, True),
        "one with something": (True, False),
    }


# Fingerprints


def test_fingerprint_depends_on_names_and_contents_alone(bottle, tmp_path):
    paths = list(open_folder(bottle).train)
    first = fingerprint(paths, bottle)
    assert len(first) == 64 and first == fingerprint(paths[::-1], bottle)

    moved = shutil.copytree(bottle, tmp_path / "elsewhere")
    assert fingerprint(open_folder(moved).train, moved) == first
    picture(moved / "train" / "good" / "9.png", value=1)
    assert fingerprint(open_folder(moved).train, moved) != first
    paths[0].rename(paths[0].with_name("8.png"))
    assert fingerprint(open_folder(bottle).train, bottle) != first
    assert fingerprint(paths[1:], bottle) != first


def test_fingerprint_is_the_same_for_composed_and_decomposed_names(tmp_path):
    composed = picture(tmp_path / "a" / "\u00e4.png")
    decomposed = picture(tmp_path / "b" / "a\u0308.png")
    assert fingerprint([composed], tmp_path / "a") == fingerprint([decomposed], tmp_path / "b")


def test_fingerprint_of_files_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        fingerprint([tmp_path / "absent.png"], tmp_path)
    with pytest.raises(DataError, match="not in the folder"):
        fingerprint([tmp_path / "absent.png"], tmp_path / "other")
