"""The curves against scikit-learn and a slow AUPRO."""

import itertools

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from flawspot.errors import DataError
from flawspot.metrics import AUPRO_LIMIT, RankedScores, measure


def sample(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.random(700) < (0.01 if kind == "rare" else 0.3)
    labels[:2] = [True, False]
    scores = generator.normal(labels * 0.8, 1.0)
    if kind == "ties":
        scores = np.round(scores)
    if kind == "constant":
        scores[:] = 0.25
    return (scores.astype(np.float32) if kind == "float32" else scores), labels


@pytest.mark.parametrize("kind", ["smooth", "ties", "constant", "rare", "float32"])
@pytest.mark.parametrize("seed", range(4))
def test_equals_scikit_learn(kind: str, seed: int) -> None:
    scores, labels = sample(kind, seed)
    ranked = RankedScores(scores, labels)
    assert ranked.auroc() == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    assert ranked.average_precision() == pytest.approx(average_precision_score(labels, scores), abs=1e-9)
    precision, recall, _ = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    assert ranked.f1_max() == pytest.approx(f1.max(), abs=1e-9)


def test_a_perfect_and_a_reversed_ranking() -> None:
    labels = np.array([False, False, True, True])
    ranked = RankedScores(np.arange(4.0), labels)
    assert (ranked.auroc(), ranked.average_precision(), ranked.f1_max()) == (1.0, 1.0, 1.0)
    assert RankedScores(-np.arange(4.0), labels).auroc() == 0.0


@pytest.mark.parametrize("label", [True, False])
def test_one_class_leaves_figures_undefined(label: bool) -> None:
    ranked = RankedScores(np.arange(3.0), np.full(3, label))
    assert ranked.auroc() is None
    assert (ranked.f1_max() is None) == (not label)
    assert (ranked.average_precision() is None) == (not label)


@pytest.mark.parametrize("scores", [[], [1.0, float("nan")]])
def test_scores_that_cannot_be_ranked(scores: list[float]) -> None:
    with pytest.raises(DataError):
        RankedScores(np.array(scores), np.zeros(len(scores), bool))


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


@pytest.mark.parametrize("levels", [3, 20, None])
@pytest.mark.parametrize("seed", range(4))
def test_aupro_equals_the_slow_way(levels: int | None, seed: int) -> None:
    generator = np.random.default_rng(seed)
    masks = ndimage.binary_dilation(generator.random((5, 24, 24)) < 0.008, structure=np.ones((1, 3, 3)), iterations=2)
    masks[0] = False
    maps = generator.random((5, 24, 24)) + 0.5 * masks
    if levels:
        maps = np.round(maps * levels) / levels
    metrics = measure(np.zeros(5), maps, masks.any((1, 2)), masks, 0.5)
    assert metrics.pixel_aupro == pytest.approx(slow_aupro(maps, masks, AUPRO_LIMIT), abs=1e-9)
    assert metrics.pixel_aupro_normalized == pytest.approx(metrics.pixel_aupro / 0.3)


def test_aupro_of_a_perfect_map_is_the_limit() -> None:
    masks = np.zeros((2, 10, 10), bool)
    masks[1, 2:5, 2:5] = True
    metrics = measure(np.array([0.0, 1.0]), masks.astype(np.float32), np.array([False, True]), masks, 0.5)
    assert metrics.pixel_aupro == pytest.approx(0.3)
    assert metrics.pixel_aupro_normalized == pytest.approx(1.0)
    assert metrics.pixel_f1_max == 1.0


def test_small_regions_count_as_much_as_large_ones() -> None:
    masks = np.zeros((1, 10, 10), bool)
    masks[0, 0, 0] = masks[0, 4:10, 4:10] = True
    found_small = np.zeros((1, 10, 10), np.float32)
    found_small[0, 0, 0] = 1.0
    overlap = np.full(37, 0.5 / 36)
    overlap[0] = 0.5
    # Half the regions are found without a false alarm; the rest comes only with all pixels at once.
    area = RankedScores(found_small.ravel(), masks.ravel(), overlap).aupro()
    assert area == pytest.approx(0.3 * (0.5 + 0.5 + 0.3 * 0.5) / 2)
