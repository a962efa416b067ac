"""The TFLite file: what TFLite-Micro and LiteRT compute from it is what the artifact does."""

import json

import numpy as np
import pytest

from flawspot.export.gate import _layers, map_correlation
from flawspot.export.reading.from_onnx import read_form
from flawspot.export.source import Facts
from flawspot.export.tflite.model import schema
from flawspot.export.tflite.running import Interpreted, recorded_arena
from flawspot.export.tflite.target import TfliteTarget
from flawspot.export.tflite.writer import METADATA, write_tflite
from flawspot.runtime.detector import load

from .. import graphs
from ..graphs import SIZE, pictures

pytest.importorskip("tflite_micro")

FLOATS = ["floats", "gaussians", "bank"]
CODES = ["codes", "codes in units", "wide", "gaussians of codes", "bank of halves", "bank of codes"]


def written(artifact, product="a part", **settings):
    form = read_form(artifact.model, SIZE)
    return form, write_tflite(form, Facts("part", "title", SIZE, 0.5, product, "1", "ab", form.macs), **settings)


def interpreted(artifact):
    form, file = written(artifact)
    return form, Interpreted(file.data, written(artifact, cut=True)[1] if form.quantized else None, form)


def of_the_artifact(artifact):
    detector = load(artifact)
    found = [detector.run(picture[None]) for picture in pictures()]
    return np.concatenate([maps for maps, _ in found]), np.concatenate([scores for _, scores in found])


def in_litert(data, kind):
    """Maps and scores of the pictures."""
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    made = interpreter.Interpreter(
        model_content=data, experimental_op_resolver_type=interpreter.OpResolverType[kind], num_threads=1
    )
    made.allocate_tensors()
    (given,) = made.get_input_details()
    names = {each["name"]: each["index"] for each in made.get_output_details()}
    assert (given["name"], given["dtype"], list(given["shape"])) == ("image", np.uint8, [1, SIZE, SIZE, 3])
    assert sorted(names) == ["anomaly_map", "score"]
    maps, scores = [], []
    for picture in pictures():
        made.set_tensor(given["index"], picture[None])
        made.invoke()
        maps.append(made.get_tensor(names["anomaly_map"])[0])
        scores.append(made.get_tensor(names["score"])[0])
    return np.stack(maps), np.array(scores)


def unusual(builder):
    """Bounds that no operator ends in, padding that TensorFlow has not, and a channel of which two are made."""
    x = builder.convolution(builder.image(), 3, 6, 3, clip=(-1.5, 0.75))
    x = builder.convolution(x, 6, 12, 3, stride=2, groups=6, pads=[2, 2, 2, 2], clip=(-0.5, 6.0))
    x = builder.convolution(x, 12, 8, 4, stride=1, pads=[1, 1, 1, 1], clip=(0.0, 6.0))
    y = builder.convolution(x, 8, 6, 1)
    z = builder.convolution(x, 8, 6, 3)
    return builder.enlarged(builder.direction(y, z), 20)


@pytest.fixture(scope="module", params=[False, True], ids=["floats", "codes"])
def unusual_detector(request, tiny_manifest):
    """Of what few networks have."""
    return graphs.artifact(tiny_manifest, unusual, quantized=request.param)


@pytest.mark.parametrize("name", FLOATS)
def test_maps_of_floats_are_those_of_the_artifact(name, detectors):
    _, translation = interpreted(detectors(name))
    maps, scores = translation.run(pictures())
    wanted, wanted_scores = of_the_artifact(detectors(name))
    np.testing.assert_allclose(maps, wanted, atol=2e-6 * wanted.max())
    np.testing.assert_allclose(scores, wanted_scores, atol=2e-6 * wanted.max())
    np.testing.assert_array_equal(scores, maps.max((1, 2)))


@pytest.mark.parametrize("name", CODES)
@pytest.mark.grid(2)
def test_layers_of_codes_are_those_of_the_artifact(name, detectors):
    form, translation = interpreted(detectors(name))
    layers = _layers(detectors(name), form, translation, pictures())
    assert layers.compared == sum(operation.y.quantization is not None for operation in form.operations)
    assert layers.compared > 2
    assert layers.steps <= 1
    assert 0 < layers.share < 0.008  # TFLite's own rounding: some differ
    maps, scores = translation.run(pictures())
    wanted, _ = of_the_artifact(detectors(name))
    assert min(map_correlation(*each) for each in zip(maps, wanted, strict=True)) > 0.99
    np.testing.assert_array_equal(scores, maps.max((1, 2)))


