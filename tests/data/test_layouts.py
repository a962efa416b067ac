"""Data sets in their published layouts."""

import numpy as np
import pytest
from PIL import Image

from flawspot.data.folders import open_folder, read_sample_mask
from flawspot.data.layouts import DataSource
from flawspot.errors import DataError
from flawspot.runtime.images import read_image


def put(root, *names, box=None):
    """A grey photograph, or a mask that is set in `box`."""
    path = root.joinpath(*names)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((8, 8), 120 if box is None else 0, np.uint8)
    if box is not None:
        pixels[box] = 255
    Image.fromarray(pixels).save(path)


TOP, LEFT = np.s_[:2, :], np.s_[:, :3]


def mvtec_ad(root):
    put(root, "bottle", "train", "good", "000.png")
    put(root, "bottle", "test", "good", "000.png")
    put(root, "bottle", "test", "hole", "000.png")
    put(root, "bottle", "ground_truth", "hole", "000_mask.png", box=TOP)
    return "bottle", TOP


def visa(root):
    put(root, "candle", "Data", "Images", "Normal", "0001.JPG")
    put(root, "candle", "Data", "Images", "Normal", "0002.JPG")
    put(root, "candle", "Data", "Images", "Anomaly", "000.JPG")
    put(root, "candle", "Data", "Masks", "Anomaly", "000.png", box=TOP)
    (root / "split_csv").mkdir()
    (root / "split_csv" / "1cls.csv").write_text(
        "object,split,label,image,mask\n"
        "candle,train,normal,candle/Data/Images/Normal/0001.JPG,\n"
        "candle,test,normal,candle/Data/Images/Normal/0002.JPG,\n"
        "candle,test,anomaly,candle/Data/Images/Anomaly/000.JPG,candle/Data/Masks/Anomaly/000.png\n"
        "pcb1,train,normal,pcb1/Data/Images/Normal/0001.JPG,\n"
    )
    return "candle", TOP


def btad(root):
    put(root, "01", "train", "ok", "0000.bmp")
    put(root, "01", "test", "ok", "0001.bmp")
    put(root, "01", "test", "ko", "0000.bmp")
    put(root, "01", "ground_truth", "ko", "0000.png", box=TOP)
    return "01", TOP


def mvtec_loco(root):
    put(root, "pushpins", "train", "good", "000.png")
    put(root, "pushpins", "validation", "good", "000.png")
    put(root, "pushpins", "test", "good", "000.png")
    put(root, "pushpins", "test", "logical_anomalies", "000.png")
    put(root, "pushpins", "ground_truth", "logical_anomalies", "000", "000.png", box=TOP)
    put(root, "pushpins", "ground_truth", "logical_anomalies", "000", "001.png", box=LEFT)
    both = np.zeros((8, 8), bool)
    both[TOP] = both[LEFT] = True
    return "pushpins", both


def mvtec_3d(root):
    put(root, "bagel", "train", "good", "rgb", "000.png")
    put(root, "bagel", "train", "good", "xyz", "000.tiff")
    for kind in ("good", "hole"):
        put(root, "bagel", "test", kind, "rgb", "000.png")
        put(root, "bagel", "test", kind, "gt", "000.png", box=TOP if kind == "hole" else np.s_[:0, :])
        put(root, "bagel", "test", kind, "xyz", "000.tiff")
    return "bagel", TOP


@pytest.mark.parametrize("make", [mvtec_ad, visa, btad, mvtec_loco, mvtec_3d], ids=lambda f: f.__name__)
def test_a_published_layout_is_found_with_its_masks(make, tmp_path):
    category, box = make(tmp_path)
    source = DataSource("set", make.__name__, tmp_path)
    assert category in source.all_categories()
    folder = source.open(category)
    assert len(folder.train) == 1
    assert [sample.is_defective for sample in folder.test].count(True) == 1
    assert len(folder.test) == 2
    truth = np.zeros((8, 8), bool)
    truth[box] = True
    for sample in folder.test:
        expected = truth if sample.is_defective else np.zeros((8, 8), bool)
        assert np.array_equal(read_sample_mask(sample, read_image(sample.path).shape[:2]), expected)
    assert len(source.fingerprint(category)) == 64


def mvtec_ad_2(root):
    put(root, "can", "train", "good", "000_regular.png")
    put(root, "can", "validation", "good", "000_regular.png")
    put(root, "can", "test_public", "good", "000_regular.png")
    put(root, "can", "test_public", "bad", "000_overexposed.png")
    put(root, "can", "test_public", "ground_truth", "bad", "000_overexposed_mask.png", box=TOP)
    for name in ("test_private", "test_private_mixed"):
        put(root, "can", name, "000_regular.png")
    return "can", TOP


