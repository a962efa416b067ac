"""The synthetic demo set: repeatable, with exact masks, and never in the way of other files."""

import json

import numpy as np
import pytest
from PIL import Image

from flawspot.data import demo_defects, demo_products
from flawspot.data.demo_set import DEFECTS, PRODUCTS, make_demo_set, render
from flawspot.data.folders import open_folder
from flawspot.errors import ConfigurationError, DataError

SMALL = {"train": 3, "test_good": 2, "test_per_defect": 1, "size": 64}


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_same_seed_takes_the_same_photograph(product):
    one, two, other = render(product, 5)[0], render(product, 5)[0], render(product, 6)[0]
    np.testing.assert_array_equal(one, two)
    assert one.shape == (256, 256, 3)
    assert one.dtype == np.uint8
    assert (one != other).mean() > 0.5


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("defect", DEFECTS)
def test_the_mask_is_exact(product, defect):
    """Outside the mask, widened by the lens's blur of one pixel, nothing changes; inside, most of it does."""
    for seed in range(4):
        good, _ = render(product, seed)
        bad, mask = render(product, seed, defect)
        assert mask.shape == (256, 256)
        assert 4 <= mask.sum() <= 0.1 * mask.size
        padded = np.pad(mask, 1)
        wide = np.any([padded[i : i + 256, j : j + 256] for i in range(3) for j in range(3)], axis=0)
        changed = (good != bad).any(axis=2)
        assert not (changed & ~wide).any()
        assert changed[mask].mean() > 0.5


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("defect", DEFECTS)
def test_defects_lie_on_the_part(product, defect):
    for seed in range(3):
        generator = np.random.default_rng(seed)
        scene = demo_products.PRODUCTS[product](generator, 96)
        beside = scene.cover == 0
        mask = demo_defects.DEFECTS[defect](scene, generator, 96 / 256)
        assert mask.any()
        assert not (mask & beside).any()


@pytest.mark.parametrize("defect", ["scratch", "stain", "fibre"])
def test_a_defect_at_the_border_does_not_show_at_the_opposite_one(defect):
    """Textures fill the picture, so their defects reach its border."""
    at_border = 0
    for seed in range(60):
        bad, mask = render("fabric", seed, defect, 64)
        if mask[0].any() and not mask[-2:].any():
            at_border += 1
            np.testing.assert_array_equal(bad[-1], render("fabric", seed, None, 64)[0][-1])
    assert at_border


def test_defects_are_small_and_large():
    areas = [render("washer", seed, defect, 64)[1].mean() for defect in DEFECTS for seed in range(20)]
    assert min(areas) < 0.002
    assert max(areas) > 0.02


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("size", [32, 45, 300])
def test_any_size_can_be_rendered(product, size):
    for defect in (None, *DEFECTS):
        image, mask = render(product, 3, defect, size)
        assert image.shape == (size, size, 3)
        assert mask.shape == (size, size)
        assert mask.any() == (defect is not None)


@pytest.mark.parametrize("product", PRODUCTS)
def test_good_parts_have_no_defect(product):
    assert not render(product, 1)[1].any()


def test_the_layout_on_disk(tmp_path):
    folders = make_demo_set(tmp_path / "a set", seed=1, **SMALL)
    assert [folder.name for folder in folders] == list(PRODUCTS)
    for folder in folders:
        product = open_folder(folder)
        assert len(product.train) == 3
        assert len(product.test) == 2 + len(DEFECTS)
        assert product.has_masks
        assert {sample.defect for sample in product.test} == {None, *DEFECTS}
        assert Image.open(product.train[0]).size == (64, 64)
    assert not list((tmp_path / "a set").glob(".*"))


def test_no_two_photographs_are_the_same(tmp_path):
    make_demo_set(tmp_path, products=["washer"], **SMALL)
    contents = [path.read_bytes() for path in (tmp_path / "washer").rglob("0*.png") if "mask" not in path.name]
    assert len(set(contents)) == len(contents) == 3 + 2 + len(DEFECTS)


def test_a_set_is_kept_or_made_anew(tmp_path):
    (folder,) = make_demo_set(tmp_path, products=["keycap"], **SMALL)
    first = folder / "train" / "good" / "000.png"
    before = first.stat().st_mtime_ns
    make_demo_set(tmp_path, products=["keycap"], **SMALL)
    assert first.stat().st_mtime_ns == before
    make_demo_set(tmp_path, products=["keycap"], **{**SMALL, "train": 2})
    assert len(open_folder(folder).train) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["keycap"]


def test_a_set_with_photographs_lost_is_made_anew(tmp_path):
    (folder,) = make_demo_set(tmp_path, products=["keycap"], **SMALL)
    lost = folder / "test" / "good" / "001.png"
    before = lost.read_bytes()
    lost.unlink()
    make_demo_set(tmp_path, products=["keycap"], **SMALL)
    assert lost.read_bytes() == before


def test_the_number_of_photographs_to_learn_from_does_not_change_the_test(tmp_path):
    (few,) = make_demo_set(tmp_path / "few", products=["washer"], **SMALL)
    (more,) = make_demo_set(tmp_path / "more", products=["washer"], **{**SMALL, "train": 5, "test_per_defect": 2})
    names = [path.relative_to(few) for path in few.rglob("*.png")]
    assert all((few / name).read_bytes() == (more / name).read_bytes() for name in names)


def test_what_is_not_ours_is_not_touched(tmp_path):
    (tmp_path / "fabric").mkdir()
    (tmp_path / "fabric" / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="not a demo set"):
        make_demo_set(tmp_path, **SMALL)
    assert (tmp_path / "fabric" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("label", [b"\xff\xfe", b"[]", b"{}", json.dumps({"size": 64}).encode()])
def test_a_label_of_another_kind_is_not_ours_and_nothing_is_written(tmp_path, label):
    (tmp_path / "keycap").mkdir()
    (tmp_path / "keycap" / "demo_set.json").write_bytes(label)
    with pytest.raises(DataError, match="not a demo set"):
        make_demo_set(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["keycap"]


def test_interrupted_nothing_is_left(tmp_path):
    class Interrupt:
        def track(self, items, description, total=None):
            for number, item in enumerate(items):
                if number == 4:
                    raise KeyboardInterrupt
                yield item

    with pytest.raises(KeyboardInterrupt):
        make_demo_set(tmp_path, progress=Interrupt(), **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_interrupted_the_old_set_stays(tmp_path):
    class Interrupt:
        def track(self, items, description, total=None):
            yield next(iter(items))
            raise KeyboardInterrupt

    (folder,) = make_demo_set(tmp_path, products=["washer"], **SMALL)
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    with pytest.raises(KeyboardInterrupt):
        make_demo_set(tmp_path, products=["washer"], progress=Interrupt(), **{**SMALL, "seed": 9})
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["washer"]


def test_unknown_names_list_the_known(tmp_path):
    with pytest.raises(ConfigurationError, match="fabric, washer, keycap"):
        render("spoon", 0)
    with pytest.raises(ConfigurationError, match="scratch, stain"):
        render("washer", 0, "rust")
    with pytest.raises(ConfigurationError, match="fabric, washer, keycap"):
        make_demo_set(tmp_path, products=["washer", "spoon"], **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_numbers_out_of_range(tmp_path):
    with pytest.raises(ConfigurationError, match="32 to 4096"):
        render("washer", 0, size=16)
    for wrong in ({"train": -1}, {"seed": -1}, {"size": 0}):
        with pytest.raises(ConfigurationError):
            make_demo_set(tmp_path, **{**SMALL, **wrong})
    assert list(tmp_path.iterdir()) == []
