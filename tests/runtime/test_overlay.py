import numpy as np
import pytest
from PIL import Image

from flawspot.errors import ConfigurationError
from flawspot.runtime.overlay import MAX_SIDE, MIN_SIDE, contact_sheet, heat_map, overlay


def luminance(colours: np.ndarray) -> np.ndarray:
    linear = (colours / 255) ** 2.2
    return linear @ np.array([0.2126, 0.7152, 0.0722])


@pytest.fixture
def grey() -> np.ndarray:
    """(400, 400, 3) uint8, a photograph without colours."""
    values = np.random.default_rng(0).integers(90, 160, (400, 400, 1), dtype=np.uint8)
    return np.repeat(values, 3, axis=2)


@pytest.fixture
def spot() -> np.ndarray:
    """(50, 50) float32, 3 in the square of rows 20 to 29 and columns 10 to 19, and 0.2 around it."""
    values = np.full((50, 50), 0.2, np.float32)
    values[20:30, 10:20] = 3
    return values


def test_colours_get_lighter_and_turn_warm_at_the_threshold():
    ratio = np.linspace(0, 30, 2000, dtype=np.float32)[None]
    colours = np.asarray(heat_map(ratio * 7, 7.0, (2000, 1)))[0].astype(float)
    assert (np.diff(luminance(colours)) >= -1e-9).all()
    cold, warm = colours[ratio[0] < 0.75], colours[ratio[0] > 1.05]
    assert (cold[:, 2] > cold[:, 0] + 20).all()
    assert (warm[:, 0] > warm[:, 2] + 40).all()


def test_the_scale_is_relative_to_the_threshold():
    values = np.random.default_rng(0).random((20, 20), np.float32)
    once, thousandfold = heat_map(values, 0.5, (20, 20)), heat_map(values * 1024, 512.0, (20, 20))
    np.testing.assert_array_equal(np.asarray(once), np.asarray(thousandfold))


def test_heat_map_has_the_size_asked_for_and_the_right_orientation(spot):
    picture = heat_map(spot, 1.0, (200, 100))
    assert picture.size == (200, 100) and picture.mode == "RGB"
    pixels = np.asarray(picture).astype(int)
    assert pixels[50, 60, 0] > 200 and pixels[50, 140, 0] < 60


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1e-38, float("nan"), float("inf")])
def test_odd_thresholds(grey, threshold):
    values = np.array([[0, 1]], np.float32)
    left, right = np.asarray(heat_map(values, threshold, (2, 1)))[0].astype(int)
    assert left.tolist() == np.asarray(heat_map(values * 0, 1.0, (1, 1)))[0, 0].tolist()
    if threshold < 1:
        assert right.min() > 200  # the top of the scale
    overlay(grey, values, threshold, caption="x")


def test_values_that_are_no_numbers(grey):
    values = np.array([[np.nan, np.inf], [-np.inf, -5]], np.float32)
    pixels = np.asarray(heat_map(values, 1.0, (2, 2))).astype(int)
    assert pixels[0, 1].min() > 200
    assert (pixels[[0, 1, 1], [0, 0, 1]] == np.asarray(heat_map(np.zeros((1, 1), np.float32), 1.0, (1, 1)))[0, 0]).all()
    overlay(grey, values, 1.0)


def test_photograph_left_heat_right(grey, spot):
    before = grey.copy()
    pixels = np.asarray(overlay(grey, spot, 1.0)).astype(int)
    np.testing.assert_array_equal(grey, before)
    np.testing.assert_array_equal(pixels[:, :400], grey)
    right = pixels[:, -400:]
    inside, far = right[170:230, 90:150], right[:, 250:]
    assert (inside[:, :, 0] > inside[:, :, 2] + 40).all()
    assert (far.max(axis=2) == far.min(axis=2)).all()  # where it is normal no colour is laid on


def test_regions_are_outlined(grey, spot):
    right = np.asarray(overlay(grey, spot, 1.0))[:, -400:]
    white = (right.min(axis=2) > 220).any(axis=1)
    assert white[150:165].any() and white[235:250].any() and not white[:140].any() and not white[260:].any()
    nothing = np.asarray(overlay(grey, np.zeros((50, 50), np.float32), 1.0))[:, -400:]
    assert nothing.max() < 220


def test_boxes_are_drawn_around_their_place_on_both_photographs(grey):
    plain = np.asarray(overlay(grey, np.zeros((9, 9), np.float32), 1.0)).astype(int)
    boxed = np.asarray(overlay(grey, np.zeros((9, 9), np.float32), 1.0, boxes=[(100, 150, 200, 180)])).astype(int)
    changed = (plain != boxed).any(axis=2)
    for side in (changed[:, :400], changed[:, -400:]):
        rows, columns = np.flatnonzero(side.any(axis=1)), np.flatnonzero(side.any(axis=0))
        assert 130 <= rows[0] < 150 and 180 <= rows[-1] < 200
        assert 80 <= columns[0] < 100 and 200 <= columns[-1] < 220
        assert not side[150:180, 100:200].any()


