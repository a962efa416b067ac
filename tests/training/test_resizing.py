"""The resize in plain operators against torch's antialiased interpolation."""

import dataclasses

import numpy as np
import onnx
import pytest
import torch

from flawspot.runtime.inspected import Inspected
from flawspot.runtime.reduced import prepare
from flawspot.runtime.session import open_session
from flawspot.runtime.view import View
from flawspot.training.graph import Preprocess, to_onnx
from flawspot.training.tiles import Blend

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
    plain = exact(image, module.view.height) - module.mean.numpy()
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


VIEWS = [View(64, 96), View(64, 64, "squash", 2, 3, (16, 24)), View(64, 96, "squash", 3, 1)]
REGION = Inspected.of(np.random.default_rng(0).random((37, 50)) > 0.3)


class Seen(torch.nn.Module):
    """What is shown of a photograph, and what is looked at, both on the canvas."""

    def __init__(self, view):
        super().__init__()
        self.preprocess, self.blend = Preprocess(view, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2)), Blend(view)

    def forward(self, image):
        tiles, inside = self.preprocess.seen(image)
        return self.blend(tiles.sum(1)), self.blend(tiles[:, 0] if inside is None else inside)


@pytest.mark.grid(3)
@pytest.mark.parametrize("region", [None, REGION], ids=["all", "region"])
@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_the_canvas_in_the_graph_is_that_of_the_view(view, fit, region):
    view = dataclasses.replace(view, fit=fit, inspected=region)
    module = Seen(view).eval()
    model = to_onnx(module, ["shown", "inside"])
    session = open_session(model)
    assert {node.op_type for node in onnx.load_from_string(model).graph.node}.isdisjoint({"Resize", "If", "Loop"})
    for height, width in ((40, 48), (100, 300), (300, 100), (500, 501), view.canvas, (1, 7)):
        image = np.random.default_rng(width).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
        found, inside = session.run(None, {"image": image})
        with torch.no_grad():
            np.testing.assert_allclose(found, module(torch.from_numpy(image))[0].numpy(), atol=2e-3)
        told = view.inside((width, height))
        if told is not None:
            np.testing.assert_allclose(inside, np.broadcast_to(told, inside.shape), atol=1e-6)
            assert not found[:, ~told].any()  # the mean colour


@pytest.mark.grid(1)
@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@pytest.mark.parametrize("size", [(2000, 1500), (1500, 2000), (3000, 800)])
def test_a_large_photograph_is_reduced_to_what_the_graph_would_make_of_it(fit, size):
    view = View(64, 96, fit, 2, 2, (16, 24))
    session = open_session(to_onnx(Seen(view).eval(), ["shown", "inside"]))
    y, x = np.mgrid[: size[1], : size[0]]
    image = np.stack([x % 251, y % 241, (x // 7 + y // 5) % 256], 2).astype(np.uint8)
    reduced = prepare(image, view)
    assert reduced.pixels.shape[:2] == view.reduced(size)[::-1]
    found, wanted = (session.run(["shown"], {"image": pixels[None]})[0] for pixels in (reduced.pixels, image))
    np.testing.assert_allclose(found, wanted, atol=3 * 1.01 / 255 / 0.2)  # a grey level in each of three channels
