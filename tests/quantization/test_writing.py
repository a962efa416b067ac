import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest

from flawspot.quantization.calibrating import calibrate
from flawspot.quantization.network import read_network
from flawspot.quantization.steps import Units
from flawspot.quantization.writing import in_integers, quantized
from flawspot.runtime.session import open_session

NAMES = ["early", "late"]


@pytest.fixture(scope="module")
def found(float_model, photographs):
    return calibrate(float_model, photographs[:4])


def run(model, photograph):
    return open_session(model.SerializeToString()).run(NAMES, {"image": photograph[None]})


def test_every_convolution_becomes_one_of_integers(float_model, found, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(in_integers(float_model.SerializeToString(), found), options)
    operators = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert operators.count("QLinearConv") == len(read_network(float_model).convolutions)
    sums = [node for node in float_model.graph.node if node.op_type == "Add" and not node.name.startswith("resize.")]
    assert operators.count("QLinearAdd") == len(sums)
    assert "Conv" not in operators
    assert "Clip" not in operators


def test_units_and_shifts_change_nothing_in_fine_steps(float_model, photographs, one_thread):
    """With 16 bits for every value what is left is the rounding of weights, which units of the values do not add to."""
    keys = read_network(float_model).values()
    plain = quantized(float_model, calibrate(float_model, photographs[:4], strength=0, wide=keys))
    spread = quantized(float_model, calibrate(float_model, photographs[:4], strength=0.5, wide=keys))
    want = run(float_model, photographs[5])
    for expected, one, other in zip(want, run(plain, photographs[5]), run(spread, photographs[5]), strict=True):
        spread = ((expected - expected.mean((2, 3), keepdims=True)) ** 2).sum()
        assert ((one - expected) ** 2).sum() < 0.01 * spread
        assert ((other - expected) ** 2).sum() < 0.01 * spread


def test_what_has_no_steps_stays_in_float(float_model, photographs, found):
    network = read_network(float_model)
    kept = {key: found.steps[key] for key in list(found.steps)[:5]}
    part = quantized(float_model, dataclasses.replace(found, steps=kept))
    operators = [node.op_type for node in part.graph.node]
    assert 0 < operators.count("QuantizeLinear") < 6
    assert operators.count("Conv") == len(network.convolutions)
    assert [output.name for output in part.graph.output] == NAMES
    for value in run(part, photographs[0]):
        assert np.isfinite(value).all()


def test_summands_of_other_units_are_never_added(float_model, found):
    addition = next(layer for layer in read_network(float_model).layers if hasattr(layer, "sources"))
    other = {**found.units, addition.key: Units(found.units[addition.key].scale * 2, found.units[addition.key].shift)}
    with pytest.raises(ValueError, match="units that their sum has not"):
        quantized(float_model, dataclasses.replace(found, units=other))


def test_the_same_photographs_make_the_same_bytes(float_model, photographs, found):
    again = calibrate(float_model, photographs[:4])
    assert again.identity() == found.identity()
    data = float_model.SerializeToString()
    assert in_integers(data, again) == in_integers(data, found)
