"""Detectors of int8: every method, backbones of every kind, and what their training promises."""

import dataclasses

import numpy as np
import onnx
import pytest

import flawspot
from flawspot.costs.configuration import artifact_costs, configuration_costs
from flawspot.errors import ArtifactError, ConfigurationError, TrainingError
from flawspot.methods.registry import methods
from flawspot.runtime.detector import OUTPUTS
from flawspot.runtime.manifest import Manifest
from flawspot.runtime.reduced import read_photograph
from flawspot.runtime.session import open_session
from flawspot.training import precision
from flawspot.training.feature_cache import FeatureCache

OPTIONS = {"input_size": 64, "random_weights": True, "calibration": "split", "progress": False}
SHORT = {
    "stfpm": {"epochs": 1},
    "paste": {"epochs": 1},
    "cfa": {"epochs": 1},
    "patchcore": {"bank_size": 200},
    "pasted": {"epochs": 1, "photographs": 24},
    "jury": {"members": "patchcore:bank_size=200 + pasted:epochs=1,photographs=24"},
}


KEPT = {}


def train(folder, method, **options):
    """The same detector again is not trained again."""
    name = repr((method, sorted(options.items())))
    if name not in KEPT:
        KEPT[name] = train_anew(folder, method, **options)
    return KEPT[name]


def train_anew(folder, method, **options):
    return flawspot.train(folder, method=method, settings=SHORT.get(method), **{**OPTIONS, **options})


def photograph(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (80, 64, 3), np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("method", sorted(methods()))
def test_every_method(method, product_folder, one_thread):
    rounded, exact = (train(product_folder, method, precision=kind) for kind in ("int8", "float32"))
    assert rounded.manifest.precision == "int8"
    assert rounded.manifest.title().endswith(", int8")
    assert len(rounded.model) < 0.6 * len(exact.model)
    detector = flawspot.load(rounded, self_test=True)
    prediction = detector.predict(photograph())
    assert np.isfinite(prediction.map).all()
    # What the manifest says is what the graph holds, and what `costs` tells beforehand.
    networks = {part.name: part.bytes for part in rounded.manifest.parts if part.name in ("backbone", "student")}
    in_float = {part.name: part.bytes for part in exact.manifest.parts}
    assert all(size < 0.4 * in_float[name] for name, size in networks.items())
    held = sum(tensor.ByteSize() for tensor in onnx.load_from_string(rounded.model).graph.initializer)
    assert sum(networks.values()) < held
    costs = artifact_costs(rounded.manifest)
    assert costs.parts == rounded.manifest.parts
    planned = configuration_costs(
        backbone="mobilenet_v2", method=method, settings=SHORT.get(method), input_size=64, precision="int8", images=20
    )
    assert {part.name: part.bytes for part in planned.parts if part.name in networks} == networks


@pytest.mark.slow
def test_several_students(product_folder, one_thread):
    """Each is rounded behind the same teacher."""
    settings = {"epochs": 1, "students": 2}
    artifact = flawspot.train(product_folder, method="paste", settings=settings, precision="int8", **OPTIONS)
    assert np.isfinite(flawspot.load(artifact, self_test=True).predict(photograph()).map).all()
    one = train(product_folder, "paste", precision="int8")
    sizes = [{part.name: part.bytes for part in each.manifest.parts} for each in (one, artifact)]
    assert sizes[1]["students"] == 2 * sizes[0]["student"]
    quantized = [
        sum(node.op_type == "QuantizeLinear" for node in onnx.load_from_string(each.model).graph.node)
        for each in (one, artifact)
    ]
    student = sum(node.op_type == "Conv" for node in onnx.load_from_string(artifact.model).graph.node)
    student -= sum(node.op_type == "Conv" for node in onnx.load_from_string(one.model).graph.node)
    assert quantized[1] - quantized[0] >= student > 0
    planned = configuration_costs(
        backbone="mobilenet_v2", method="paste", settings=settings, input_size=64, precision="int8", images=20
    )
    assert {part.name: part.bytes for part in planned.parts}["students"] == sizes[1]["students"]


@pytest.mark.grid(1)
@pytest.mark.parametrize("backbone", ["mcunet_in3", "efficientnet_lite0", "phinet", "micronet_m1"])
def test_backbones_of_every_kind(backbone, product_folder, one_thread):
    artifact = train(product_folder, "padim", backbone=backbone, precision="int8")
    operators = [node.op_type for node in onnx.load_from_string(artifact.model).graph.node]
    assert operators.count("QuantizeLinear") > operators.count("Conv")
    assert np.isfinite(flawspot.load(artifact).predict(photograph()).score)


def test_the_method_learns_what_the_shipped_backbone_computes(product_folder, monkeypatch, one_thread):
    """Bit for bit: the features that were learned from are inner values of the graph that is shipped."""
    kept = {}
    maps = FeatureCache.maps

    def watched(self, source, network, **options):
        kept["source"] = source
        kept["maps"] = maps(self, source, network, **options)
        return kept["maps"]

    monkeypatch.setattr(FeatureCache, "maps", watched)
    artifact = train_anew(product_folder, "padim", precision="int8")
    model = onnx.load_from_string(artifact.model)
    taps = artifact.manifest.backbone.taps
    nodes = (node for node in model.graph.node if not node.name.startswith("resize."))
    gathered = [node.input[0] for node in nodes if node.op_type == "Gather"]
    wanted = list(dict.fromkeys(gathered))[: len(taps)]
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, 1, None) for name in wanted)
    session = open_session(model.SerializeToString())
    image = kept["source"].images[0]
    for tap, value in zip(taps, session.run(wanted, {"image": read_photograph(image, 64).pixels[None]}), strict=True):
        np.testing.assert_array_equal(value[0], kept["maps"][tap][0])


