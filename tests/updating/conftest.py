"""Detectors that can be updated, trained in seconds: random weights, 32 x 32 pixels."""

import functools

import numpy as np
import pytest
from PIL import Image

import flawspot

SETTINGS = {"padim": {"channels": 6}, "patchcore": {"bank_size": 600}}
"""With 64 patches of a photograph."""


def picture(seed, light=1.0):
    """(48, 48, 3) uint8: a part with some noise."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:48, :48] / 48
    common = 120 + 60 * np.sin(9 * x + 3 * y) * np.cos(7 * y)
    return np.clip(light * (common[:, :, None] + generator.normal(0, 10, (48, 48, 3))), 0, 255).astype(np.uint8)


def folder(path, count, *, first=0, light=1.0):
    """Photographs of good parts, PNG files in `path`."""
    path.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        Image.fromarray(picture(seed, light)).save(path / f"{seed:03d}.png")
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """``trained(method, **more)``: the file of a detector that can be updated, with its state beside it."""

    @functools.cache
    def make(method, **more):
        place = tmp_path_factory.mktemp(method)
        good = folder(place / "good", 20)
        flawspot.train(
            good,
            method=method,
            settings=SETTINGS[method],
            layers=(1, 2, 3),
            random_weights=True,
            input_size=more.pop("input_size", 32),
            state=True,
            false_alarm_rate=0.2,
            output=place / "part.onnx",
            progress=False,
            **more,
        )
        return place / "part.onnx"

    return make


@pytest.fixture(params=list(SETTINGS))
def part(request, trained):
    """A detector's file, of each of the methods that need no torch for it."""
    return trained(request.param)
