"""The .onnx file as a contract: whatever is wrong with a file is told in one line."""

import dataclasses
import json
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import flawspot
from flawspot.errors import ArtifactError, ConfigurationError, FlawspotError
from flawspot.runtime.artifact import Artifact, assemble, graph_sha256, read, verified
from flawspot.runtime.found_sizes import FoundSize, FoundSizes
from flawspot.runtime.manifest import SCHEMA_VERSION, Manifest


def refused(path) -> str:
    with pytest.raises(ArtifactError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.fixture
def file(tmp_path, tiny_model, tiny_manifest):
    path = tmp_path / "a part.onnx"
    assemble(tiny_model, tiny_manifest).save(path)
    return path


def test_round_trip(file, tiny_model, tiny_manifest):
    artifact = read(file)
    assert dataclasses.replace(artifact.manifest, graph_sha256="") == tiny_manifest
    assert artifact.manifest.graph_sha256 == graph_sha256(tiny_model)
    assert graph_sha256(artifact.model) == graph_sha256(tiny_model)
    onnx.checker.check_model(onnx.load(file))


def test_a_rewritten_manifest_changes_nothing_else(file, tiny_model, tiny_manifest):
    assemble(read(file).model, dataclasses.replace(tiny_manifest, product="another")).save(file)
    assert read(file).manifest.product == "another"
    assert graph_sha256(read(file).model) == graph_sha256(tiny_model)
    keys = [entry.key for entry in onnx.load(file).metadata_props]
    assert keys == ["flawspot.manifest", "flawspot.sha256"]


def test_other_metadata_are_kept(file, tiny_model, tiny_manifest):
    model = onnx.load_from_string(tiny_model)
    model.metadata_props.add(key="line", value="7")
    assemble(model.SerializeToString(), tiny_manifest).save(file)
    assemble(read(file).model, tiny_manifest).save(file)
    assert [e.value for e in onnx.load(file).metadata_props if e.key == "line"] == ["7"]


def test_every_flipped_byte_is_noticed(file, tmp_path):
    content = file.read_bytes()
    other = tmp_path / "flipped.onnx"
    for position in range(0, len(content), 7):
        flipped = bytearray(content)
        flipped[position] ^= 0x55
        other.write_bytes(flipped)
        refused(other)


def test_every_truncation_is_noticed(file, tmp_path):
    content = file.read_bytes()
    other = tmp_path / "cut.onnx"
    for length in range(0, len(content), 11):
        other.write_bytes(content[:length])
        refused(other)


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_refused(tmp_path, seed):
    path = tmp_path / "noise.onnx"
    path.write_bytes(np.random.default_rng(seed).bytes(500))
    refused(path)


def test_what_is_not_ours(tmp_path, tiny_model):
    foreign = tmp_path / "foreign.onnx"
    foreign.write_bytes(tiny_model)
    assert "not one of flawspot" in refused(foreign)
    text = tmp_path / "notes.txt"
    text.write_text("not a model")
    assert "not an ONNX model" in refused(text)
    assert "there is no file" in refused(tmp_path / "missing.onnx")
    refused(tmp_path)


def write_raw(path, model, text) -> None:
    proto = onnx.load_from_string(model)
    proto.metadata_props.add(key="flawspot.manifest", value=text)
    path.write_bytes(proto.SerializeToString())


def test_a_newer_schema_says_how_to_update(tmp_path, tiny_model, tiny_manifest):
    data = {**tiny_manifest.as_dict(), "schema_version": SCHEMA_VERSION + 1}
    write_raw(tmp_path / "new.onnx", tiny_model, json.dumps(data))
    assert "pip install -U flawspot" in refused(tmp_path / "new.onnx")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "{}", '{"schema_version": "1"}', '{"schema_version": 1}', "[" * 9999]
)
def test_a_damaged_manifest(tmp_path, tiny_model, text):
    write_raw(tmp_path / "bad.onnx", tiny_model, text)
    assert "manifest" in refused(tmp_path / "bad.onnx")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("product",), 3),
        (("input_size",), "64"),
        (("input_size",), True),
        (("backbone", "taps"), [1, "2"]),
        (("backbone",), []),
        (("training", "seconds"), {"fit": "long"}),
        (("training", "best_epoch"), 1.5),
        (("calibration", "scores"), {}),
        (("parts",), [{"name": "bank", "bytes": 1}]),
    ],
)
def test_a_field_of_the_wrong_type_is_named(tiny_manifest, path, value):
    data = json.loads(tiny_manifest.to_json())
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(ArtifactError, match="is damaged: manifest." + r"\.".join(path)):
        Manifest.from_json(json.dumps(data))


def test_fields_of_a_later_version_are_ignored(tiny_manifest):
    data = {**json.loads(tiny_manifest.to_json()), "jury": ["paste", "padim"]}
    assert Manifest.from_json(json.dumps(data)) == tiny_manifest