@pytest.mark.slow
def test_defaults_of_the_stores_and_those_that_are_asked_for(product_folder, one_thread):
    assert train(product_folder, "patchcore", precision="int8").manifest.hyperparameters["precision"] == "int8"
    assert train(product_folder, "padim", precision="int8").manifest.hyperparameters["precision"] == "float16"
    asked = flawspot.train(
        product_folder, method="padim", precision="int8", settings={"precision": "float32"}, **OPTIONS
    )
    assert asked.manifest.hyperparameters["precision"] == "float32"


def test_folds_are_scored_with_the_rounded_features(product_folder, one_thread):
    artifact = train(product_folder, "padim", precision="int8", calibration="cross")
    assert artifact.manifest.calibration.folds > 1
    scores = np.array(artifact.manifest.calibration.scores)
    session = open_session(artifact.model)
    assert np.isfinite(session.run(OUTPUTS, {"image": photograph()[None]})[1]).all()
    assert np.isfinite(scores).all()


def test_the_same_seed_makes_the_same_bits(product_folder, one_thread):
    one, other = (make(product_folder, "padim", precision="int8") for make in (train, train_anew))
    assert one.manifest.graph_sha256 == other.manifest.graph_sha256


def test_cached_features_are_told_apart(product_folder, tmp_path, one_thread):
    with FeatureCache(tmp_path / "features") as cache:
        train_anew(product_folder, "padim", cache=cache)
        floats = len(list((tmp_path / "features").iterdir()))
        train_anew(product_folder, "padim", precision="int8", cache=cache)
        assert len(list((tmp_path / "features").iterdir())) == 2 * floats


def test_another_precision_is_refused(product_folder):
    with pytest.raises(ConfigurationError, match="unknown precision 'int4': the known ones are float32, int8"):
        train_anew(product_folder, "padim", precision="int4")


def test_a_backbone_that_rounding_destroys_is_refused(product_folder, monkeypatch, one_thread):
    monkeypatch.setattr(precision, "MOST_ERROR", 1e-9)
    with pytest.raises(TrainingError, match=r"mobilenet_v2 cannot be rounded to 8 bits: layer \d+ changes by"):
        train_anew(product_folder, "padim", precision="int8")


def test_a_manifest_of_another_precision_is_damaged(product_folder, one_thread):
    manifest = train(product_folder, "padim", precision="int8").manifest
    with pytest.raises(ArtifactError, match="precision"):
        Manifest.from_json(dataclasses.replace(manifest, precision="int3").to_json())