@pytest.mark.parametrize("make", [mvtec_ad, visa, btad, mvtec_loco, mvtec_3d, mvtec_ad_2], ids=lambda f: f.__name__)
def test_a_published_layout_is_known_without_being_named(make, tmp_path):
    category, box = make(tmp_path)
    folder = open_folder(tmp_path / category)
    assert len(folder.train) == 1
    assert [sample.is_defective for sample in folder.test].count(False) == 1
    (defective,) = (sample for sample in folder.test if sample.is_defective)
    truth = np.zeros((8, 8), bool)
    truth[box] = True
    assert np.array_equal(read_sample_mask(defective, (8, 8)), truth)
    assert sum(row.count for row in folder.taken if row.role == "masks") >= 1
    assert not folder.tested_on_what_is_learned


def test_what_a_layout_leaves_out_is_told(tmp_path):
    mvtec_ad_2(tmp_path)
    mvtec_3d(tmp_path)
    reasons = {left.folder: left.reason for left in open_folder(tmp_path / "can").left_out}
    assert "flawspot holds out its own" in reasons["validation/good"]
    assert "without labels" in reasons["test_private"]
    assert "without labels" in reasons["test_private_mixed"]
    reasons = {left.folder: left.reason for left in open_folder(tmp_path / "bagel").left_out}
    assert reasons["train/good"] == "depth, which is not looked at"


def test_visa_as_a_whole_names_its_products(tmp_path):
    visa(tmp_path)
    with pytest.raises(DataError, match=r"VisA with 1 product \(candle\): give one of them"):
        open_folder(tmp_path)


def test_visa_without_its_table(tmp_path):
    visa(tmp_path)
    (tmp_path / "split_csv" / "1cls.csv").unlink()
    folder = open_folder(tmp_path / "candle")
    assert len(folder.train) == 2
    assert folder.has_masks


def test_photographs_are_not_tested_on_once_they_were_learned_from(tmp_path):
    put(tmp_path, "part", "OK", "1.png")
    put(tmp_path, "part", "NG", "1.png")
    with pytest.raises(DataError, match="same good photographs for training and for testing"):
        DataSource("mine", "folder", tmp_path / "part").open("part")


@pytest.mark.parametrize("make", [mvtec_ad, btad, mvtec_loco, mvtec_3d, visa], ids=lambda f: f.__name__)
def test_the_fingerprint_covers_the_masks(make, tmp_path):
    category, _ = make(tmp_path)
    source = DataSource("set", make.__name__, tmp_path)
    before = source.fingerprint(category)
    (mask,) = [sample.masks[-1] for sample in source.open(category).test if sample.is_defective]
    put(tmp_path, mask.relative_to(tmp_path), box=np.s_[5:, :])
    assert source.fingerprint(category) != before


def test_what_is_missing_is_told_with_its_cure(tmp_path):
    with pytest.raises(DataError, match="give `path` in the grid, or --data set=FOLDER"):
        DataSource("set", "mvtec_ad").open("bottle")
    with pytest.raises(DataError, match=r"there is no folder .*elsewhere for set"):
        DataSource("set", "mvtec_ad", tmp_path / "elsewhere").open("bottle")
    mvtec_ad(tmp_path)
    with pytest.raises(DataError, match=r"there is no folder .*cable"):
        DataSource("set", "mvtec_ad", tmp_path).open("cable")
    assert len(DataSource("set", "mvtec_ad", tmp_path).all_categories()) == 15


def test_other_products_in_the_same_layout_are_found_in_their_folder(tmp_path):
    for name in ("part 10", "part 2"):
        put(tmp_path, name, "train", "good", "000.png")
    assert DataSource("mine", "mvtec_ad", tmp_path).all_categories() == ("part 2", "part 10")
    assert DataSource("mine", "folder", tmp_path / "part 2").all_categories() == ("part 2",)


def test_a_table_that_leads_out_of_the_data_set_is_refused(tmp_path):
    visa(tmp_path)
    table = tmp_path / "split_csv" / "1cls.csv"
    table.write_text(table.read_text().replace("candle/Data/Images/Normal/0001", "../../secret"))
    with pytest.raises(DataError, match="not a file of the data set"):
        DataSource("set", "visa", tmp_path).open("candle")


def test_a_synthetic_set_is_made_when_it_is_needed(tmp_path):
    settings = {"train": 2, "test_good": 1, "test_per_defect": 1, "size": 32}
    source = DataSource("demo", "synthetic", tmp_path / "demo", ("fabric",), settings)
    print_before = source.fingerprint("fabric")
    assert not (tmp_path / "demo").exists()
    folder = source.open("fabric")
    assert len(folder.train) == 2
    assert len(folder.test) == 6
    assert source.fingerprint("fabric") == print_before