@pytest.mark.parametrize("box", [(0, 0, 400, 400), (0, 0, 1, 1), (399, 399, 400, 400), (5, 5, 5, 5), (900, 0, 950, 9)])
def test_boxes_at_the_border_stay_in_the_picture(grey, spot, box):
    assert overlay(grey, spot, 1.0, boxes=[box]).size == overlay(grey, spot, 1.0).size


@pytest.mark.parametrize(
    "height, width, side",
    [
        (64, 64, MIN_SIDE),
        (1, 1, MIN_SIDE),
        (400, 300, 400),
        (3000, 4000, MAX_SIDE),
        (700, 900, 900),
        (20, 2000, MAX_SIDE),
    ],
)
def test_sizes(height, width, side):
    image = np.full((height, width, 3), 120, np.uint8)
    values = np.eye(56, dtype=np.float32) * 2
    boxes = [(0, 0, width, height), (width // 2, height // 2, width // 2 + 1, height // 2 + 1)]
    picture = overlay(image, values, 1.0, boxes=boxes)
    scale = side / max(height, width)
    shown = max(round(width * scale), 1), max(round(height * scale), 1)
    if width > 2 * height:  # one above the other
        assert picture.width == shown[0] and 2 * shown[1] < picture.height < 2 * shown[1] + 20
    else:
        assert picture.height == shown[1] and 2 * shown[0] < picture.width < 2 * shown[0] + 20
    with_strip = overlay(image, values, 1.0, boxes=boxes, caption="ANOMALOUS · score 1.23", is_anomalous=True)
    assert with_strip.width == picture.width and picture.height < with_strip.height <= picture.height + 80


def test_tall_and_thin():
    picture = overlay(np.zeros((2000, 20, 3), np.uint8), np.zeros((9, 9), np.float32), 1.0, caption="good · score 0.1")
    assert picture.height > MAX_SIDE


def test_max_side(grey, spot):
    assert overlay(grey, spot, 1.0, max_side=200).height == 200


@pytest.mark.parametrize("caption", ["", " ", "two\nlines\tand a tab", "very long " * 100, "日本 ä \u0000", "x"])
@pytest.mark.parametrize("is_anomalous", [None, True, False])
def test_any_caption_fits(grey, spot, caption, is_anomalous):
    picture = overlay(grey, spot, 1.0, caption=caption, is_anomalous=is_anomalous)
    assert picture.width == overlay(grey, spot, 1.0).width and picture.height > 400


def test_verdicts_look_different_even_without_colour(grey, spot):
    bad, good, none = (
        np.asarray(overlay(grey, spot, 1.0, caption="same words", is_anomalous=verdict).convert("L"))[400:] > 70
        for verdict in (True, False, None)
    )
    assert (bad != good).sum() > 10 and (bad != none).any()
    assert bad[:, 400:].any()  # the colour scale


def test_the_same_picture_each_time(grey, spot):
    first, second = (overlay(grey, spot, 1.0, boxes=[(1, 2, 30, 40)], caption="a", is_anomalous=True) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_contact_sheet_layout():
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    tiles = [Image.new("RGB", (100, 50), colour) for colour in colours]
    sheet = contact_sheet(tiles, 2, gap=10)
    assert sheet.size == (10 + 2 * 110, 10 + 2 * 60)
    assert [sheet.getpixel(at) for at in [(60, 35), (170, 35), (60, 95)]] == colours
    assert sheet.getpixel((170, 95)) not in colours
    assert contact_sheet(tiles, 9, gap=10).size == (10 + 3 * 110, 70)


def test_contact_sheet_shrinks_but_never_enlarges():
    sheet = contact_sheet([Image.new("L", (2000, 1000), 255), Image.new("RGB", (10, 10))], 1, cell=(200, 300), gap=0)
    assert sheet.size == (200, 110)
    assert sheet.getpixel((100, 50)) == (255, 255, 255)
    assert contact_sheet([Image.new("RGB", (5000, 2))], 1, cell=(200, 300), gap=0).size == (200, 1)


@pytest.mark.parametrize("count, columns", [(0, 2), (3, 0), (3, -1)])
def test_contact_sheet_of_nothing(count, columns):
    with pytest.raises(ConfigurationError, match="contact sheet"):
        contact_sheet([Image.new("RGB", (4, 4))] * count, columns)
