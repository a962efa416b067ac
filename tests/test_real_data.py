"""Detectors on real photographs, through the artifact. docs/results.md has the full table."""

import pytest

import flawspot
from flawspot.backbones.registry import family
from flawspot.backbones.weights import find
from flawspot.training.road import train

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.weights,
    pytest.mark.skipif(
        find("mobilenet_v2", family("mobilenet_v2").weights) is None, reason="flawspot weights pull mobilenet_v2"
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "settings", "pixel_f1"),
    [
        ("patchcore", {}, 0.70),
        ("padim", {}, 0.68),
        ("paste", {}, 0.68),
        ("cfa", {"epochs": 2}, 0.66),  # of 30
    ],
)
def test_bottle(method, settings, pixel_f1, real_data):
    data = real_data / "mvtec_ad" / "bottle"
    # As in docs/results.md; five fits more would take minutes.
    detector = flawspot.load(train(data, method=method, settings=settings, calibration="split"))
    metrics = flawspot.evaluate(detector, data).metrics
    assert metrics.pixel_f1_max >= pixel_f1
    assert metrics.image_auroc >= 0.99
    assert metrics.pixel_auroc >= 0.97
    # At the threshold of only 42 held-out photographs; PaSTe reaches 1.0 with the published schedule.
    assert metrics.image_recall >= 0.85


@pytest.mark.slow
def test_magnetic_tile(real_data):
    """Grey JPEGs of many sizes."""
    data = real_data / "magnetic_tile"
    detector = flawspot.load(train(data, method="padim"))
    metrics = flawspot.evaluate(detector, data).metrics
    assert metrics.pixel_f1_max >= 0.30
    assert metrics.image_auroc >= 0.87
    # 154 held-out images can promise the asked rate. The test images come from other blocks of the acquisition, so they
    # are not quite the same population, and the rate is exceeded.
    assert detector.manifest.calibration.promised_rate == 0.01
    assert metrics.image_false_alarm_rate <= 0.1
