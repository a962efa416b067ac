"""Every registered backbone in ONNX Runtime computes what it computes in torch."""

import numpy as np
import pytest
import torch

from flawspot.backbones.block_list import INPUT, initialise
from flawspot.backbones.registry import create, families, family
from flawspot.runtime.session import open_session
from flawspot.training.graph import FeatureGraph, Preprocess, to_onnx


@pytest.mark.slow
@pytest.mark.parametrize("name", list(families()))
def test_every_layer_in_onnx_runtime(name: str, one_thread: None) -> None:
    network = create(name, range(INPUT, family(name).last + 1))
    initialise(network, 1)
    file = family(name).weights[0]
    graph = FeatureGraph(Preprocess(64, file.mean, file.std), network.frozen())
    names = [f"layer {tap}" for tap in network.taps]
    session = open_session(to_onnx(graph, names), threads=1)
    images = np.random.default_rng(0).integers(0, 256, (3, 70, 50, 3), np.uint8)
    with torch.no_grad():
        expected = graph(torch.from_numpy(images))
    for tap, want, got in zip(network.taps, expected, session.run(names, {"image": images}), strict=True):
        scale = float(want.abs().max())
        np.testing.assert_allclose(got, want, atol=1e-4 * scale, err_msg=f"layer {tap}")