def test_a_manifest_with_numbers_that_json_lacks_is_not_written(tmp_path, tiny_model, tiny_manifest):
    broken = dataclasses.replace(tiny_manifest, hyperparameters={"rate": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        assemble(tiny_model, broken).save(tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(file, tiny_model, tiny_manifest, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = file.read_bytes()
    monkeypatch.setattr("flawspot.files.os.fsync", full)
    with pytest.raises(FlawspotError, match="No space left on device"):
        assemble(tiny_model, dataclasses.replace(tiny_manifest, product="another")).save(file)
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def test_a_model_too_new_for_onnx_runtime(tiny_manifest):
    node = helper.make_node("NoSuchOperator", ["image"], ["anomaly_map"])
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, None)],
        [helper.make_tensor_value_info("anomaly_map", TensorProto.FLOAT, None)],
    )
    with pytest.raises(ArtifactError, match="pip install -U onnxruntime"):
        flawspot.load(Artifact(tiny_manifest, helper.make_model(graph).SerializeToString()))


OLD = Path(__file__).with_name("schema_1.onnx")
"""`tiny_model`, written by flawspot when it had a threshold for the score, 100, and one for the map, 60."""


def grey(level: int) -> np.ndarray:
    return np.full((16, 24, 3), level, np.uint8)


def test_an_artifact_of_schema_1_keeps_its_meaning(tmp_path):
    artifact = read(OLD)
    assert artifact.manifest.schema_version == 1
    calibration = artifact.manifest.calibration
    assert (calibration.threshold, calibration.region_threshold) == (100.0, 60.0)
    prediction = flawspot.load(OLD).predict(grey(80))
    assert not prediction.is_anomalous
    assert prediction.boxes == [(0, 0, 24, 16)]
    assert flawspot.load(OLD).predict(grey(60)).boxes == []


def test_an_artifact_of_schema_1_stays_one_when_it_is_rewritten(tmp_path):
    path = tmp_path / "old.onnx"
    path.write_bytes(OLD.read_bytes())
    read(path).recalibrated(0.6).save(path)
    manifest = read(path).manifest
    assert manifest.schema_version == 1
    assert (manifest.calibration.threshold, manifest.calibration.pixel_threshold) == (80.0, 40.0)
    assert manifest.calibration.map_maxima == (30.0, 40.0, 50.0, 60.0)


def test_schema_1_without_a_threshold_for_the_map_is_damaged(tiny_manifest):
    data = {**tiny_manifest.as_dict(), "schema_version": 1}
    with pytest.raises(ArtifactError, match="pixel_threshold is missing"):
        Manifest.from_json(json.dumps(data))


def test_a_new_manifest_says_nothing_of_a_second_threshold(tiny_manifest):
    assert "pixel_threshold" not in tiny_manifest.to_json()
    assert "map_maxima" not in tiny_manifest.to_json()
    assert Manifest.from_json(tiny_manifest.to_json()) == tiny_manifest


def test_the_model_of_an_artifact_is_the_whole_file(file, tmp_path, tiny_model, tiny_manifest):
    for artifact in (read(file), assemble(tiny_model, tiny_manifest), read(file).recalibrated(0.2)):
        assert artifact.model == file.read_bytes()
        by_hand, by_itself = tmp_path / "by hand.onnx", tmp_path / "new folder" / "by itself.onnx"
        by_hand.write_bytes(artifact.model)
        artifact.save(by_itself)
        assert read(by_hand) == read(by_itself) == read(file)
        assert flawspot.load(artifact).predict(grey(120)).score == 120.0


def test_repr_is_a_line(file):
    assert repr(read(file)) == "Artifact(paste on mobilenet_v2, layers 7, 10, 14, input 8 x 8, 0.0 MiB)"


@pytest.fixture(scope="module")
def large(tiny_model, tiny_manifest, tmp_path_factory):
    """An artifact of 16 MB, between other metadata."""
    model = onnx.load_from_string(tiny_model)
    weights = np.random.default_rng(0).random(2**22, np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "weights"))
    model.metadata_props.add(key="line", value="7")
    path = tmp_path_factory.mktemp("large") / "large.onnx"
    assemble(model.SerializeToString(), tiny_manifest).save(path)
    return path


def traced(action) -> tuple[int, int]:
    """Bytes that Python holds after `action` and held at most, beyond those before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = action()
        after, peak = tracemalloc.get_traced_memory()
        del kept
        return after - before, peak - before
    finally:
        tracemalloc.stop()


def test_an_artifact_is_verified_where_it_lies(large):
    size = large.stat().st_size
    _, peak = traced(lambda: read(large))
    assert size <= peak < 1.05 * size
    model = read(large).model
    _, peak = traced(lambda: graph_sha256(model))
    assert peak < 0.05 * size


def test_a_loaded_detector_keeps_no_copy_of_the_file(large):
    size = large.stat().st_size
    flawspot.load(large)  # whatever is imported only now
    held, peak = traced(lambda: flawspot.load(large))
    assert held < 0.05 * size
    assert peak < 1.05 * size


def test_assembling_holds_nothing_but_the_new_file(large, tiny_manifest):
    size = large.stat().st_size
    model = large.read_bytes()
    _, peak = traced(lambda: assemble(model, tiny_manifest))
    assert peak < 1.05 * size


def test_what_was_measured_goes_with_its_threshold(tiny_model, tiny_manifest):
    found = FoundSizes(100.0, 10, 0.9, 3, 0, False, (64, 64), (64, 64), 0, (FoundSize("spot", 4, 4, 40.0, 9),))
    artifact = assemble(tiny_model, tiny_manifest)
    measured = artifact.with_smallest(found)
    assert verified(measured.model).manifest.smallest == found
    assert graph_sha256(measured.model) == graph_sha256(artifact.model)
    assert measured.with_threshold(100.0).manifest.smallest == found
    assert measured.with_threshold(99.0).manifest.smallest is None
    assert measured.recalibrated(0.6).manifest.smallest is None
    with pytest.raises(ConfigurationError, match="measured at the threshold 100, and the detector has 99"):
        artifact.with_threshold(99.0).with_smallest(found)
