"""Graphs that are recorded from one run, against those of torch's exporter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from flawspot.backbones.registry import create_random, families
from flawspot.methods.features import FeatureSet
from flawspot.methods.stfpm.method import STFPM
from flawspot.methods.stfpm.paste import PaSTe
from flawspot.runtime.detector import OUTPUTS
from flawspot.runtime.seen import value_of
from flawspot.runtime.session import open_session
from flawspot.runtime.view import View
from flawspot.training import graph as graph_module
from flawspot.training.graph import DetectorGraph, FeatureGraph, Preprocess, WatchedDetectorGraph, to_onnx
from flawspot.training.recorded_graph import Input
from flawspot.training.recording import record

TAPS = {"wide_resnet50_2": (1,)}
"""Its first layer is a convolution whose batch norm is in the next."""
RECORDED = sorted(set(families()) - {"micronet_m1"})
"""MicroNet has other operators for the same: it divides its channels, which the exporter writes as parts of them."""


def as_computed(data: bytes) -> dict[str, object]:
    """What a graph computes, whatever its values are called: operators, attributes and constants, from its outputs."""
    model = onnx.load_from_string(data)
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    made = {node.output[0]: node for node in model.graph.node}
    found: dict[str, object] = {}

    def of(name: str) -> object:
        if name not in found and name in constants:
            array = constants[name]
            found[name] = hash((array.dtype.str, array.shape, array.tobytes()))
        elif name not in found and name in made:
            node = made[name]
            attributes = sorted((each.name, str(helper.get_attribute_value(each))) for each in node.attribute)
            found[name] = hash((node.op_type, node.domain, tuple(attributes), tuple(map(of, node.input))))
        return found.get(name, name)

    told = {f"{each.name} is": str(each) for each in (*model.graph.input, *model.graph.output)}
    named = {name: of(name) for name in made if name.startswith("flawspot.")}
    weights = {name for name in constants if name.startswith(("backbone.", "head."))}
    opsets = [(each.domain, each.version) for each in model.opset_import]
    return {
        **{each.name: of(each.name) for each in model.graph.output},
        **told,
        **named,
        "nodes": sorted(node.op_type for node in model.graph.node),
        "weights": weights,
        "opsets": opsets,
        "ir": model.ir_version,
    }


@pytest.fixture
def recorded(monkeypatch):
    """The fast way alone."""

    def refuse(*_: object, **__: object) -> onnx.ModelProto:
        raise AssertionError("the exporter was asked")

    def write(graph: nn.Module, outputs: list[str], hidden: list[str] | tuple[str, ...] = ()) -> bytes:
        with monkeypatch.context() as patch:
            patch.setattr(graph_module, "_exported", refuse)
            patch.setattr(graph_module, "is_known", lambda graph: True)
            return to_onnx(graph, outputs, hidden)

    return write


def network_of(name: str, taps: tuple[int, ...]) -> nn.Module:
    """With statistics of its batch norms that do not vanish."""
    network, _ = create_random(name, taps, seed=0)
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return network


@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDED)
def test_a_backbone_is_recorded_as_the_exporter_writes_it(name, recorded):
    network = network_of(name, TAPS.get(name, (-1, 2, 4)))
    graph = FeatureGraph(Preprocess(64, (0.4, 0.5, 0.6), (0.2, 0.3, 0.2)), network)
    names = [f"layer_{tap}" for tap in network.taps]
    assert as_computed(recorded(graph, names)) == as_computed(to_onnx(graph, names, plain=True))


@pytest.mark.slow
def test_micronet_is_recorded_and_computes_the_same(recorded):
    network = network_of("micronet_m1", (-1, 2, 4))
    graph = FeatureGraph(Preprocess(64, (0.4, 0.5, 0.6), (0.2, 0.3, 0.2)), network)
    names = [f"layer_{tap}" for tap in network.taps]
    images = np.random.default_rng(0).integers(0, 256, (3, 50, 40, 3), np.uint8)
    models = recorded(graph, names), to_onnx(graph, names, plain=True)
    for one, other in zip(*(open_session(each).run(names, {"image": images}) for each in models), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [PaSTe(share=0, epochs=1, batch_size=4), STFPM(epochs=1, batch_size=4, students=2)],
    ids=["paste", "two students"],
)
def test_students_are_recorded_as_the_exporter_writes_them(method, recorded):
    size, source = (48, 64), 0 if method.share == 0 else -1
    network = network_of("mobilenet_v2", (source, 1, 2))
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        outputs = network(torch.rand(8, 3, *size, generator=generator))
    features = FeatureSet(network, (1, 2), size, {layer: output.numpy() for layer, output in outputs.items()})
    head = method.fit(features, features).head()
    preprocess = Preprocess(View(*size), (0.4, 0.5, 0.6), (0.2, 0.3, 0.2))
    graph, watched = (kind(preprocess, network, head) for kind in (DetectorGraph, WatchedDetectorGraph))
    names = [value_of(layer) for layer in network.taps]
    fast, slow = recorded(graph, OUTPUTS), to_onnx(graph, OUTPUTS, plain=True)
    assert as_computed(fast) == as_computed(slow)
    assert as_computed(recorded(watched, OUTPUTS, names)) == as_computed(to_onnx(watched, OUTPUTS, names, plain=True))
    images = np.random.default_rng(0).integers(0, 256, (3, 50, 40, 3), np.uint8)
    for one, other in zip(*(open_session(each).run(OUTPUTS, {"image": images}) for each in (fast, slow)), strict=True):
        np.testing.assert_array_equal(one, other)


class Asking(nn.Module):
    """Asks for something of the means of photographs, (N,)."""

    def __init__(self, what: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.preprocess, self.what = Preprocess(8, (0.4, 0.5, 0.6), (0.2, 0.3, 0.2)), what

    def forward(self, image: Tensor) -> Tensor:
        """(N, H, W, 3) -> (N,)."""
        return self.what(self.preprocess(image).mean(dim=(1, 2, 3)))


NOT_RECORDED = {
    "how many photographs there are": lambda x: x * x.shape[0],
    "each length": lambda x: x * sum(x.shape),
    "their number as the last length": lambda x: x * x.reshape(1, -1).shape[1],
    "their number as the length of a part": lambda x: x + x.reshape(1, -1).flatten(1)[0, : x[None].shape[1]],
    "truth values as an index": lambda x: x.index_put((x > x.mean(),), x[x > x.mean()]),
    "an operator that is not recorded": torch.erf,
    "an argument that is not recorded": lambda x: torch.add(x, x, alpha=3),
    "a list as an index": lambda x: cells(x)[:, [0, 1], [1, 2]][:, 0],
    "whole numbers with a limit": lambda x: numbers(x).clamp(min=1).float(),
    "limits of each": lambda x: torch.clamp(x, min=-x.abs()),
    "all numbers": lambda x: cells(x).all(2).float().flatten(1)[:, 0],
    "a pooling that is not square": lambda x: torch.nn.functional.avg_pool2d(cells(x), (1, 3)).flatten(1)[:, 0],
    "another type": lambda x: x.double().float(),
}


@pytest.mark.grid(3)
@pytest.mark.parametrize("what", NOT_RECORDED)
def test_what_cannot_be_recorded_is_exported(what, recorded):
    module = Asking(NOT_RECORDED[what])
    with pytest.raises(AssertionError, match="the exporter was asked"):
        recorded(module, ["result"])
    images = np.random.default_rng(0).integers(0, 256, (5, 9, 7, 3), np.uint8)
    found = open_session(to_onnx(module, ["result"])).run(None, {"image": images})[0]
    np.testing.assert_allclose(found, module(torch.from_numpy(images)).numpy(), rtol=1e-4, atol=1e-5)


def test_two_weights_of_one_name_are_never_mixed_up():
    """A convolution whose output is looked at before its batch norm has its weights twice: as they are, and folded."""
    network = network_of("wide_resnet50_2", (0, 1))
    graph = FeatureGraph(Preprocess(64, (0.4, 0.5, 0.6), (0.2, 0.3, 0.2)), network)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    found = open_session(to_onnx(graph, ["a", "b"])).run(None, {"image": images})
    with torch.no_grad():
        expected = graph(torch.from_numpy(images))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-3, atol=1e-3)


def changed_in_place(x: Tensor) -> Tensor:
    """A constant is used before and after it changes."""
    weight = torch.ones(3)
    first = x[:, None] * weight
    weight += 1
    return first + x[:, None] * weight


def test_others_modules_are_exported(monkeypatch):
    """What they do may not be seen in one run."""
    asked = []
    monkeypatch.setattr(graph_module, "record", lambda *given: asked.append(given))
    to_onnx(Asking(lambda x: x), ["result"])
    assert not asked


@pytest.mark.parametrize("what", [lambda x: x * float(x[0]), lambda x: x if x.sum(0) > 0 else -x, lambda x: x[x > 0]])
def test_what_depends_on_values_is_refused(what):
    example = Input(torch.zeros(2, 9, 7, 3, dtype=torch.uint8), ["N", "H", "W", 3])
    assert record(Asking(what), ["result"], None, {"image": example}) is None


def numbers(x: Tensor) -> Tensor:
    """(N,) -> (N,) int64, some of them below zero."""
    return (x * 10).long()


def cells(x: Tensor) -> Tensor:
    """(N,) -> (N, 2, 3)."""
    return x[:, None, None] * torch.arange(6.0).reshape(2, 3)


RECORDED = {
    "part and new axis": lambda x: cells(x)[:, 1, None, -2:],
    "all but the last": lambda x: cells(x)[..., :-1],
    "a fixed part": lambda x: cells(x).narrow(2, 1, 2),
    "an index": lambda x: cells(x)[:, torch.tensor([1, 0, 1])],
    "an index of two axes": lambda x: torch.arange(12.0)[numbers(x)[:, None] % 4 + torch.arange(3)] + x[:, None],
    "one of each photograph": lambda x: cells(x)[torch.arange(x.shape[0]), numbers(x) % 2],
    "one of each photograph, far axes": lambda x: cells(x)[torch.arange(x.shape[0]), :, numbers(x) % 3],
    "rows by an index of two axes": lambda x: (
        torch.arange(12.0)
        .reshape(4, 3)
        .index_select(0, (numbers(x)[:, None] % 2 + torch.arange(2)).reshape(-1))
        .reshape(*(x[:, None] + torch.arange(2.0)).shape, 3)
        + x[:, None, None]
    ),
    "shapes": lambda x: cells(x).flatten(1).reshape(x.shape[0], -1, 2).transpose(1, 2).permute(0, 2, 1),
    "its own length for another": lambda x: cells(x).reshape(x.shape[0], 3, -1),
    "expanded": lambda x: torch.ones(1, 4).expand(x.shape[0], -1) * x[:, None],
    "joined and divided": lambda x: torch.cat(
        torch.stack([cells(x), -cells(x)], 1).flatten(1).split([4, 8], 1)[::-1], 1
    ),
    "ones": lambda x: torch.cat([cells(x), torch.ones_like(cells(x)[:, :1])], 1),
    "repeated": lambda x: torch.nn.functional.interpolate(cells(x)[:, None], size=(4, 6), mode="nearest"),
    "with a rim": lambda x: torch.nn.functional.pad(cells(x), (1, 2), value=7.0),
    "floors": lambda x: (numbers(x) // 3).float(),
    "remainders": lambda x: (numbers(x) % 3).float(),
    "limits": lambda x: cells(x).clamp(min=0.5) + cells(x).clamp(max=0.75) + cells(x).clamp(0.25, 0.5),
    "the smallest": lambda x: cells(x).flatten(1).topk(2, dim=1, largest=False).indices.float(),
    "the largest and where": lambda x: torch.cat([each.float() for each in cells(x).max(dim=2)], 1),
    "gathered": lambda x: cells(x).flatten(1).gather(1, cells(-x).flatten(1).argmin(1, keepdim=True)),
    "either": lambda x: torch.where((x < 0.1) | ~(x <= 0.5) | (numbers(x) == 0), 2 - x, x),
    "all": lambda x: (cells(x) <= 0.5).all(2).float(),
    "far above": lambda x: torch.nn.functional.softplus(cells(x) * 1000),
    "filled": lambda x: cells(x).masked_fill(torch.tensor([True, False, True]), 9.0),
    "some searched again": lambda x: x.index_put(((x <= 0.1).nonzero()[:, 0],), x[(x <= 0.1).nonzero()[:, 0]] + 5),
    "sums of powers": lambda x: cells(x).logsumexp(2) + cells(x).softmax(2).amax(2) + cells(x).abs().sqrt().sum(2),
    "a constant that changes": changed_in_place,
    "nothing and once": lambda x: (torch.zeros(()) + x) * torch.ones(()),
}


@pytest.mark.parametrize("what", RECORDED)
def test_what_is_recorded_computes_what_torch_does(what, recorded):
    """Of more photographs than in the example, of fewer, and of some that are like none there."""
    module = Asking(RECORDED[what])
    session = open_session(recorded(module, ["result"]))
    for count in (1, 2, 7):
        images = np.random.default_rng(count).integers(0, 36 * count, (count, 9, 7, 3), np.uint8)
        found = session.run(None, {"image": images})[0]
        wanted = module(torch.from_numpy(images)).numpy()
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
