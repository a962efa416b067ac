"""What could not be inspected is not good: errors while predicting, and numbers that are none."""

import dataclasses
import math

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import flawspot
from flawspot.errors import InspectionError
from flawspot.runtime.artifact import assemble
from flawspot.runtime.prediction import Prediction

PHOTOGRAPH = np.full((9, 9, 3), 50, np.uint8)


def detector(tiny_manifest, score: np.ndarray, anomaly_map: np.ndarray, *nodes):
    """A detector that says this of every photograph."""
    constants = [numpy_helper.from_array(score, "s"), numpy_helper.from_array(anomaly_map, "m")]
    ends = nodes or [
        helper.make_node("Identity", ["m"], ["anomaly_map"]),
        helper.make_node("Identity", ["s"], ["score"]),
    ]
    graph = helper.make_graph(
        list(ends),
        "constant",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [
            helper.make_tensor_value_info("anomaly_map", TensorProto.FLOAT, ["A", "B", "C"]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["D"]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return flawspot.load(assemble(model.SerializeToString(), tiny_manifest))


def good(*shape: int, value: float = 1.0) -> np.ndarray:
    return np.full(shape, value, np.float32)


def test_a_finite_result_passes(tiny_manifest):
    assert not detector(tiny_manifest, good(1), good(1, 8, 8)).predict(PHOTOGRAPH).is_anomalous


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none(tiny_manifest, value):
    bad_map = good(1, 8, 8)
    bad_map[0, 3, 3] = value
    for found in (
        detector(tiny_manifest, good(1, value=value), good(1, 8, 8)),
        detector(tiny_manifest, good(1), bad_map),
    ):
        with pytest.raises(InspectionError, match=r"not inspected: .* not a finite number"):
            found.predict(PHOTOGRAPH)


@pytest.mark.parametrize(
    ("score", "anomaly_map"),
    [((0,), (1, 8, 8)), ((2,), (2, 8, 8)), ((1,), (1, 7, 8)), ((1,), (1, 0, 0)), ((1,), (1, 16, 16))],
)
def test_results_of_another_shape(tiny_manifest, score, anomaly_map):
    with pytest.raises(InspectionError, match="are right"):
        detector(tiny_manifest, good(*score), good(*anomaly_map)).predict(PHOTOGRAPH)


def test_a_runtime_that_fails(tiny_manifest):
    shape = numpy_helper.from_array(np.array([7, 7, 7], np.int64))
    nodes = [
        helper.make_node("Cast", ["image"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Constant", [], ["shape"], value=shape),
        helper.make_node("Reshape", ["f", "shape"], ["anomaly_map"]),
        helper.make_node("Identity", ["s"], ["score"]),
    ]
    with pytest.raises(InspectionError, match="ONNX Runtime failed on it") as error:
        detector(tiny_manifest, good(1), good(1, 8, 8), *nodes).predict(PHOTOGRAPH)
    assert "\n" not in str(error.value)


def test_a_prediction_made_by_hand_of_no_number_is_not_good(tiny_manifest):
    prediction = Prediction(math.nan, good(8, 8), (9, 9), tiny_manifest.calibration)
    assert prediction.is_anomalous
    calibration = dataclasses.replace(tiny_manifest.calibration, threshold=math.nan)
    assert Prediction(1.0, good(8, 8), (9, 9), calibration).is_anomalous
