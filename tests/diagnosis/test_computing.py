"""The small graph is what it says, and what computes it wrong is found out."""

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from flawspot.diagnosis import computing
from flawspot.diagnosis.computing import GRAPH, WEIGHTS, expected, given, try_artifact, try_runtime
from flawspot.errors import ArtifactError
from flawspot.runtime.artifact import assemble
from flawspot.runtime.detector import load
from flawspot.runtime.self_test import record


def make_graph() -> bytes:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 8, 8])],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def test_the_graph_is_the_one_that_is_described():
    model = onnx.load_from_string(GRAPH)
    onnx.checker.check_model(model, full_check=True)
    assert make_graph() == GRAPH


def test_what_is_expected_is_right():
    (found,) = ReferenceEvaluator(onnx.load_from_string(GRAPH)).run(None, {"x": given()})
    assert np.array_equal(found, expected())
    assert (expected() > 0).any()


def test_onnx_runtime_passes():
    runtime, tried = try_runtime()
    assert tried.passed is True
    assert runtime.used in runtime.providers
    assert runtime.integers is not None


def test_wrong_results_are_found_out(monkeypatch):
    wrong = expected()
    wrong[0, 1, 3, 3] += 1
    monkeypatch.setattr(computing, "_compute", lambda: ("CPUExecutionProvider", wrong))
    _, tried = try_runtime()
    assert (tried.passed, tried.result) == (False, "failed: a small convolution is off by 1")
    monkeypatch.setattr(computing, "_compute", lambda: ("CPUExecutionProvider", wrong[:, :1]))
    assert try_runtime()[1].passed is False
    monkeypatch.setattr(computing, "_compute", lambda: ("CPUExecutionProvider", wrong * np.nan))
    assert try_runtime()[1].passed is False


def test_what_opens_no_session_is_told_in_one_line(monkeypatch):
    def fail():
        raise RuntimeError("\nno kernel\nhere")

    monkeypatch.setattr(computing, "_compute", fail)
    runtime, tried = try_runtime()
    assert (tried.passed, tried.result) == (False, "failed: no kernel")
    assert runtime.version is not None
    assert runtime.used is None


def test_a_variable_that_no_detector_takes_is_a_fault(monkeypatch):
    monkeypatch.setenv("FLAWSPOT_MEMORY", "much")
    _, tried = try_runtime()
    assert tried.passed is False
    assert "FLAWSPOT_MEMORY is 'much'" in tried.result


@pytest.fixture
def saved(tmp_path, tiny_model, tiny_manifest):
    """Write an artifact whose self-test says what it has measured, or something else."""

    def write(change=0.0):
        artifact = assemble(tiny_model, tiny_manifest)
        found = record(load(artifact).run)
        changed = dataclasses.replace(found, score=found.score * (1 + change))
        path = tmp_path / "part.onnx"
        assemble(tiny_model, dataclasses.replace(tiny_manifest, self_test=changed)).save(path)
        return path

    return write


def test_an_artifact_that_computes_what_it_did(saved):
    tried = try_artifact(saved())
    assert tried.passed is True
    assert "passed its self-test: paste on mobilenet_v2" in tried.result


def test_an_artifact_that_computes_something_else(saved):
    tried = try_artifact(saved(0.5))
    assert tried.passed is False
    assert "it fails its self-test" in tried.result


def test_an_artifact_without_a_self_test(tmp_path, tiny_model, tiny_manifest):
    path = tmp_path / "old.onnx"
    assemble(tiny_model, tiny_manifest).save(path)
    tried = try_artifact(path)
    assert tried.passed is None
    assert "made before self-tests" in tried.result


def test_what_is_no_artifact(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no model")
    tried = try_artifact(tmp_path / "x.onnx")
    assert tried.passed is False
    with pytest.raises(ArtifactError):
        load(tmp_path / "x.onnx")
