"""The resize in plain operators against torch's antialiased interpolation."""

import numpy as np
import onnx
import pytest
import torch

from flawspot.runtime.session import open_session
from flawspot.training.graph import Preprocess, to_onnx

SHAPES = [(1, 1), (1, 300), (97, 96), (98, 97), (31, 250), (640, 480), (1500, 40), (3, 3000)]


def exact(image, size):
    """(N, H, W, 3) -> (N, 3, S, S) float64, by the definition."""

    def weights(length):
        centres = (np.arange(size)[:, None] + 0.5) * length / size
        away = np.abs(np.arange(length) + 0.5 - centres) / max(length / size, 1)
        table = np.maximum(1 - away, 0)
        return table / table.sum(1, keepdims=True)

    _, height, width, _ = image.shape
    return np.einsum("ih,nhwc,jw->ncij", weights(height), image.astype(np.float64), weights(width), optimize=True)


@pytest.fixture(scope="module", params=[96, 97, 98, 99, 1, 3])
def both(request):
    module = Preprocess(request.param, (0.0, 0.1, 0.2), (1 / 255, 1 / 255, 1 / 128)).eval()
    return module, to_onnx(module, ["resized"])


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_equals_torch(both, height, width):
    module, model = both
    rng = np.random.default_rng(height * 7 + width)
    image = rng.integers(0, 256, (2, height, width, 3)).astype(np.uint8)
    found = open_session(model).run(None, {"image": image})[0]
    expected = module(torch.from_numpy(image)).numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=5e-3, rtol=0)  # of 255; torch's places are rounded to float32
    plain = exact(image, module.size) - module.mean.numpy()
    np.testing.assert_allclose(found, plain / module.std.numpy(), atol=2e-4, rtol=0)


def test_a_flat_photograph_stays_flat(both):
    _, model = both
    image = np.full((1, 391, 777, 3), 255, np.uint8)
    found = open_session(model).run(None, {"image": image})[0]
    np.testing.assert_allclose(found, np.broadcast_to(found[:, :, :1, :1], found.shape), atol=2e-4)


def test_plain_operators_alone(both):
    model = onnx.load_from_string(both[1])
    operators = {node.op_type for node in model.graph.node}
    assert "Resize" not in operators
    assert {entry.domain for entry in model.opset_import} <= {""}
    assert {node.domain for node in model.graph.node} == {""}
    onnx.checker.check_model(model, full_check=True)
