"""Where a photograph lies on the canvas, and a map in the photograph."""

import base64
import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from flawspot.errors import ArtifactError, ImageError
from flawspot.runtime.inspected import Inspected
from flawspot.runtime.view import View, as_view

SIZES = [(1, 1), (640, 480), (480, 640), (4000, 3000), (224, 224), (1000, 37), (37, 1000), (333, 334)]
VIEWS = [View(64, 64), View(64, 96), View(48, 64, "squash", 2, 3, (12, 16)), View(64, 64, "squash", 1, 4, (0, 8))]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_pad_shows_all_in_proportion_and_crop_fills_the_canvas(view, size):
    width, height = size
    canvas = view.canvas
    pad, crop = (dataclasses.replace(view, fit=fit).placed(size) for fit in ("pad", "crop"))
    assert (pad.height == canvas[0] or pad.width == canvas[1]) and pad.top >= 0 and pad.left >= 0
    assert pad.top + pad.height <= canvas[0] and pad.left + pad.width <= canvas[1]
    assert (crop.height == canvas[0] or crop.width == canvas[1]) and crop.top <= 0 and crop.left <= 0
    assert crop.top + crop.height >= canvas[0] and crop.left + crop.width >= canvas[1]
    for place in (pad, crop):
        scale = max if place is crop else min
        exact = scale(Fraction(canvas[0], height), Fraction(canvas[1], width))
        for side, length in ((place.height, height), (place.width, width)):
            assert abs(side - exact * length) <= 1  # rounded, and at least a pixel


@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_what_was_reduced_before_lies_at_the_same_place(view, size, fit):
    view = dataclasses.replace(view, fit=fit)
    assert view.placed(view.reduced(size)) == view.placed(size)


def test_tiles_cover_the_canvas_and_overlap_as_told():
    view = View(48, 64, "squash", 2, 3, (12, 16))
    assert view.canvas == (84, 160)
    covered = np.zeros(view.canvas, int)
    for top, left in view.origins:
        covered[top : top + 48, left : left + 64] += 1
    assert covered.min() == 1 and covered.max() == 4
    assert (covered[:36, 48:64] == 2).all()
    tiles = view.tiled(covered == 1)
    assert tiles.shape == (6, 48, 64)
    assert (tiles[5] == (covered == 1)[36:, 96:]).all()


@pytest.mark.parametrize("size", [(200, 100), (100, 200), (64, 64)])
def test_a_map_over_the_photograph(size):
    values = np.arange(64 * 64, dtype=np.float32).reshape(64, 64)
    assert View(64, 64).over_photograph(values, size) is values
    padded = View(64, 64, "pad").over_photograph(values, size)
    assert padded.shape == {(200, 100): (32, 64), (100, 200): (64, 32), (64, 64): (64, 64)}[size]
    cropped = View(64, 64, "crop").over_photograph(values, size)
    assert cropped.shape == {(200, 100): (64, 128), (100, 200): (128, 64), (64, 64): (64, 64)}[size]
    assert cropped.max() == values.max()
    hidden = View(64, 64, "crop").not_inspected(size)
    assert (hidden is None) if size == (64, 64) else hidden.mean() == 0.5
    assert hidden is None or not cropped[hidden].any()
    assert View(64, 64, "pad").not_inspected(size) is None


def test_a_region_follows_the_photograph():
    mask = np.zeros((10, 20), bool)
    mask[2:5, 4:12] = True
    region = Inspected.of(mask)
    np.testing.assert_array_equal(region.mask, mask)
    assert region.share == mask.mean()
    squashed = View(40, 40, inspected=region).inside((200, 100))
    assert squashed[8:20, 8:24].all() and squashed.sum() == 12 * 16
    padded = View(40, 40, "pad", inspected=region).inside((200, 100))
    assert padded[14:20, 8:24].all() and padded.sum() == 6 * 16
    hidden = View(40, 40, "pad", inspected=region).not_inspected((200, 100))
    assert hidden.shape == (20, 40) and (~hidden).sum() == 6 * 16
    cropped = View(40, 40, "crop", inspected=region).inside((200, 100))
    assert cropped.sum() == 12 * 28  # the left of it is cut off


@pytest.mark.parametrize(
    "view",
    [
        View(0, 8),
        View(8, 5000),
        View(64, 64, "stretch"),
        View(64, 64, "squash", 0, 1),
        View(64, 64, "squash", 300, 300),
        View(64, 64, "squash", 2, 2, (40, 0)),
        View(64, 64, "squash", 2, 2, (-1, 0)),
        View(64, 64, "squash", 2, 2, (1,)),
        View(4096, 4096, "squash", 16, 16),
        View(64, 64, inspected=Inspected(0, 1, "")),
        View(64, 64, inspected=Inspected(2, 2, base64.b64encode(b"\0").decode())),
    ],
)
def test_what_no_detector_has_is_wrong(view):
    assert view.wrong()


@pytest.mark.parametrize("bits", ["", "!", "AAAA", "é"])
def test_bits_that_are_not_those_of_the_cells(bits):
    with pytest.raises(ArtifactError, match="not as many bits as cells"):
        View(64, 64, inspected=Inspected(2, 2, bits)).wrong()


def test_a_number_is_a_square():
    assert as_view(32) == View(32, 32) and as_view(32).plain
    assert not View(32, 48).plain and not View(32, 32, "pad").plain
    with pytest.raises(TypeError):
        as_view("32")


def test_a_photograph_of_which_nothing_is_seen_is_not_good(tmp_path):
    """The region is at the left, and of a very wide photograph the left is cut off."""
    mask = np.zeros((4, 8), bool)
    mask[:, 0] = True
    view = View(32, 32, "crop", inspected=Inspected.of(mask))
    view.check_sees((100, 100))
    with pytest.raises(ImageError, match=r"wide\.png cannot be inspected: .*400 x 100"):
        view.check_sees((400, 100), tmp_path / "wide.png")
    View(32, 32, "crop").check_sees((400, 100))
