"""Corruptions: deterministic, graded, and the mask goes where the photograph goes."""

import numpy as np
import pytest

from flawspot.data.corruptions import (
    CORRUPTIONS,
    ROTATION_DEGREES,
    SHIFT_PIXELS,
    corrupt,
    corrupt_all,
    corrupt_mask,
    corrupt_mask_all,
    image_seed,
)
from flawspot.errors import ConfigurationError, DataError

MOVING = ("shift", "rotation")


def photograph(height: int = 160, width: int = 200) -> np.ndarray:
    """Smooth, with edges, far from black and white, so that little is clipped."""
    rows, columns = np.mgrid[:height, :width]
    base = 110 + 40 * np.sin(rows / 17) + 20 * np.cos(columns / 11) + 20 * ((rows // 9 + columns // 13) % 2)
    return np.stack([base, base + 15, 220 - base], axis=-1).astype(np.uint8)


def spot(height: int = 160, width: int = 200) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[60:90, 110:150] = True
    return mask


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_same_seed_same_result_and_the_input_is_untouched(name: str, severity: int) -> None:
    image = photograph()
    before = image.copy()
    one, other = corrupt(image, name, severity, 7), corrupt(image, name, severity, 7)
    assert one.shape == image.shape
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(image, before)
    assert (one != image).any()
    one[:] = 0  # the caller's own
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("seed", [0, 1, 2**63])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_severity_is_worse_than_the_one_before(name: str, seed: int) -> None:
    image = photograph()
    errors = [np.abs(corrupt(image, name, s, seed).astype(float) - image).mean() for s in range(1, 6)]
    assert errors == sorted(errors)
    assert errors[4] > 1.5 * errors[0] > 0


@pytest.mark.parametrize("name", ["noise", "brightness", "shift", "rotation"])
def test_seeds_differ(name: str) -> None:
    results = [corrupt(photograph(), name, 3, seed).tobytes() for seed in range(12)]
    assert len(set(results)) >= 2


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("seed", range(5))
def test_a_mask_moves_with_its_photograph(name: str, seed: int, severity: int) -> None:
    mask = spot()
    image = np.repeat(np.where(mask, 255, 0).astype(np.uint8)[:, :, None], 3, axis=2)
    seen = corrupt(image, name, severity, seed)[:, :, 0] >= 128
    moved = corrupt_mask(mask, name, severity, seed)
    assert moved.dtype == np.bool_
    # Only pixels on the edge of a turned spot may differ, since the photograph is interpolated.
    assert np.count_nonzero(seen != moved) <= (0 if name == "shift" else 0.05 * mask.sum())
    assert (moved != mask).any()


@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name not in MOVING])
def test_a_mask_stays_where_nothing_moves(name: str) -> None:
    np.testing.assert_array_equal(corrupt_mask(spot(), name, 5, 3), spot())


