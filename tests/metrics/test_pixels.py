"""Pixel figures against scikit-learn, a slow AUPRO and a sort of everything; through a file; and their memory."""

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from flawspot.errors import DataError, FlawspotError
from flawspot.metrics import AUPRO_LIMIT, Curves, PixelScores, rank_pixels
from flawspot.runtime.regions import label_regions


def sample(levels: int | None, seed: int, count: int = 5, size: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Maps, of few distinct values if `levels` is given, and masks; the first image is good."""
    generator = np.random.default_rng(seed)
    seeds = generator.random((count, size, size)) < 0.008
    masks = ndimage.binary_dilation(seeds, structure=np.ones((1, 3, 3)), iterations=2)
    masks[0] = False
    maps = generator.random((count, size, size)) + 0.5 * masks
    if levels:
        maps = np.round(maps * levels) / levels
    return maps.astype(np.float32), masks


def slow_aupro(maps: np.ndarray, masks: np.ndarray, limit: float) -> float:
    """Every threshold in turn, every region by itself."""
    regions = []
    for index, mask in enumerate(masks):
        labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
        regions += [(index, labels == number) for number in range(1, count + 1)]
    rates, overlaps = [0.0], [0.0]
    for threshold in np.unique(maps)[::-1]:
        above = maps >= threshold
        rates.append((above & ~masks).sum() / (~masks).sum())
        overlaps.append(float(np.mean([above[i][region].mean() for i, region in regions])))
    area = 0.0
    for (x0, x1), (y0, y1) in zip(itertools.pairwise(rates), itertools.pairwise(overlaps), strict=True):
        if x0 >= limit:
            break
        if x1 > limit:
            y1 = y0 + (limit - x0) / (x1 - x0) * (y1 - y0)
            x1 = limit
        area += (x1 - x0) * (y0 + y1) / 2
    return area


def sorting_aupro(maps: np.ndarray, masks: np.ndarray, limit: float) -> float:
    """One sort of all pixels, with the overlap and the false-positive rate at each distinct score."""
    weights = np.zeros(masks.shape)
    regions = 0
    for weight, mask in zip(weights, masks, strict=True):
        labels, count = label_regions(mask)
        weight[mask] = 1 / np.bincount(labels[mask], minlength=1)[labels[mask]]
        regions += count
    order = np.argsort(maps, axis=None)[::-1]
    ranked = maps.reshape(-1)[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    overlap = np.concatenate([[0.0], np.cumsum(weights.reshape(-1)[order])[ends] / regions])
    rate = np.concatenate([[0.0], np.cumsum(~masks.reshape(-1)[order])[ends] / (~masks).sum()])
    inside = rate <= limit
    height = np.append(overlap[inside], np.interp(limit, rate, overlap))
    return float(np.sum(np.diff(np.append(rate[inside], limit)) * (height[1:] + height[:-1]) / 2))


def assert_same(one: Curves, other: Curves) -> None:
    """Equal up to the rounding of sums."""
    assert (one.positives, one.negatives, one.regions) == (other.positives, other.negatives, other.regions)
    assert (one.auroc, one.f1_max) == (other.auroc, other.f1_max)
    assert one.average_precision == pytest.approx(other.average_precision, abs=1e-12)
    assert one.aupro == pytest.approx(other.aupro, abs=1e-12)


@pytest.mark.parametrize("levels", [1, 3, 20, None])
@pytest.mark.parametrize("seed", range(4))
def test_equals_scikit_learn_and_the_slow_aupro(levels: int | None, seed: int) -> None:
    maps, masks = sample(levels, seed)
    curves = rank_pixels(maps, masks)
    scores, labels = maps.reshape(-1), masks.reshape(-1)
    assert curves.auroc == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    assert curves.average_precision == pytest.approx(average_precision_score(labels, scores), abs=1e-9)
    precision, recall, _ = precision_recall_curve(labels, scores)
    assert curves.f1_max == pytest.approx((2 * precision * recall / (precision + recall + 1e-300)).max(), abs=1e-9)
    assert curves.aupro == pytest.approx(slow_aupro(maps, masks, AUPRO_LIMIT), abs=1e-9)


@pytest.mark.parametrize("limit", [0.01, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("levels", [2, 10, 255, None])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_aupro_equals_a_sort_of_everything(kind: type, levels: int | None, limit: float) -> None:
    maps, masks = sample(levels, 7, count=6, size=100)
    maps = maps.astype(kind)
    assert rank_pixels(maps, masks, limit).aupro == pytest.approx(sorting_aupro(maps, masks, limit), abs=1e-9)


def test_scores_in_float64_are_not_rounded() -> None:
    maps = 1 + np.array([[[0, 1, 2, 3]]]) * 1e-12
    masks = np.array([[[False, True, False, True]]])
    assert rank_pixels(maps, masks).auroc == 0.75
    with pytest.raises(DataError, match="wider"), PixelScores(4, 4) as pixels:
        pixels.add(maps, masks)


def test_a_limit_at_a_corner_of_the_curve() -> None:
    # Ten good pixels: the rate is exactly 0.3 where the defective one is found, and where it ties with the fourth.
    masks = np.zeros((1, 1, 11), bool)
    masks[0, 0, 10] = True
    maps = np.arange(10, -1, -1, dtype=np.float32)[None, None]
    for score, area in [(7.5, 0.0), (7.0, 0.0), (8.0, 0.05), (8.5, 0.1)]:
        maps[0, 0, 10] = score
        assert rank_pixels(maps, masks).aupro == pytest.approx(area)


def test_aupro_of_one_region_found_at_once_is_the_limit() -> None:
    masks = np.zeros((2, 10, 10), bool)
    masks[1, 2:5, 2:5] = True
    curves = rank_pixels(masks.astype(np.float32), masks)
    assert curves.aupro == pytest.approx(0.3)
    assert (curves.regions, curves.f1_max, curves.auroc) == (1, 1.0, 1.0)


def test_small_regions_count_as_much_as_large_ones() -> None:
    masks = np.zeros((1, 10, 10), bool)
    masks[0, 0, 0] = masks[0, 4:10, 4:10] = True
    found_small = np.zeros((1, 10, 10), np.float32)
    found_small[0, 0, 0] = 1.0
    # Half the regions are found without a false alarm; the rest comes only with all pixels at once.
    assert rank_pixels(found_small, masks).aupro == pytest.approx(0.3 * (0.5 + 0.5 + 0.3 * 0.5) / 2)


@pytest.mark.parametrize("defective", [False, True])
def test_one_class_leaves_figures_undefined(defective: bool) -> None:
    curves = rank_pixels(np.random.default_rng(0).random((2, 5, 5), np.float32), np.full((2, 5, 5), defective))
    assert curves.auroc is None
    assert curves.aupro is None
    assert curves.f1_max == (1.0 if defective else None)
    assert curves.average_precision == (pytest.approx(1.0) if defective else None)
    assert (curves.positives, curves.negatives) == ((50, 0) if defective else (0, 50))


def test_infinities_are_scores_like_others() -> None:
    maps, masks = sample(4, 1)
    infinite = np.where(maps == maps.max(), np.inf, np.where(maps == maps.min(), -np.inf, maps)).astype(np.float32)
    assert rank_pixels(infinite, masks) == rank_pixels(maps, masks)


@pytest.mark.parametrize("defective", [False, True])
def test_a_score_that_is_not_a_number(defective: bool) -> None:
    maps, masks = sample(None, 2)
    maps[tuple(np.argwhere(masks == defective)[0])] = np.nan
    with pytest.raises(DataError, match="not a number"):
        rank_pixels(maps, masks)


def test_nothing_to_measure_and_shapes_that_differ() -> None:
    with pytest.raises(DataError, match="no scores"):
        rank_pixels(np.zeros((0, 4, 4), np.float32), np.zeros((0, 4, 4), bool))
    with pytest.raises(DataError, match="no scores"), PixelScores(4, 4) as pixels:
        pixels.curves()
    with pytest.raises(DataError, match="fit each other"):
        rank_pixels(np.zeros((2, 4, 4), np.float32), np.zeros((2, 4, 5), bool))


@pytest.mark.parametrize("levels", [1, 12, None])
@pytest.mark.parametrize(("good", "defective"), [(7, 3), (100, 1000), (1000, 40), (10**5, 10**5)])
def test_through_a_file_the_figures_are_the_same(good: int, defective: int, levels: int | None, tmp_path: Path) -> None:
    maps, masks = sample(levels, 3)
    with PixelScores(good, defective, folder=tmp_path) as pixels:
        pixels.add(maps[:3], masks[:3])
        for one_map, one_mask in zip(maps[3:], masks[3:], strict=True):
            pixels.add(one_map, one_mask)
        assert_same(pixels.curves(), rank_pixels(maps, masks))
    assert not list(tmp_path.iterdir())


def test_in_float64_through_a_file(tmp_path: Path) -> None:
    maps, masks = sample(None, 4)
    maps = maps + np.random.default_rng(0).random(maps.shape) * 1e-10
    with PixelScores(500, 50, dtype=np.float64, folder=tmp_path) as pixels:
        pixels.add(maps, masks)
        assert_same(pixels.curves(), rank_pixels(maps, masks))


def test_figures_on_the_way(tmp_path: Path) -> None:
    maps, masks = sample(9, 5)
    with PixelScores(300, 30, folder=tmp_path) as pixels:
        for stop in range(2, 6):
            pixels.add(maps[:2] if stop == 2 else maps[stop - 1], masks[:2] if stop == 2 else masks[stop - 1])
            assert_same(pixels.curves(), rank_pixels(maps[:stop], masks[:stop]))


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    maps, masks = sample(None, 6)
    with pytest.raises(FlawspotError, match="temporary file"), PixelScores(10, 10, folder=tmp_path / "no") as pixels:
        pixels.add(maps, masks)


def large_set(count: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(8)
    masks = np.zeros((count, 224, 224), bool)
    for index in range(0, count, 2):
        top, left = generator.integers(0, 150, 2)
        masks[index, top : top + 70, left : left + 60] = True
    return generator.random((count, 224, 224), np.float32) + np.float32(0.3) * masks, masks


def test_memory_stays_under_six_bytes_per_pixel() -> None:
    maps, masks = large_set(60)
    tracemalloc.start()
    try:
        rank_pixels(maps, masks)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak / maps.size < 6


def test_memory_through_a_file_does_not_grow_with_the_set(tmp_path: Path) -> None:
    maps, masks = large_set(24)
    peaks = []
    for count in (6, 24):
        tracemalloc.start()
        try:
            with PixelScores(100_000, 20_000, folder=tmp_path) as pixels:
                pixels.add(maps[:count], masks[:count])
                pixels.curves()
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 4 * 100_000 + 8 * 20_000 + (5 << 20)
