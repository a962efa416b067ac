"""The one road from photographs to an artifact, and the mistakes that end it early."""

import shutil

import numpy as np
import pytest
from PIL import Image

import flawspot
from flawspot.backbones.registry import family
from flawspot.backbones.weights import find
from flawspot.data.folders import open_folder
from flawspot.errors import ConfigurationError, DataError, FlawspotError, ImageError, WeightsError
from flawspot.methods.registry import create_method
from flawspot.methods.stfpm.paste import PaSTe
from flawspot.runtime.artifact import graph_sha256, read
from flawspot.runtime.images import read_image
from flawspot.training.feature_cache import FeatureCache
from flawspot.training.road import train

needs_weights = pytest.mark.skipif(
    find("mobilenet_v2", family("mobilenet_v2").weights) is None, reason="flawspot weights pull mobilenet_v2"
)
pytestmark = [pytest.mark.weights, needs_weights]
QUICK = {"method": "padim", "input_size": 64, "calibration": "split"}


@pytest.fixture(scope="module")
def artifact(product_folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "small part.onnx"
    return path, flawspot.train(product_folder, output=path, **QUICK)


def test_the_file_is_the_artifact(artifact):
    path, trained = artifact
    kept = read(path)
    assert kept.manifest == trained.manifest
    assert graph_sha256(kept.model) == graph_sha256(trained.model)


def test_loading_gives_the_same_bits(artifact, product_folder):
    path, trained = artifact
    image = product_folder / "test" / "spot" / "000.png"
    one, two = flawspot.load(trained).predict(image), flawspot.load(path).predict(image)
    assert one.score == two.score
    np.testing.assert_array_equal(one.map, two.map)


def test_defects_are_found(artifact, product_folder):
    detector = flawspot.load(artifact[0])
    metrics = flawspot.evaluate(detector, product_folder).metrics
    assert metrics.image_auroc == 1.0
    assert metrics.image_recall == 1.0
    assert metrics.pixel_auroc > 0.9
    prediction = detector.predict(product_folder / "test" / "spot" / "000.png")
    left, top, right, bottom = prediction.boxes[0]
    assert left < 26 < right
    assert top < 37 < bottom


def test_the_manifest_tells_the_whole_story(artifact, product_folder):
    manifest = artifact[1].manifest
    assert (manifest.product, manifest.method, manifest.input_size) == ("small part", "padim", 64)
    assert manifest.backbone.taps == (3, 8, 14)
    assert manifest.backbone.layers == "equiv"
    assert manifest.hyperparameters == {
        "channels": None,
        "selection": "random",
        "ridge": 0.01,
        "covariance": "full",
        "rank": 8,
        "precision": "float32",
        "sigma": 4.0,
    }
    assert (manifest.training.images, manifest.training.calibration_images) == (19, 5)
    assert manifest.training.validation_images == 0
    assert list(manifest.training.seconds) == ["reading", "features", "fitting", "export", "calibration"]
    assert len(manifest.calibration.scores) == 5
    assert [part.name for part in manifest.parts] == ["backbone", "means", "inverse covariances", "smoothing"]
    assert {"flawspot", "torch", "onnxruntime"} <= manifest.versions.keys()


@pytest.mark.parametrize("shared", [None, False, True])
def test_calibration_images_serve_for_nothing_else(product_folder, monkeypatch, shared):
    """Fitting never sees them, choosing the epoch neither, and their scores are those of the shipped graph."""
    from flawspot.training import road as training

    sources, sets = [], []
    maps, fit = FeatureCache.maps, PaSTe.fit
    monkeypatch.setattr(FeatureCache, "maps", lambda *a, **k: sources.append(a[1]) or maps(*a, **k))
    monkeypatch.setattr(PaSTe, "fit", lambda *a, **k: sets.extend(a[1:]) or fit(*a, **k))
    calibrated = []
    original = training.held_out_scores
    monkeypatch.setattr(
        training, "held_out_scores", lambda *a, **k: calibrated.extend(a[1].held_out()) or original(*a, **k)
    )
    cache = None if shared is None else FeatureCache(shared=shared)
    trained = train(product_folder, method="paste", input_size=64, settings={"epochs": 1}, cache=cache)
    fitted, validated = ([sources[0].images[row] for row in features.rows] for features in sets)
    assert len(sources[0].images) == (24 if shared else 19)
    assert len(fitted) + len(validated) + len(calibrated) == 24
    assert not set(fitted) & set(validated)
    assert not set(calibrated) & {*fitted, *validated}
    detector = flawspot.load(trained)
    scores = sorted(detector.predict(path).score for path in calibrated)
    assert list(trained.manifest.calibration.scores) == pytest.approx(scores, rel=1e-6)
    assert trained.manifest.training.best_epoch == 1


def test_the_same_seed_makes_the_same_detector(artifact, product_folder):
    again = train(product_folder, **QUICK)
    assert graph_sha256(again.model) == graph_sha256(artifact[1].model)
    assert again.manifest.calibration == artifact[1].manifest.calibration
    assert again.manifest.training.fingerprint == artifact[1].manifest.training.fingerprint


def test_from_a_cache_comes_the_same_detector(artifact, product_folder, tmp_path):
    first, again = (train(product_folder, cache=FeatureCache(tmp_path), **QUICK) for _ in range(2))
    assert graph_sha256(first.model) == graph_sha256(again.model) == graph_sha256(artifact[1].model)
    assert first.manifest.calibration == artifact[1].manifest.calibration
    assert len(list(tmp_path.iterdir())) == 3
    other = train(product_folder, cache=FeatureCache(tmp_path), seed=1, **{**QUICK, "method": "patchcore"})
    assert other.manifest.training.images == 19
    assert len(list(tmp_path.iterdir())) == 3


def test_a_plain_folder_serves_to_train(product_folder, artifact):
    trained = train(product_folder / "train" / "good", **QUICK)
    assert trained.manifest.product == product_folder.name
    assert graph_sha256(trained.model) == graph_sha256(artifact[1].model)


def test_a_method_with_its_own_settings(product_folder):
    method = create_method("padim", {"channels": 8}, seed=4)
    trained = train(product_folder, method=method, input_size=64, layers=[3, 8])
    assert trained.manifest.hyperparameters["channels"] == 8
    assert trained.manifest.backbone.layers == "3,8"
    assert trained.manifest.seed == 4


def test_the_manifest_s_seed_tells_everything(product_folder):
    """Whoever trains with the method and seed of a manifest gets the same detector."""
    by_hand = train(product_folder, method=create_method("padim", seed=4), input_size=64, layers=[3, 8])
    by_name = train(product_folder, method="padim", seed=4, input_size=64, layers=[3, 8])
    replaced = train(product_folder, method=create_method("padim"), seed=4, input_size=64, layers=[3, 8])
    assert {trained.manifest.seed for trained in (by_hand, by_name, replaced)} == {4}
    assert len({graph_sha256(trained.model) for trained in (by_hand, by_name, replaced)}) == 1


def test_settings_beside_a_method_replace_its_own(product_folder):
    method = create_method("padim", {"channels": 8, "rank": 3}, seed=4)
    trained = train(product_folder, method=method, settings={"channels": "6"}, input_size=64, layers=[3, 8])
    assert trained.manifest.hyperparameters["channels"] == 6
    assert trained.manifest.hyperparameters["rank"] == 3
    assert trained.manifest.seed == 4
    assert method.channels == 8
    with pytest.raises(ConfigurationError, match="banksize"):
        train(product_folder, method=method, settings={"banksize": 6}, input_size=64)


def test_random_weights_must_be_asked_for_and_are_told(product_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("FLAWSPOT_CACHE", str(tmp_path))
    monkeypatch.delenv("FLAWSPOT_WEIGHTS_PATH", raising=False)
    with pytest.raises(WeightsError, match="flawspot weights pull micronet_m1"):
        train(product_folder, backbone="micronet_m1", **QUICK)
    trained = train(product_folder, backbone="micronet_m1", random_weights=True, **QUICK)
    assert trained.manifest.backbone.weights == "random"
    assert flawspot.load(trained).predict(product_folder / "test" / "good" / "000.png").map.shape == (64, 64)
    with pytest.raises(ConfigurationError, match="not both"):
        train(product_folder, random_weights=True, weights="imagenet1k_v1", **QUICK)


def test_unreadable_photographs_are_left_out_and_counted(product_folder, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(product_folder / "train" / "good", folder)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    Image.new("L", (30, 50), 90).save(folder / "other size.png")
    trained = train(folder, **QUICK)
    assert trained.manifest.training.skipped == ("broken.png",)
    assert trained.manifest.training.images + trained.manifest.training.calibration_images == 25
    with pytest.raises(ImageError, match=r"broken\.png"):
        train(folder, strict=True, **QUICK)


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_photographs(product_folder, tmp_path, count):
    for index in range(count):
        shutil.copy(product_folder / "train" / "good" / f"{index:03}.png", tmp_path)
    with pytest.raises(DataError, match="at least 3"):
        train(tmp_path, method="paste", input_size=64)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "magic"}, ConfigurationError, "cfa, jury, padim, paste, pasted, patchcore, stfpm"),
        ({"backbone": "resnet"}, ConfigurationError, "mobilenet_v2"),
        ({"layers": "deepest"}, ConfigurationError, "low, mid, high, equiv, paste"),
        ({"layers": [8, 3]}, ConfigurationError, "write 3, 8"),
        ({"weights": "imagenet22k"}, ConfigurationError, "imagenet1k_v1"),
        ({"weights": "imagenet1k_v2"}, WeightsError, "flawspot weights pull mobilenet_v2 --weights imagenet1k_v2"),
        ({"settings": {"banksize": 3}}, ConfigurationError, "bank"),
        ({"input_size": 16}, ConfigurationError, "32 to 1024"),
        ({"normalization": "imagenet"}, ConfigurationError, "weights, paper"),
        ({"false_alarm_rate": 0.0}, ConfigurationError, "between 0 and 1"),
        ({"calibration_fraction": 1.0}, ConfigurationError, "between 0 and 1"),
        ({"method": "paste", "layers": "0,3"}, ConfigurationError, "choose layers of at least 1"),
    ],
)
def test_mistakes_are_found_before_any_photograph_is_read(
    arguments, error, message, product_folder, tmp_path, monkeypatch
):
    if error is WeightsError and find("mobilenet_v2", family("mobilenet_v2").weights, arguments["weights"]):
        pytest.skip("these weights happen to be at hand")
    monkeypatch.setattr("flawspot.training.photographs.check_photographs", None)
    output = tmp_path / "new" / "part.onnx"
    arguments = {"method": "patchcore", **arguments}
    with pytest.raises(error, match=message):
        train(product_folder, output=output, **arguments)
    assert not output.exists()


def test_an_output_that_cannot_be_written_is_found_first(product_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("flawspot.training.photographs.check_photographs", None)
    with pytest.raises(FlawspotError, match="it is a folder"):
        train(product_folder, output=tmp_path)


def test_another_rate_needs_no_training(artifact, product_folder):
    scores = artifact[1].manifest.calibration.scores
    detector = flawspot.load(artifact[1].recalibrated(0.5))
    verdicts = [detector.predict(read_image(path)) for path in open_folder(product_folder).train]
    assert all(v.is_anomalous == (v.score > scores[2]) for v in verdicts)
