"""A small feature graph in float, and photographs to quantize it with."""

import numpy as np
import onnx
import pytest

from flawspot.backbones.registry import create_random
from flawspot.training.graph import FeatureGraph, Preprocess, to_onnx

TAPS = (3, 8)
NAMES = ["early", "late"]


@pytest.fixture(scope="session")
def photographs():
    """Smooth pictures of 64 x 64 with a bright disc."""
    made = []
    for seed in range(6):
        generator = np.random.default_rng(seed)
        y, x = np.mgrid[:64, :64] / 64
        disc = np.hypot(x - generator.uniform(0.4, 0.6), y - 0.5) < 0.3
        grey = 60 + 100 * disc + 40 * np.sin(9 * x + seed) + generator.normal(0, 5, (64, 64))
        made.append(np.clip(np.stack([grey, grey * 0.8, grey * 0.6 + 20], 2), 0, 255).astype(np.uint8))
    return made


@pytest.fixture(scope="session")
def float_model():
    """Two taps of an untrained MobileNetV2 at 64 x 64: residual additions and clips are in it."""
    network, loaded = create_random("mobilenet_v2", TAPS, 0)
    data = to_onnx(FeatureGraph(Preprocess(64, loaded.mean, loaded.std), network), NAMES)
    return onnx.load_from_string(data)
