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

TAPS = {"wide_resnet50_2": (1,)}
"""Its first layer is a convolution whose batch norm is in the next."""
RECORDED = sorted(set(families()) - {"micronet_m1"})
"""MicroNet deals its channels out anew, by shapes that begin with the number of photographs."""


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


@pytest.mark.parametrize("name", RECORDED)
def test_a_backbone_is_recorded_as_the_exporter_writes_it(name, recorded):
    network = network_of(name, TAPS.get(name, (-1, 2, 4)))
    graph = FeatureGraph(Preprocess(64, (0.4, 0.5, 0.6), (0.2, 0.3, 0.2)), network)
    names = [f"layer_{tap}" for tap in network.taps]
    assert as_computed(recorded(graph, names)) == as_computed(to_onnx(graph, names, plain=True))


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
    "an operator that is not recorded": torch.erf,
    "an argument that is not recorded": lambda x: torch.add(x, x, alpha=3),
    "another type": lambda x: x.double().float(),
}


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
