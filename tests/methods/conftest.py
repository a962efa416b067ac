"""Fitted methods on a small random backbone: 64 x 64 pixels, so that a whole fit takes a second or two."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from flawspot.backbones.block_list import BlockList, initialise
from flawspot.backbones.layer_groups import resolve
from flawspot.backbones.registry import create
from flawspot.methods.base import Method
from flawspot.methods.features import FeatureSet
from flawspot.methods.registry import create_method
from flawspot.runtime.detector import OUTPUTS
from flawspot.training.graph import DetectorGraph, Preprocess, to_onnx

BACKBONE = "mobilenet_v2"
SIZE = 64
SMALL = {
    "patchcore": {"bank_size": 500},
    "padim": {},
    "cfa": {"epochs": 2},
    "stfpm": {"epochs": 20, "batch_size": 4},
    "paste": {"epochs": 30, "batch_size": 4},
}
"""Settings that keep the tests quick; a method not named here is tested with its defaults."""


@dataclass(frozen=True)
class Fitted:
    """A fitted method with the network it was fitted on."""

    method: Method
    network: BlockList
    preprocess: Preprocess

    @property
    def graph(self) -> DetectorGraph:
        return DetectorGraph(self.preprocess, self.network, self.method.head()).eval()

    def maps(self, images: NDArray[np.uint8]) -> dict[int, Tensor]:
        """What the head is given for (N, H, W, 3) photographs."""
        with torch.no_grad():
            return self.network(self.preprocess(torch.from_numpy(images)))


def photographs(count: int, seed: int = 0, size: int = SIZE) -> NDArray[np.uint8]:
    """(N, size, size, 3): smooth random patterns that resemble each other."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    common = 120 + 60 * np.sin(9 * x + 3 * y) * np.cos(7 * y)
    images = common[None, :, :, None] + generator.normal(0, 12, (count, size, size, 3))
    return np.clip(images, 0, 255).astype(np.uint8)


def fit(name: str, *, seed: int = 0, layers: str | None = None, **settings: object) -> Fitted:
    """Fit a method afresh; its name may be followed by settings, as in ``padim covariance=diagonal``."""
    name, *variant = name.split()
    given = dict(setting.split("=") for setting in variant)
    method = create_method(name, {**SMALL.get(name, {}), **given, **settings}, seed=seed)
    taps = resolve(BACKBONE, layers or method.default_layers)
    network = create(BACKBONE, method.required(taps, BACKBONE))
    initialise(network, 5)
    network.frozen()
    preprocess = Preprocess(SIZE, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    fitted = Fitted(method, network, preprocess)

    def features(images: NDArray[np.uint8]) -> FeatureSet:
        maps = {layer: tensor.numpy() for layer, tensor in fitted.maps(images).items()}
        return FeatureSet(network, taps, SIZE, maps)

    validation = features(photographs(4, seed=1)) if method.validation_fraction else None
    method.fit(features(photographs(12)), validation)
    return fitted


@pytest.fixture(scope="session")
def fitted() -> Callable[[str], Fitted]:
    """``fitted(name)``: that method with the settings of `SMALL`, fitted once."""
    return functools.cache(fit)


@pytest.fixture(scope="session")
def exported(fitted: Callable[[str], Fitted]) -> Callable[[str], bytes]:
    """``exported(name)``: the ONNX model of ``fitted(name)``."""
    return functools.cache(lambda name: to_onnx(fitted(name).graph, OUTPUTS))


@pytest.fixture(scope="session")
def fit_method() -> Callable[..., Fitted]:
    """`fit`, for settings of one's own."""
    return fit


@pytest.fixture(scope="session")
def make_photographs() -> Callable[..., NDArray[np.uint8]]:
    """`photographs`."""
    return photographs
