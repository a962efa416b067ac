"""ONNX of one fixed shape, in ONNX Runtime and in runtimes of others."""

import dataclasses
import json

import numpy as np
import onnx
import pytest
from PIL import Image

from flawspot.errors import ConfigurationError, ExportError
from flawspot.export.fixed.target import _Fixed
from flawspot.export.translate import export
from flawspot.runtime.session import open_session

from ..graphs import SIZE, pictures

KINDS = [
    "floats",
    "codes",
    "codes in units",
    "gaussians",
    "gaussians of codes",
    "bank",
    "bank of halves",
    "bank of codes",
]
PLAIN = {
    "Add",
    "ArgMin",
    "AveragePool",
    "Cast",
    "Clip",
    "Concat",
    "Conv",
    "DequantizeLinear",
    "Div",
    "Gather",
    "MatMul",
    "Max",
    "Mul",
    "Neg",
    "QuantizeLinear",
    "ReduceMax",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Slice",
    "Softmax",
    "Sqrt",
    "Sub",
    "TopK",
    "Transpose",
    "Unsqueeze",
}


@pytest.fixture(scope="module")
def fixed(detectors, tmp_path_factory):
    made = {}

    def get(name):
        if name not in made:
            path = tmp_path_factory.mktemp("fixed") / "part.onnx"
            report = export(detectors(name), path, "onnx-fixed")
            made[name] = path, report
        return made[name]

    return get


def maps(artifact, several):
    session = open_session(artifact.model)
    found = [session.run(["anomaly_map", "score"], {"image": each[None]}) for each in several]
    return np.concatenate([m for m, _ in found]), np.concatenate([s for _, s in found])


@pytest.mark.parametrize("name", KINDS)
def test_the_gate_lets_it_through(name, fixed, detectors):
    path, report = fixed(name)
    told = json.loads(path.with_name("part.onnx.report.json").read_text())
    assert told["verified"] is True
    assert told["target"] == "onnx-fixed"
    assert report.parity.map_difference <= 1e-5
    assert "ONNX Runtime" in told["compared_with"]
    assert sum(report.parts.values()) > 0


@pytest.mark.parametrize("name", KINDS)
def test_shapes_are_fixed_and_operators_plain(name, fixed):
    model = onnx.shape_inference.infer_shapes(onnx.load(fixed(name)[0]), strict_mode=True, data_prop=True)
    assert {node.op_type for node in model.graph.node} <= PLAIN
    values = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    assert {name for node in model.graph.node for name in node.output} <= {value.name for value in values}
    for value in values:
        assert all(dim.dim_value > 0 for dim in value.type.tensor_type.shape.dim), value.name
    assert [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == [1, SIZE, SIZE, 3]


def test_what_is_told_beside_it(fixed, detectors):
    path, _ = fixed("floats")
    told = json.loads(path.with_name("part.preprocess.json").read_text())
    artifact = detectors("floats")
    assert told["threshold"] == pytest.approx(artifact.manifest.calibration.threshold, rel=1e-6)
    assert told["input"]["shape"] == [1, SIZE, SIZE, 3]
    assert told["resize"]["antialias"] is True
    names = {"np": np, "rgb": np.random.default_rng(0).integers(0, 256, (97, 61, 3)).astype(np.uint8)}
    exec(told["resize"]["numpy"], names)
    wanted = np.asarray(Image.fromarray(names["rgb"]).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    assert np.abs(names["resized"].astype(int) - wanted).max() <= 1
    props = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert float(props["flawspot.threshold"]) == told["threshold"]
    assert props["flawspot.graph_sha256"] == told["graph_sha256"]


def test_two_writes_are_equal(fixed, detectors, tmp_path):
    path, _ = fixed("codes")
    export(detectors("codes"), tmp_path / "part.onnx", "onnx-fixed")
    assert path.read_bytes() == (tmp_path / "part.onnx").read_bytes()


def test_what_differs_is_not_written(detectors, tmp_path, monkeypatch):
    run = _Fixed.run
    monkeypatch.setattr(_Fixed, "run", lambda self, several: (run(self, several)[0] * 1.001, run(self, several)[1]))
    with pytest.raises(ExportError, match="nothing was written"):
        export(detectors("codes"), tmp_path / "part.onnx", "onnx-fixed")
    assert list(tmp_path.iterdir()) == []


def test_layers_of_16_bits_are_refused(detectors, tmp_path):
    with pytest.raises(ExportError, match="16 bits"):
        export(detectors("wide"), tmp_path / "part.onnx", "onnx-fixed")


def test_a_detector_is_not_written_over(detectors, tmp_path):
    path = tmp_path / "part.onnx"
    detectors("floats").save(path)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="it is a detector, which would be lost"):
        export(detectors("floats"), path, "onnx-fixed")
    assert path.read_bytes() == before
    other = tmp_path / "fixed.onnx"
    for _ in range(2):  # an earlier export may be
        export(detectors("floats"), other, "onnx-fixed")


@pytest.mark.parametrize("name", ["part", "part.c", ".onnx"])
def test_names(name, detectors, tmp_path):
    with pytest.raises(ConfigurationError, match="name it as an ONNX file"):
        export(detectors("floats"), tmp_path / name, "onnx-fixed")


def test_hostile_texts_stay_texts(detectors, tmp_path):
    artifact = detectors("floats")
    manifest = dataclasses.replace(artifact.manifest, product='a "\n\u202e part\ud800')
    export(dataclasses.replace(artifact, manifest=manifest), tmp_path / "part.onnx", "onnx-fixed")
    assert json.loads((tmp_path / "part.preprocess.json").read_text(encoding="utf-8"))["product"]


@pytest.mark.parametrize("name", [kind for kind in KINDS if "codes" not in kind and "halves" not in kind])
def test_openvino_computes_the_same(name, fixed, detectors):
    openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed")
    core = openvino.Core()
    model = core.compile_model(str(fixed(name)[0]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    several = pictures(4)
    wanted, scores = maps(detectors(name), several)
    for place, picture in enumerate(several):
        found = model({"image": picture[None]})
        np.testing.assert_allclose(found["anomaly_map"][0], wanted[place], atol=1e-5 * np.abs(wanted).max())
        np.testing.assert_allclose(found["score"], scores[place], rtol=1e-5)


@pytest.mark.parametrize("name", [kind for kind in KINDS if "codes" not in kind and "halves" not in kind])
def test_tract_computes_the_same(name, fixed, detectors):
    tract = pytest.importorskip("tract", reason="tract is not installed")
    runnable = tract.onnx().load(str(fixed(name)[0])).into_model().into_runnable()
    several = pictures(4)
    wanted, scores = maps(detectors(name), several)
    for place, picture in enumerate(several):
        found = [output.to_numpy() for output in runnable.run([picture[None]])]
        np.testing.assert_allclose(found[0][0], wanted[place], atol=1e-5 * np.abs(wanted).max())
        np.testing.assert_allclose(found[1], scores[place], rtol=1e-5)
