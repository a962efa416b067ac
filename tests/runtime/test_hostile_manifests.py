"""Manifests whose checksum fits and whose values no detector has are refused when they are read."""

import dataclasses
import hashlib
import json
import math

import pytest

import flawspot
from flawspot.errors import ArtifactError
from flawspot.runtime.artifact import CHECKSUM_KEY, MANIFEST_KEY, assemble, graph_sha256, metadata_entry, read
from flawspot.runtime.manifest import Manifest, Part


def written(path, model: bytes, text: str):
    """An artifact with this manifest and the checksum that goes with it, as whoever has the file can make it."""
    checksum = hashlib.sha256(model + b"\0" + text.encode()).hexdigest()
    path.write_bytes(model + metadata_entry(MANIFEST_KEY, text) + metadata_entry(CHECKSUM_KEY, checksum))
    return path


@pytest.fixture
def manifest(tiny_model, tiny_manifest):
    return dataclasses.replace(tiny_manifest, graph_sha256=graph_sha256(tiny_model)).as_dict()


def test_the_fixture_is_read(tmp_path, tiny_model, manifest):
    read(written(tmp_path / "a.onnx", tiny_model, json.dumps(manifest)))
    manifest["smallest"] = MEASURED
    assert read(written(tmp_path / "a.onnx", tiny_model, json.dumps(manifest))).manifest.smallest is not None
    manifest["calibration"]["tolerated"] = TOLERATED
    known = read(written(tmp_path / "a.onnx", tiny_model, json.dumps(manifest))).manifest
    assert known.as_dict()["calibration"]["tolerated"] == TOLERATED
    assert str(known.calibration.tolerated) == "noise 2, fog 0.5 (2 varied copies of each photograph)"
    assert known.calibration.as_taken == ()


MEASURED: dict = {
    "threshold": 100.0,
    "trials": 10,
    "share": 0.9,
    "photographs": 3,
    "false_alarms": 0,
    "learned": False,
    "from_size": [64, 64],
    "to_size": [64, 64],
    "seed": 0,
    "sizes": [{"kind": "spot", "length": 4, "width": 4, "contrast": 40.0, "found": 9}],
}

TOLERATED: dict = {"severities": {"noise": 2.0, "fog": 0.5}, "copies": 2, "decisive": True}
"""Of a newer flawspot that knows fog."""

WRONG = [
    ("calibration.threshold", math.nan),
    ("calibration.threshold", math.inf),
    ("calibration.threshold", 99.5),
    ("calibration.threshold", 10**400),
    ("calibration.threshold", "9"),
    ("calibration.scores", []),
    ("calibration.scores", [math.nan]),
    ("calibration.scores", [100.0, 90.0]),
    ("calibration.false_alarm_rate", 0.0),
    ("calibration.false_alarm_rate", math.nan),
    ("calibration.promised_rate", 1.5),
    ("input_size", 0),
    ("input_size", -5),
    ("input_size", 10**30),
    ("backbone.taps", []),
    ("backbone.taps", [7, 3]),
    ("backbone.taps", list(range(1000))),
    ("backbone.std", [0.0, 0.0, 0.0]),
    ("backbone.mean", [0.5]),
    ("parts", [{"name": "x", "bytes": -1, "macs": 0}]),
    ("hyperparameters", {"a": math.inf}),
    ("hyperparameters", {"a": 10**400}),
    ("seed", 10**400),
    ("schema_version", -7),
    ("schema_version", True),
    ("schema_version", 99),
    ("graph_sha256", ""),
    ("graph_sha256", "0" * 64),
    ("self_test", {"score": 1.0, "map_means": [1.0], "tolerance": 5.0}),
    ("self_test", {"score": math.nan, "map_means": [1.0], "tolerance": 0.1}),
    ("smallest", {"threshold": 100.0}),
    ("smallest", MEASURED | {"threshold": 99.0}),
    ("smallest", MEASURED | {"trials": 10**6}),
    ("smallest", MEASURED | {"sizes": []}),
    ("smallest", MEASURED | {"sizes": [MEASURED["sizes"][0] | {"kind": "hole"}]}),
    ("smallest", MEASURED | {"sizes": [MEASURED["sizes"][0] | {"found": 11}]}),
    ("smallest", MEASURED | {"from_size": [10**9, -1]}),
    *(
        ("calibration.tolerated", TOLERATED | wrong)
        for wrong in (
            {"severities": {}},
            {"severities": {"noise": 6.0}},
            {"severities": {"noise": math.nan}},
            {"severities": {"noise": "2"}},
            {"severities": {"\x1b[2J": 1.0}},
            {"severities": {"n" * 10_000: 1.0}},
            {"severities": [2.0]},
            {"copies": 0},
            {"copies": 10**9},
            {"decisive": 1},
        )
    ),
    ("calibration.tolerated", 2),
    ("product", "\ud800"),
    ("product", None),
]


@pytest.mark.parametrize(("where", "value"), WRONG, ids=[f"{where}-{ascii(value)[:20]}" for where, value in WRONG])
def test_values_that_no_detector_has(tmp_path, tiny_model, manifest, where, value):
    inner = manifest
    *outer, last = where.split(".")
    for name in outer:
        inner = inner[name]
    inner[last] = value
    path = written(tmp_path / "a.onnx", tiny_model, json.dumps(manifest))
    with pytest.raises(ArtifactError) as error:
        flawspot.load(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "1", "{", '{"schema_version": 2}', '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}", "9" * 5000],
    ids=lambda text: text[:20],
)
def test_texts_that_are_no_manifest(tmp_path, tiny_model, text):
    with pytest.raises(ArtifactError) as error:
        read(written(tmp_path / "a.onnx", tiny_model, text))
    assert len(str(error.value)) < 600


def test_a_manifest_belongs_to_its_graph(tmp_path, tiny_model, tiny_manifest):
    other = tiny_model + b"\x08\x0a"  # the IR version once more: the same model, other bytes
    theirs = assemble(other, tiny_manifest).manifest
    with pytest.raises(ArtifactError, match="belongs to another graph"):
        read(written(tmp_path / "a.onnx", tiny_model, theirs.to_json()))


def test_texts_that_no_encoding_has_become_text(tmp_path, tiny_model, tiny_manifest):
    """As names that are not UTF-8 have them, wherever they come in."""
    odd = "a\udcffb"
    manifest = dataclasses.replace(
        tiny_manifest,
        method=odd,
        hyperparameters={odd: odd},
        versions={odd: odd},
        parts=(Part(odd, 1, 1),),
        backbone=dataclasses.replace(tiny_manifest.backbone, layers=odd),
    )
    assemble(tiny_model, manifest).save(tmp_path / "a.onnx")
    found = read(tmp_path / "a.onnx").manifest
    assert (found.method, found.hyperparameters) == (r"a\udcffb", {r"a\udcffb": r"a\udcffb"})
    assert (found.backbone.layers, found.parts[0].name) == (r"a\udcffb", r"a\udcffb")
    assert Manifest.from_json(found.to_json()) == found