def test_a_shift_is_as_long_as_stated_whatever_the_resolution() -> None:
    for side in (112, 224, 448):
        for severity, pixels in enumerate(SHIFT_PIXELS, 1):
            mask = np.zeros((side, side), bool)
            mask[side // 2, side // 2] = True
            row, column = np.argwhere(corrupt_mask(mask, "shift", severity, 5))[0]
            distance = np.hypot(row - side // 2, column - side // 2) * 224 / side
            assert distance == pytest.approx(pixels, abs=0.75 * 224 / side)


def test_a_rotation_is_as_wide_as_stated() -> None:
    mask = np.zeros((401, 401), bool)
    mask[200, 200:391] = True
    for severity, degrees in enumerate(ROTATION_DEGREES, 1):
        rows, columns = np.nonzero(corrupt_mask(mask, "rotation", severity, 1))
        far = np.argmax(columns)
        assert np.degrees(abs(np.arctan2(rows[far] - 200, columns[far] - 200))) == pytest.approx(degrees, abs=0.3)


def test_noise_has_the_stated_deviation_at_mid_grey() -> None:
    image = np.full((224, 224, 3), 128, np.uint8)
    noise = corrupt(image, "noise", 3, 0).astype(float) - image
    assert noise.std() == pytest.approx(13, rel=0.02)
    assert abs(noise.mean()) < 0.2


def test_noise_survives_reduction_of_a_large_photograph() -> None:
    image = np.full((896, 896, 3), 128, np.uint8)
    reduced = corrupt(image, "noise", 3, 0).astype(float).reshape(224, 4, 224, 4, 3).mean((1, 3))
    assert reduced.std() == pytest.approx(13, rel=0.02)


def test_one_stop_halves_or_doubles_the_light() -> None:
    def light(value: int) -> float:
        return ((value / 255 + 0.055) / 1.055) ** 2.4

    image = np.full((8, 8, 3), 120, np.uint8)
    ratios = {round(light(int(corrupt(image, "brightness", 4, seed)[0, 0, 0])) / light(120), 1) for seed in range(20)}
    assert ratios == {0.5, 2.0}


def test_a_tiny_and_a_narrow_photograph() -> None:
    for shape in ((1, 1), (1, 30), (300, 3)):
        image = np.full((*shape, 3), 90, np.uint8)
        for name in CORRUPTIONS:
            for severity in (1, 5):
                assert corrupt(image, name, severity, 0).shape == image.shape
                assert corrupt_mask(np.ones(shape, bool), name, severity, 0).shape == shape


def test_a_photograph_has_its_own_seed() -> None:
    assert image_seed(0, "000.png") == image_seed(0, "000.png")
    assert len({image_seed(seed, name) for seed in range(3) for name in ("a.png", "b.png", "ü.png")}) == 9


@pytest.mark.parametrize(("name", "severity"), [("fog", 1), ("blur", 0), ("blur", 6), ("blur", True)])
def test_what_is_not_known_is_refused_with_the_cure(name: str, severity: int) -> None:
    with pytest.raises(ConfigurationError, match=r"choose one of|not one of 1"):
        corrupt(photograph(), name, severity, 0)
    with pytest.raises(ConfigurationError):
        corrupt_mask(spot(), name, severity, 0)


def test_what_is_no_photograph_is_refused() -> None:
    with pytest.raises(DataError):
        corrupt(np.zeros((4, 4), np.uint8), "blur", 1, 0)
    with pytest.raises(DataError):
        corrupt(np.zeros((4, 4, 3), np.float32), "blur", 1, 0)  # type: ignore[arg-type]


def test_blur_is_a_gaussian_of_the_stated_width() -> None:
    image = np.zeros((224, 224, 3), np.uint8)
    image[:, 112:] = 200
    for severity, sigma in enumerate((0.5, 1.0, 1.5, 2.25, 3.5), 1):
        slope = np.diff(corrupt(image, "blur", severity, 0)[100, :, 0].astype(float))
        place = np.arange(len(slope)) + 0.5 - 112
        assert np.sqrt((slope * (place + 0.5) ** 2).sum() / slope.sum()) == pytest.approx(sigma, rel=0.1)


def test_several_at_once_are_the_same_at_whole_severities() -> None:
    image, mask = photograph(), spot()
    for name in CORRUPTIONS:
        for severity in range(1, 6):
            np.testing.assert_array_equal(corrupt_all(image, {name: severity}, 3), corrupt(image, name, severity, 3))
            moved = corrupt_mask_all(mask, {name: severity}, 3)
            np.testing.assert_array_equal(moved, corrupt_mask(mask, name, severity, 3))
        np.testing.assert_array_equal(corrupt_all(image, {name: 0}, 3), image)
        between = [np.abs(corrupt_all(image, {name: s}, 3).astype(float) - image).mean() for s in (0.5, 1, 1.5, 2, 4.5)]
        assert between == sorted(between)
    both = corrupt_all(image, {"noise": 1.5, "shift": 2}, 3)
    np.testing.assert_array_equal(both, corrupt_all(corrupt(image, "shift", 2, 3), {"noise": 1.5}, 3))
    np.testing.assert_array_equal(
        corrupt_mask_all(mask, {"noise": 1.5, "shift": 2}, 3), corrupt_mask(mask, "shift", 2, 3)
    )


@pytest.mark.parametrize("severities", [{"fog": 1}, {"blur": 5.5}, {"blur": -1}, {"blur": True}, {"blur": np.nan}])
def test_several_are_refused_likewise(severities: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=r"choose one of|is not within 0 to 5"):
        corrupt_all(photograph(), severities, 0)
    with pytest.raises(ConfigurationError):
        corrupt_mask_all(spot(), severities, 0)
    with pytest.raises(DataError):
        corrupt_all(np.zeros((4, 4), np.uint8), {}, 0)
    with pytest.raises(DataError):
        corrupt_mask_all(np.zeros(4, bool), {}, 0)
