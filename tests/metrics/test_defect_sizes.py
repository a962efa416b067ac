"""Small-defect analysis against a plain reference."""

import numpy as np
import pytest
from scipy import ndimage

from flawspot.errors import DataError
from flawspot.metrics import rank_pixels
from flawspot.metrics.defect_sizes import DEFAULT_BANDS, defect_sizes


def f1(hits: int, alarms: int, defective: int) -> float:
    return 2 * hits / (hits + alarms + defective)


def reference(maps: np.ndarray, masks: np.ndarray, bands: tuple[tuple[float, float], ...]) -> list[dict]:
    """Every threshold and every region in turn."""
    good, defective = maps[~masks], maps[masks]
    thresholds = np.unique(maps)[::-1]
    best = max(thresholds, key=lambda t: f1((defective >= t).sum(), (good >= t).sum(), len(defective)))
    regions = []
    for one_map, mask in zip(maps, masks, strict=True):
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        regions += [one_map[labels == k] for k in range(1, count + 1)]
    result = []
    for smallest, largest in bands:
        chosen = [r for r in regions if smallest <= 1000 * len(r) / maps[0].size < largest + (largest == 1000)]
        pixels = np.concatenate([*chosen, []])
        found = sum(2 * (r >= best).sum() >= len(r) for r in chosen)
        result.append(
            {
                "smallest": smallest,
                "largest": largest,
                "regions": len(chosen),
                "found": found,
                "recall": found / len(chosen) if chosen else None,
                "f1_max": max(f1((pixels >= t).sum(), (good >= t).sum(), len(pixels)) for t in thresholds)
                if chosen
                else None,
            }
        )
    return result


def sample(seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    masks = np.zeros((5, 32, 32), bool)
    for mask in masks[1:]:
        for _ in range(4):
            side = int(np.exp(generator.uniform(0, 2.7)))
            row, column = generator.integers(0, 32, 2)
            mask[row : row + side, column : column + side] = True
    maps = generator.normal(1.2 * masks, 1.0)
    return (np.round(maps) if ties else maps).astype(np.float32), masks


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_equals_the_reference(seed: int, ties: bool) -> None:
    maps, masks = sample(seed, ties)
    bands = ((0, 2), (2, 10), (10, 60), (60, 1000))
    found = defect_sizes(maps, masks, bands)
    assert sum(band["regions"] for band in found) == rank_pixels(maps, masks).regions
    for band, expected in zip(found, reference(maps, masks, bands), strict=True):
        assert band == pytest.approx(expected, abs=1e-12)


def test_one_band_over_all_sizes_is_the_ordinary_figure() -> None:
    maps, masks = sample(1, False)
    (band,) = defect_sizes(maps, masks, ((0, 1000),))
    assert band["f1_max"] == pytest.approx(rank_pixels(maps, masks).f1_max, abs=1e-12)


def test_a_missed_small_defect_beside_a_found_large_one() -> None:
    maps, masks = np.zeros((1, 40, 40), np.float32), np.zeros((1, 40, 40), bool)
    masks[0, 0:20, 0:20] = maps[0, 0:20, 0:20] = True  # 250 thousandths
    masks[0, 30, 30] = True  # 0.625 thousandths, map 0
    bands = defect_sizes(maps, masks)
    assert [(b["regions"], b["found"], b["recall"]) for b in bands] == [
        (0, 0, None),
        (1, 0, 0.0),
        (0, 0, None),
        (0, 0, None),
        (1, 1, 1.0),
    ]
    assert bands[4]["f1_max"] == 1.0
    assert bands[0]["f1_max"] is None


def test_half_of_a_defect_is_enough_and_less_is_not() -> None:
    maps, masks = np.zeros((1, 100, 100), np.float32), np.zeros((1, 100, 100), bool)
    masks[0, 0:2, 0:4] = masks[0, 50:52, 0:4] = True
    maps[0, 0, 0:4] = 1  # 4 of 8
    maps[0, 50, 0:3] = 1  # 3 of 8
    (band,) = defect_sizes(maps, masks, ((0, 1000),))
    assert (band["regions"], band["found"]) == (2, 1)


def test_a_defect_of_the_whole_photograph_belongs_to_the_last_band() -> None:
    bands = defect_sizes(np.ones((1, 8, 8), np.float32), np.ones((1, 8, 8), bool))
    assert [b["regions"] for b in bands] == [0, 0, 0, 0, 1]
    assert bands[-1]["f1_max"] == 1.0


def test_a_set_without_defects_has_no_figures() -> None:
    bands = defect_sizes(np.ones((2, 8, 8), np.float32), np.zeros((2, 8, 8), bool))
    assert len(bands) == len(DEFAULT_BANDS)
    assert all((b["regions"], b["found"], b["recall"], b["f1_max"]) == (0, 0, None, None) for b in bands)


def test_what_cannot_be_measured_is_refused() -> None:
    maps, masks = np.ones((1, 8, 8), np.float32), np.zeros((1, 8, 8), bool)
    with pytest.raises(DataError, match="do not fit"):
        defect_sizes(maps, masks[:, :4])
    with pytest.raises(DataError, match="not a number"):
        defect_sizes(maps * np.nan, masks)
    with pytest.raises(DataError, match="ascend"):
        defect_sizes(maps, masks, ((0, 5), (3, 9)))
    with pytest.raises(DataError, match="no scores"):
        defect_sizes(maps[:0], masks[:0])
