"""What users ask to be seen of a photograph."""

import numpy as np
import pytest
from PIL import Image

from flawspot.errors import ConfigurationError, ImageError
from flawspot.runtime.view import View
from flawspot.training.viewing import request_view

SIZES = [(400, 200)] * 3 + [(300, 200)]


def view(input_size=224, fit="squash", tiles=None, overlap=None, roi=(), ignore=(), sizes=SIZES):
    return request_view(input_size, fit, tiles, overlap, roi, ignore).resolved(sizes)


def test_sizes():
    assert view() == View(224, 224)
    assert view("96") == View(96, 96)
    assert view("64x128") == view((64, 128)) == View(64, 128)


@pytest.mark.parametrize("size", ["wide", "0x64", "64x", "20", "64x5000", (64, 64, 64), -5])
def test_sizes_that_cannot_be(size):
    with pytest.raises(ConfigurationError):
        view(size)


def test_tiles():
    assert view(64, tiles="2x3") == view(64, tiles=(2, 3)) == View(64, 64, "squash", 2, 3, (16, 16))
    assert view(64, tiles="2x3", overlap=0) == View(64, 64, "squash", 2, 3)
    assert view(64, tiles="1x2") == View(64, 64, "squash", 1, 2, (0, 16))


def test_tiles_that_show_so_many_pixels():
    assert view(64, tiles="auto:100", overlap=0) == View(64, 64, "squash", 2, 4)
    found = view(64, tiles="auto:100")
    assert (found.rows, found.columns) == (3, 5)  # 100 + 2 * 75 >= 200, 100 + 4 * 75 >= 400
    assert view(64, tiles="auto:1000") == View(64, 64)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tiles": "2"}, "ROWSxCOLUMNS"),
        ({"tiles": "0x2"}, "ROWSxCOLUMNS"),
        ({"tiles": "auto:3"}, "at least 16"),
        ({"tiles": "auto:16"}, "more than 256"),
        ({"tiles": "20x20"}, "more than 256"),
        ({"tiles": "2x2", "overlap": 0.7}, "0.5"),
        ({"tiles": "2x2", "overlap": float("nan")}, "overlap"),
        ({"fit": "stretch"}, "squash, pad, crop"),
        ({"input_size": 1024, "tiles": "16x16"}, "fewer tiles"),
        ({"roi": "nowhere.png"}, "no such file"),
        ({"roi": "1,2 3"}, "X,Y"),
        ({"roi": "1,2"}, "two of a rectangle"),
        ({"roi": "900,900 950,950"}, "outside"),
        ({"roi": "0,0 10,10", "ignore": "0,0 20,20"}, "nothing"),
        ({"roi": np.ones((10, 10), bool)}, "another shape"),
        ({"roi": "--1,2 3,4"}, "X,Y"),
        ({"roi": "1.2.3,4 5,6"}, "X,Y"),
        ({"roi": ""}, "give a picture"),
        ({"roi": 5}, "give a picture"),
        ({"roi": [5]}, "give a picture"),
        ({"roi": [[(1, 2, 3), (4, 5, 6)]]}, "give a picture"),
        ({"roi": np.zeros((0, 0), bool)}, "give a picture"),
        ({"roi": np.zeros((4, 4, 3), bool)}, "give a picture"),
        ({"roi": "a" * 5000 + ".png"}, "no such file"),
        ({"tiles": 3}, "ROWSxCOLUMNS"),
        ({"tiles": ("2", "3")}, "ROWSxCOLUMNS"),
        ({"tiles": (2.0, 3)}, "ROWSxCOLUMNS"),
        ({"tiles": "9" * 5000 + "x1"}, "ROWSxCOLUMNS"),
        ({"tiles": "2x2", "overlap": "0.2"}, "overlap"),
        ({"input_size": None}, "whole number"),
        ({"input_size": (64, "96")}, "whole number"),
        ({"input_size": 64.5}, "whole number"),
        ({"input_size": "9" * 5000}, "HEIGHTxWIDTH"),
        ({"fit": "crop", "roi": "110,0 150,200", "sizes": [(400, 200)] * 3 + [(900, 50)]}, "900 x 50"),
    ],
)
def test_what_cannot_be(given, message):
    with pytest.raises(ConfigurationError, match=message) as error:
        view(**given)
    assert "\n" not in str(error.value)


def test_regions(tmp_path):
    mask = np.zeros((100, 200), np.uint8)
    mask[10:50, 20:100] = 255
    Image.fromarray(mask).save(tmp_path / "mask of it.png")
    wanted = np.zeros((200, 400), bool)
    wanted[20:100, 40:200] = True
    from_file = view(roi=str(tmp_path / "mask of it.png"))
    for same in (
        from_file,
        view(roi=tmp_path / "mask of it.png"),
        view(roi="40,20 200,100"),
        view(roi=[(40, 20), (200, 100)]),
        view(roi=[[(40, 20), (200, 100)]]),
        view(roi=wanted),
    ):
        np.testing.assert_array_equal(same.inspected.mask, wanted)
    without = view(roi="40,20 200,100", ignore=["40,20 100,100", "150,20 200,100"]).inspected.mask
    wanted[:, 40:100] = wanted[:, 150:] = False
    np.testing.assert_array_equal(without, wanted)
    assert view(ignore="40,20 200,100").inspected.share == pytest.approx(1 - 0.16)
    triangle = view(roi="0,0 399,0 0,199").inspected
    assert triangle.mask[10, 10] and not triangle.mask[190, 390] and 0.45 < triangle.share < 0.55


def test_more_ways_to_say_it():
    wanted = view(roi="40,20 200,100")
    corners = np.array([(40, 20), (200, 100)])
    assert view(roi=corners) == view(roi=[tuple(corners[0]), tuple(corners[1])]) == view(roi=[corners]) == wanted
    assert view(roi=None, ignore=None) == View(224, 224)
    assert view(np.int64(64)) == View(64, 64)
    many = " ".join(f"{200 + 100 * np.cos(a):.1f},{100 + 90 * np.sin(a):.1f}" for a in np.linspace(0, 6.2, 300))
    assert 0.3 < view(roi=many).inspected.share < 0.4


def test_nothing_is_lost_that_is_smaller_than_a_cell():
    large = [(4000, 3000)]
    assert not view(ignore="1001,0 1002,3000", sizes=large).inspected.mask[:, 256].any()
    assert view(1024, roi="1001,1001 1002,1002", sizes=large).inspected.mask.sum() == 1


@pytest.mark.parametrize(("level", "message"), [(1, "brightest pixel of this mask is 1"), (255, "white everywhere")])
def test_masks_that_say_nothing(tmp_path, level, message):
    path = tmp_path / "mask.png"
    Image.fromarray(np.full((200, 400), level, np.uint8)).save(path)
    with pytest.raises(ConfigurationError, match=message):
        view(roi=path)


def test_a_mask_that_cannot_be_read(tmp_path):
    (tmp_path / "mask.png").write_bytes(b"not a picture")
    with pytest.raises(ImageError, match="--roi"):
        view(roi=tmp_path / "mask.png")


def test_large_photographs_have_a_raster_of_bounded_size():
    found = view(roi="0,0 2000,3000", sizes=[(4000, 3000)]).inspected
    assert (found.height, found.width) == (1024, 1024) and found.share == 0.5
