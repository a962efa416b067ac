"""Features are computed once, stay what they were wherever they are kept, and leave nothing behind."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from flawspot.backbones.block_list import INPUT, initialise
from flawspot.backbones.registry import create
from flawspot.data.folders import fingerprint, open_folder
from flawspot.errors import ConfigurationError, FlawspotError, TrainingError
from flawspot.methods.features import FeatureSet
from flawspot.runtime.images import read_image
from flawspot.runtime.reduced import read_photograph
from flawspot.runtime.view import View
from flawspot.training import feature_cache, feature_source
from flawspot.training.feature_cache import FeatureCache
from flawspot.training.feature_source import FeatureSource
from flawspot.training.graph import Preprocess, to_onnx

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
TAPS = (INPUT, 3, 8)


def backbone(taps=TAPS):
    network = create("mobilenet_v2", taps)
    initialise(network, 0)
    return network.frozen()


@pytest.fixture(scope="module")
def source(product_folder):
    images = open_folder(product_folder).train[:6]
    return FeatureSource(images, product_folder, fingerprint(images, product_folder), "random", View(64, 64), MEAN, STD)


@pytest.fixture(scope="module")
def expected(source):
    """The features by torch, one photograph at a time."""
    network, preprocess = backbone(), Preprocess(64, MEAN, STD)
    with torch.no_grad():
        outputs = [network(preprocess(torch.from_numpy(read_image(path)[None]))) for path in source.images]
    return {tap: torch.cat([output[tap] for output in outputs]).numpy() for tap in TAPS}


@pytest.fixture(scope="module")
def models():
    return {}


@pytest.fixture(autouse=True)
def computed(models, monkeypatch):
    """The layers of each pass over the photographs. Each graph is exported once for all tests, which takes a second."""
    passes = []

    def export(graph, names):
        passes.append(graph.backbone.taps)
        if passes[-1] not in models:
            models[passes[-1]] = to_onnx(graph, names)
        return models[passes[-1]]

    monkeypatch.setattr(feature_cache, "to_onnx", export)
    return passes


def close(maps, expected, tolerance=1e-4):
    assert maps.keys() == expected.keys()
    for tap, want in expected.items():
        np.testing.assert_allclose(maps[tap].astype(np.float32), want, atol=tolerance * np.abs(want).max())


@pytest.mark.parametrize("memory", [1 << 30, 0, 6 * 64 * 64 * 3 * 4])
def test_in_memory_and_spilled_they_are_what_torch_computes(source, expected, memory):
    with FeatureCache(memory=memory) as cache:
        maps = cache.maps(source, backbone())
        close(maps, expected)
        in_files = [isinstance(maps[tap].base, np.memmap) for tap in TAPS]
        assert in_files == {0: [True] * 3, 1 << 30: [False] * 3}.get(memory, [False, True, True])
    close(maps, expected)  # what was handed out outlives the cache


def test_batches_are_channels_last_without_a_copy(source, expected):
    with FeatureCache(memory=0) as cache:
        maps = cache.maps(source, backbone())
        features = FeatureSet(backbone(), (3, 8), (64, 64), maps, np.array([4, 0, 3]))
        assert features.shapes.maps[3] == expected[3].shape[1:]
        for rows in (np.array([2, 1]), slice(1, 3)):
            batch = torch.from_numpy(features.batch(3, rows))
            assert batch.is_contiguous(memory_format=torch.channels_last)
            np.testing.assert_array_equal(batch, maps[3][features.rows[rows]])
        whole = torch.from_numpy(FeatureSet(backbone(), (3, 8), (64, 64), maps).batch(3, slice(2, 4)))
        np.testing.assert_array_equal(whole, maps[3][2:4])


@pytest.mark.parametrize("folder", [True, False])
def test_only_missing_layers_are_computed_and_in_one_pass(source, expected, computed, tmp_path, folder):
    cache = FeatureCache(tmp_path / "kept" if folder else None)
    cache.maps(source, backbone((3,)))
    close(cache.maps(source, backbone()), expected)
    cache.maps(source, backbone((3, 8)))
    assert computed == [(3,), (INPUT, 8)]
    assert len(cache) == 3


def test_a_folder_serves_the_next_process(source, expected, computed, tmp_path):
    with FeatureCache(tmp_path) as cache:
        cache.maps(source, backbone())
    first = [path.name for path in tmp_path.iterdir()]
    assert len(first) == 3
    assert all(name.startswith("mobilenet_v2-") and name.endswith(".npy") for name in first)
    with FeatureCache(tmp_path) as cache:
        close(cache.maps(source, backbone()), expected)
    assert len(computed) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "0" * 64},
        {"weights": "other"},
        {"view": View(96, 96)},
        {"view": View(64, 64, "pad")},
        {"mean": (0.5, 0.4, 0.31)},
        {"std": (0.2, 0.25, 0.31)},
        "order",
        "layer",
        "backbone",
        "dtype",
        "format",
        "version",
    ],
)
def test_whatever_changes_the_features_changes_their_name(source, change, monkeypatch):
    before = source.key("mobilenet_v2", 3, "float32")
    backbone, layer, dtype = "mobilenet_v2", 3, "float32"
    if isinstance(change, dict):
        source = dataclasses.replace(source, **change)
    elif change == "order":
        source = dataclasses.replace(source, images=source.images[::-1])
    elif change == "format":
        monkeypatch.setattr(feature_source, "FORMAT", 99)
    elif change == "version":
        monkeypatch.setattr("importlib.metadata.version", lambda name: "99")
    else:
        backbone = "micronet_m1" if change == "backbone" else backbone
        layer = 8 if change == "layer" else layer
        dtype = "float16" if change == "dtype" else dtype
    assert source.key(backbone, layer, dtype) != before


def test_a_folder_that_moved_keeps_its_features(source):
    elsewhere = Path("/elsewhere")
    images = tuple(elsewhere / path.relative_to(source.root) for path in source.images)
    moved = dataclasses.replace(source, images=images, root=elsewhere)
    assert moved.key("mobilenet_v2", 3, "float32") == source.key("mobilenet_v2", 3, "float32")


def damage_cut(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)


def damage_shape(path):
    array = np.load(path)
    np.save(path, array[:-1])


def damage_order(path):
    np.save(path, np.asfortranarray(np.load(path)))


def damage_type(path):
    np.save(path, np.load(path).astype(np.float64))


def damage_objects(path):
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


def damage_header(path):
    path.write_bytes(b"\x93NUMPY\x01\x00\xff\xff")


def damage_empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "damage",
    [damage_cut, damage_shape, damage_order, damage_type, damage_objects, damage_header, damage_empty],
)
def test_a_damaged_file_is_replaced(source, expected, computed, tmp_path, damage):
    FeatureCache(tmp_path).maps(source, backbone())
    (path,) = tmp_path.glob("*layer_3*")
    damage(path)
    close(FeatureCache(tmp_path).maps(source, backbone()), expected)
    assert computed == [TAPS, (3,)]
    close(FeatureCache(tmp_path).maps(source, backbone()), expected)
    assert len(computed) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), ValueError])
@pytest.mark.parametrize("folder", [True, False])
def test_broken_off_it_leaves_nothing(source, tmp_path, monkeypatch, error, folder):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    read = []

    def breaks_off(path, view, white):
        read.append(path)
        if len(read) == 3:
            raise error
        return read_photograph(path, view, white=white)

    kept = tmp_path / "kept"
    cache = FeatureCache(kept if folder else None, memory=1)
    monkeypatch.setattr(feature_source, "read_photograph", breaks_off)
    wanted = FlawspotError if isinstance(error, OSError) else error
    with pytest.raises(wanted, match="No space left" if isinstance(error, OSError) else None):
        cache.maps(source, backbone())
    assert not [*temporary.iterdir(), *(kept.iterdir() if folder else ())]
    assert len(cache) == 0
    monkeypatch.setattr(feature_source, "read_photograph", read_photograph)
    assert len(cache.maps(source, backbone())) == 3  # and it can be used again


def test_two_at_once_both_end_up_right(source, expected, tmp_path, monkeypatch):
    """The second begins and ends while the first is under way."""
    others = []

    def read(path, view, white):
        if path == source.images[3] and not others:
            others.append(None)
            others.append(FeatureCache(tmp_path).maps(source, backbone()))
        return read_photograph(path, view, white=white)

    monkeypatch.setattr(feature_source, "read_photograph", read)
    close(FeatureCache(tmp_path).maps(source, backbone()), expected)
    close(others[1], expected)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_that_another_process_put_there_and_holds_will_do(source, expected, tmp_path, monkeypatch):
    """As on Windows, where a file in use cannot be replaced."""
    compute = FeatureCache._compute

    def overtaken(cache, *arguments):
        compute(cache, *arguments)
        raise FlawspotError("cannot write: in use")

    monkeypatch.setattr(FeatureCache, "_compute", overtaken)
    close(FeatureCache(tmp_path).maps(source, backbone()), expected)
    monkeypatch.setattr(FeatureCache, "_compute", lambda *_: (_ for _ in ()).throw(FlawspotError("cannot write")))
    with pytest.raises(FlawspotError, match="cannot write"):
        FeatureCache(tmp_path / "other").maps(source, backbone())


@pytest.mark.parametrize("folder", [True, False])
def test_half_precision_halves_the_size(source, expected, tmp_path, folder):
    cache = FeatureCache(tmp_path if folder else None, dtype="float16")
    maps = cache.maps(source, backbone())
    assert {array.dtype for array in maps.values()} == {np.dtype(np.float16)}
    close(maps, expected, tolerance=1e-3)
    features = FeatureSet(backbone(), (3, 8), (64, 64), maps, np.arange(6))
    assert features.batch(3, slice(0, 2)).dtype == np.float32


def test_half_precision_says_where_it_overflows(source):
    with pytest.raises(TrainingError, match="layer 3 are too large for float16"):
        FeatureCache(dtype="float16")._converted(np.full((1, 2, 2), 1e6, np.float32), 3)


@pytest.mark.parametrize("arguments", [{"dtype": "int8"}, {"memory": -1}])
def test_settings_out_of_range(arguments):
    with pytest.raises(ConfigurationError):
        FeatureCache(**arguments)


def test_a_folder_that_cannot_be_written_is_found_first(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FlawspotError, match="Choose another place"):
        FeatureCache(tmp_path / "file")