def test_what_few_networks_have(unusual_detector):
    form, translation = interpreted(unusual_detector)
    maps, _ = translation.run(pictures())
    wanted, _ = of_the_artifact(unusual_detector)
    assert min(map_correlation(*each) for each in zip(maps, wanted, strict=True)) > 0.99
    if form.quantized:
        layers = _layers(unusual_detector, form, translation, pictures())
        assert layers.steps <= 1
        assert layers.share < TfliteTarget.bounds.share
    else:
        np.testing.assert_allclose(maps, wanted, atol=2e-6 * wanted.max())


@pytest.mark.parametrize("kind", ["AUTO", "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "BUILTIN_REF"])
@pytest.mark.parametrize("name", [*FLOATS, *CODES])
@pytest.mark.grid(9)
def test_litert_computes_the_same(name, kind, detectors):
    artifact = detectors(name)
    maps, scores = in_litert(written(artifact)[1].data, kind)
    wanted, wanted_scores = of_the_artifact(artifact)
    if name in FLOATS:
        np.testing.assert_allclose(maps, wanted, atol=1e-5 * wanted.max())
        np.testing.assert_allclose(scores, wanted_scores, atol=1e-5 * wanted.max())
    assert min(map_correlation(*each) for each in zip(maps, wanted, strict=True)) > 0.99
    threshold = artifact.manifest.calibration.threshold
    unsure = np.abs(wanted_scores - threshold) < 0.02 * threshold  # one of them is the threshold itself
    assert not unsure.all()
    np.testing.assert_array_equal((scores > threshold)[~unsure], (wanted_scores > threshold)[~unsure])


def test_litert_without_its_own_kernels_is_tflite_micro(detectors):
    _, translation = interpreted(detectors("codes"))
    maps, _ = in_litert(written(detectors("codes"))[1].data, "BUILTIN_REF")
    np.testing.assert_array_equal(maps, translation.run(pictures())[0])


@pytest.mark.parametrize("name", ["floats", "codes"])
def test_equal_bytes_twice(name, detectors):
    assert written(detectors(name))[1].data == written(detectors(name))[1].data


def test_what_the_file_says_of_itself(detectors):
    hostile = 'é"\n\x00\u202e{"threshold": 1}'
    _, file = written(detectors("codes"), hostile)
    model = schema().ModelT.InitFromPackedBuf(file.data, 0)
    told = {each.name: bytes(model.buffers[each.buffer].data) for each in model.metadata}
    found = json.loads(told[METADATA.encode()])
    assert found == {
        "title": "title",
        "product": hostile,
        "input_size": SIZE,
        "threshold": 0.5,
        "flawspot": "1",
        "graph_sha256": "ab",
        "macs": found["macs"],
    }
    names = [tensor.name for tensor in model.subgraphs[0].tensors]
    assert len(set(names)) == len(names)
    assert model.description == b"flawspot 1: title; threshold 0.5"
    assert sum(file.parts.values()) == len(file.data)


def test_constants_begin_where_the_schema_wants_it(detectors):
    data = written(detectors("codes"))[1].data
    model = schema().Model.GetRootAs(data, 0)
    places = [model.Buffers(index)._tab for index in range(1, model.BuffersLength())]
    assert len(places) > 10
    assert all(place.Vector(place.Offset(4)) % 16 == 0 for place in places)


def test_whole_numbers_take_less_memory(detectors):
    floats, codes = (written(detectors(name))[1] for name in ("floats", "codes"))
    arenas = [recorded_arena(file.data) for file in (floats, codes)]
    assert None not in arenas
    assert arenas[1] < arenas[0]
    assert codes.parts["weights"] < floats.parts["weights"] / 2


def test_a_photograph_leaves_nothing_behind(detectors):
    _, translation = interpreted(detectors("codes"))
    several = pictures(3)
    alone = translation.run(several[2:])
    np.testing.assert_array_equal(translation.run(several)[0][2], alone[0][0])
