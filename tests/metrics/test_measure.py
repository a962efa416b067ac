"""Figures at the shipped threshold, and what is undefined."""

import numpy as np
import pytest

from flawspot.metrics import PixelScores, measure


def test_at_the_threshold() -> None:
    scores = np.array([0.1, 0.5, 0.9, 0.5, 0.6, 0.8])
    labels = np.array([False, False, False, True, True, True])
    metrics = measure(scores, None, labels, None, 0.5)
    # A score equal to the threshold is no alarm.
    counts = (metrics.true_positives, metrics.false_positives, metrics.true_negatives, metrics.false_negatives)
    assert counts == (2, 1, 2, 1)
    assert metrics.image_precision == pytest.approx(2 / 3)
    assert metrics.image_recall == pytest.approx(2 / 3)
    assert metrics.image_f1 == pytest.approx(2 / 3)
    assert metrics.image_false_alarm_rate == pytest.approx(1 / 3)
    assert (metrics.images, metrics.good_images, metrics.defective_images) == (6, 3, 3)


def test_without_masks_there_are_no_pixel_figures() -> None:
    metrics = measure(np.array([0.0, 1.0]), np.zeros((2, 4, 4), np.float32), np.array([False, True]), None, 0.5)
    assert metrics.pixel_auroc is metrics.pixel_ap is metrics.pixel_f1_max is metrics.pixel_aupro is None
    assert metrics.pixels == 0
    assert metrics.image_auroc == 1.0


def test_only_good_images() -> None:
    masks = np.zeros((2, 4, 4), bool)
    metrics = measure(np.array([0.0, 1.0]), np.zeros((2, 4, 4), np.float32), np.array([False, False]), masks, 0.5)
    assert metrics.image_auroc is None
    assert metrics.image_recall is None
    assert metrics.image_precision is metrics.image_f1 is metrics.image_ap is metrics.image_f1_max is None
    assert metrics.image_false_alarm_rate == 0.5
    assert metrics.pixel_aupro is metrics.pixel_ap is None
    assert metrics.regions == 0
    assert set(metrics.undefined.values()) == {"there are no defective photographs"}
    assert "image_false_alarm_rate" not in metrics.undefined


def test_only_defective_images() -> None:
    masks = np.zeros((2, 4, 4), bool)
    masks[:, 0, 0] = True
    metrics = measure(np.array([0.0, 1.0]), masks.astype(np.float32), np.array([True, True]), masks, 0.5)
    assert metrics.image_recall == 0.5
    known = {name for name, value in metrics.as_dict().items() if value is not None and type(value) is float}
    assert known == {"image_recall"}
    assert set(metrics.undefined.values()) == {"there are no good photographs"}
    assert (metrics.true_positives, metrics.false_negatives, metrics.regions) == (1, 1, 2)


def test_no_alarms_leave_precision_undefined() -> None:
    metrics = measure(np.array([0.0, 0.1]), None, np.array([False, True]), None, 0.5)
    assert metrics.image_precision is None
    assert metrics.undefined["image_precision"] == "no photograph was called anomalous"
    assert metrics.undefined["pixel_ap"] == "not every defective photograph has a mask"
    assert metrics.image_recall == 0.0


def test_counts_of_pixels_and_regions() -> None:
    masks = np.zeros((2, 8, 8), bool)
    masks[1, 0, 0] = masks[1, 4:6, 4:6] = True
    metrics = measure(np.array([0.0, 1.0]), masks.astype(np.float32), np.array([False, True]), masks, 0.5)
    assert (metrics.pixels, metrics.defective_pixels, metrics.regions) == (128, 5, 2)


def test_pixel_figures_are_those_of_the_maps() -> None:
    generator = np.random.default_rng(0)
    masks = np.zeros((4, 16, 16), bool)
    masks[2, 3:9, 3:9] = masks[3, 1:4, 10:15] = masks[3, 8, 8] = True
    maps = (generator.random((4, 16, 16)) + 0.5 * masks).astype(np.float32)
    scores, labels = maps.max((1, 2)), masks.any((1, 2))
    metrics = measure(scores, maps, labels, masks, 0.5)
    assert metrics.pixel_aupro_normalized == pytest.approx(metrics.pixel_aupro / 0.3)
    with PixelScores(100, 20) as pixels:
        pixels.add(maps, masks)
        streamed = measure(scores, None, labels, None, 0.5, pixels=pixels.curves())
    assert streamed.as_dict() == pytest.approx(metrics.as_dict(), abs=1e-12)


def test_keys_as_they_are_printed() -> None:
    metrics = measure(np.array([0.0, 1.0]), None, np.array([False, True]), None, 0.5)
    assert list(metrics.as_dict())[:12] == [
        "image_auroc",
        "image_ap",
        "image_f1_max",
        "pixel_auroc",
        "pixel_ap",
        "pixel_f1_max",
        "pixel_aupro",
        "pixel_aupro_normalized",
        "image_f1",
        "image_precision",
        "image_recall",
        "image_false_alarm_rate",
    ]
