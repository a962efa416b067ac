"""Heads are written without torch's exporter, which takes seconds for each; and as it would write them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from flawspot.methods.registry import methods
from flawspot.runtime.detector import OUTPUTS
from flawspot.runtime.operators import ALLOWED
from flawspot.runtime.seen import value_of
from flawspot.runtime.session import open_session
from flawspot.training import graph as graph_module
from flawspot.training.graph import WatchedDetectorGraph, to_onnx

VARIANTS = [
    "padim precision=float16",
    "padim covariance=low_rank precision=float16",
    "padim selection=projection precision=float16",
    "patchcore reweight=yes bank_size=100",
    "patchcore standardize=channel precision=int8 reweight=yes bank_size=100",
    "patchcore quantization=product bank_size=300",
    "cfa precision=float16",
]
COMPARED = ["padim precision=float16", "patchcore standardize=channel precision=int8 reweight=yes bank_size=100", "cfa"]
"""Those that are also exported, which takes a while."""
pytestmark = pytest.mark.usefixtures("one_thread")


def shipped(fitted, name):
    """The arguments of `to_onnx` for a detector that can be updated."""
    graph = fitted(name).graph
    watched = WatchedDetectorGraph(graph.preprocess, graph.backbone, graph.head)
    return watched, OUTPUTS, [value_of(layer) for layer in graph.backbone.taps]


def stores(model, graph):
    """The constants of the head that updates change."""
    named = {f"head.{name}" for name in graph.head.state_dict()}
    found = {each.name: each for each in onnx.load_from_string(model).graph.initializer}
    return {name: (each.data_type, tuple(each.dims), each.raw_data) for name, each in found.items() if name in named}


@pytest.mark.parametrize("name", [*methods(), *VARIANTS])
@pytest.mark.grid(7)
def test_no_head_needs_the_exporter(name, fitted, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the exporter was asked")

    monkeypatch.setattr(graph_module, "_exported", refuse)
    given = shipped(fitted, name)
    model = onnx.load_from_string(to_onnx(*given))
    onnx.checker.check_model(model, full_check=True)
    assert {node.op_type.encode() for node in model.graph.node} <= ALLOWED
    assert [each.name for each in model.graph.output] == list(OUTPUTS)
    made = {each for node in model.graph.node for each in node.output}
    assert made >= set(given[2])


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARED)
def test_a_recorded_head_equals_the_exported_one(name, fitted, make_photographs):
    given = shipped(fitted, name)
    images = make_photographs(3, seed=9)
    images[1, 8:28, 36:56] = 255
    recorded, exported = to_onnx(*given), to_onnx(*given, plain=True)
    assert stores(recorded, given[0]) == stores(exported, given[0])
    assert len(recorded) <= len(exported)
    found, wanted = (open_session(each, threads=1).run(OUTPUTS, {"image": images}) for each in (recorded, exported))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
