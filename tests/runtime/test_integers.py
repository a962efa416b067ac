import os
import platform
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import flawspot
from flawspot.errors import FlawspotWarning
from flawspot.runtime import integers
from flawspot.runtime.session import open_session

QEMU = shutil.which("qemu-x86_64-static")


@pytest.fixture(scope="module")
def int8_part(product_folder, tmp_path_factory):
    """A small int8 detector."""
    path = tmp_path_factory.mktemp("int8") / "part.onnx"
    options = {"input_size": 64, "random_weights": True, "calibration": "split", "progress": False}
    flawspot.train(product_folder, method="padim", precision="int8", output=path, **options)
    return path


def make_probe() -> bytes:
    """A convolution over 16 channels, all weights 127, in steps of 4096."""
    constants = {
        "s": np.float32(1),
        "z": np.uint8(0),
        "zi": np.int8(0),
        "w": np.full((1, 16, 1, 1), 127, np.int8),
        "o": np.float32(4096),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "s", "zi"], ["wd"]),
        helper.make_node("Conv", ["xd", "wd"], ["y"]),
        helper.make_node("QuantizeLinear", ["y", "o", "z"], ["yq"]),
        helper.make_node("DequantizeLinear", ["yq", "o", "z"], ["r"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, 8, 8])],
        [helper.make_tensor_value_info("r", TensorProto.FLOAT, [1, 1, 8, 8])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


def outputs(model: bytes, *entry: str) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    if entry:
        options.add_session_config_entry(*entry)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.full((1, 16, 8, 8), 255, np.float32)})[0]


def test_the_probe_is_what_it_says():
    ours, made = onnx.load_from_string(integers._PROBE), onnx.load_from_string(make_probe())
    assert ours.graph.node == made.graph.node
    assert {tensor.name: numpy_helper.to_array(tensor).tolist() for tensor in ours.graph.initializer} == {
        tensor.name: numpy_helper.to_array(tensor).tolist() for tensor in made.graph.initializer
    }


def test_in_float_the_probe_is_exact_everywhere():
    assert (outputs(integers._PROBE, *integers.IN_FLOAT) == integers._EXACT).all()


def test_a_processor_that_cuts_off_products_is_told_and_computes_in_float(int8_part, session_entries, monkeypatch):
    photograph = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    want = flawspot.load(int8_part).predict(photograph)
    monkeypatch.setattr("flawspot.runtime.session.exact_in_integers", lambda: False)
    monkeypatch.setattr("flawspot.runtime.detector.exact_in_integers", lambda: False)
    with pytest.warns(FlawspotWarning, match="computes in float"):
        detector = flawspot.load(int8_part, self_test=True)
    assert integers.IN_FLOAT in session_entries
    got = detector.predict(photograph)
    assert got.score == pytest.approx(want.score, rel=0.2)


def test_detectors_in_float_are_not_concerned(tiny_model, monkeypatch):
    monkeypatch.setattr("flawspot.runtime.session.exact_in_integers", lambda: pytest.fail("asked"))
    open_session(tiny_model)


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64") or QEMU is None, reason="needs qemu-x86_64-static")
@pytest.mark.parametrize(("processor", "exact"), [("Haswell", False), ("Nehalem", True)])
def test_an_emulated_processor_without_vnni(processor, exact, int8_part, tmp_path):
    """Haswell multiplies in pairs, 16 bits wide; Nehalem is older and does not.

    OpenBLAS in numpy takes an emulated Nehalem for a Haswell on some hosts and dies of its instructions, so it is told.
    """
    script = tmp_path / "predict.py"
    script.write_text(
        "import sys, warnings, numpy as np, flawspot\n"
        "from flawspot.runtime.integers import exact_in_integers\n"
        "warnings.simplefilter('ignore')\n"
        "detector = flawspot.load(sys.argv[1], threads=1, self_test=True)\n"
        "photograph = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)\n"
        "print(exact_in_integers(), detector.predict(photograph).score)\n"
    )
    done = subprocess.run(
        [str(QEMU), "-cpu", processor, sys.executable, str(script), str(int8_part)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"OPENBLAS_CORETYPE": processor},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said, score = done.stdout.split()
    assert said == str(exact)
    photograph = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert float(score) == pytest.approx(flawspot.load(int8_part).predict(photograph).score, rel=0.2)
