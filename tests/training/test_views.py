"""Every method with other proportions, tiles and regions, from photographs to predictions."""

import functools
import json
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

import flawspot
from flawspot.errors import ArtifactError, ConfigurationError, ExportError
from flawspot.export.translate import export
from flawspot.methods.features import FeatureSet, tile_rows
from flawspot.methods.registry import methods
from flawspot.runtime.artifact import Artifact, read
from flawspot.runtime.manifest import Manifest
from flawspot.runtime.session import open_session
from flawspot.runtime.view import View
from flawspot.training import road
from flawspot.training.calibration import held_out_scores, scores_of
from flawspot.training.configuration import Configuration
from flawspot.training.exporting import export_detector
from flawspot.training.feature_cache import FeatureCache
from flawspot.training.feature_source import FeatureSource
from flawspot.training.photographs import Photographs
from flawspot.training.tiles import inside_tiles

SETTINGS = {
    "patchcore": {"bank_size": 150},
    "cfa": {"epochs": 1},
    "stfpm": {"epochs": 1},
    "paste": {"epochs": 1},
    "pasted": {"epochs": 1, "photographs": 24},
    "jury": {"members": "patchcore:bank_size=150 + pasted:epochs=1,photographs=24"},
}
QUICK = {"random_weights": True, "calibration": "split", "progress": False, "input_size": 64, "group": "none"}
CASES = {
    "wide": {"input_size": (64, 96)},
    "pad": {"fit": "pad", "input_size": "64x96"},
    "crop": {"fit": "crop", "input_size": "64x96"},
    "region": {"roi": "8,8 56,40", "ignore": "30,20 40,30"},
    "tiles": {"tiles": "2x3"},
    "few tiles at a time": {"tiles": "2x3", "tile_memory": True},
    "region of padded tiles": {"tiles": (1, 2), "fit": "pad", "roi": "8,8 56,40"},
}
OF_ALL = ("wide", "tiles", "region of padded tiles")
PAIRS = [(name, case) for name in methods() for case in CASES if case in OF_ALL or name == "padim"]
pytestmark = pytest.mark.usefixtures("one_thread")


def parametrized(pairs):
    """Tiles and regions of other methods than PaDiM are slow: each is trained."""
    slow = [pytest.param(*pair, marks=pytest.mark.slow) for pair in pairs if pair[0] != "padim" and pair[1] != "wide"]
    quick = [pair for pair in pairs if pair[0] == "padim" or pair[1] == "wide"]
    return pytest.mark.parametrize(("method", "case"), [*quick, *slow])


@dataclass
class Trained:
    """What training made, and what it was made of."""

    artifact: Artifact
    chosen: Configuration
    photographs: Photographs


@pytest.fixture(scope="module")
def trained(product_folder):
    """``trained(method, case)``, once each."""

    @functools.cache
    def make(method, case):
        known = []

        def export_too(*given, **more):
            known.extend(given)
            return export_detector(*given, **more)

        options = {**QUICK, **CASES[case], "settings": SETTINGS.get(method)}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(road, "export_detector", export_too)
            artifact = flawspot.train(product_folder, method=method, **options)
        return Trained(artifact, known[0], known[1])

    return make


@pytest.mark.slow
@parametrized(PAIRS)
def test_every_method_with_every_view(method, case, trained, product_folder, tmp_path):
    artifact = trained(method, case).artifact
    view = artifact.manifest.view
    artifact.save(tmp_path / "part.onnx")
    detector = flawspot.load(tmp_path / "part.onnx", threads=1, self_test=True)
    assert read(tmp_path / "part.onnx").manifest.view == view
    good, defective = (product_folder / "test" / kind / "000.png" for kind in ("good", "spot"))
    images = np.stack([detector.read(path).pixels for path in (good, defective)])
    maps, scores = detector.run(images)
    assert maps.shape == (2, *view.canvas) and (maps >= 0).all()
    np.testing.assert_array_equal(scores, maps.max(axis=(1, 2)))
    for image, one_map in zip(images, maps, strict=True):
        np.testing.assert_allclose(detector.run(image[None])[0][0], one_map, rtol=1e-4, atol=1e-5 * maps.max())
    inside = view.inside((64, 64))
    if inside is not None:
        assert not maps[:, ~inside].any()
    found = detector.predict(defective)
    assert found.map.max() == np.float32(found.score)
    assert found.mask.shape == (64, 64) and all(0 <= x <= 64 for box in found.boxes for x in box)
    hidden = found.not_inspected
    assert hidden is None or (hidden.shape == found.map.shape and not found.map[hidden].any())
    found.save(tmp_path / "found.png")
    json.dumps(found.to_dict(), allow_nan=False)
    assert Manifest.from_json(artifact.manifest.to_json()) == artifact.manifest


@pytest.mark.grid(2)
@parametrized([pair for pair in PAIRS if pair[0] in ("padim", "patchcore")])
def test_a_defect_raises_the_score(method, case, trained, product_folder):
    detector = flawspot.load(trained(method, case).artifact, threads=1)
    good, defective = (detector.predict(product_folder / "test" / kind / "000.png") for kind in ("good", "spot"))
    assert defective.score > 1.3 * good.score


@pytest.mark.slow
@pytest.mark.parametrize("method", ["padim", "patchcore"])
def test_few_tiles_at_a_time_give_the_same(method, trained, product_folder):
    """Of a method that has something for each tile, and of one that has not."""
    cases = ("tiles", "few tiles at a time")
    together, apart = (flawspot.load(trained(method, case).artifact, threads=1) for case in cases)
    path = product_folder / "test" / "spot" / "001.png"
    wanted, found = (detector.predict(path).map for detector in (together, apart))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * wanted.max())


@parametrized([pair for pair in PAIRS if pair[1].startswith("region")])
def test_what_lies_outside_of_the_region_changes_nothing(method, case, trained, product_folder):
    """Neither what is learned nor what is said, to the bit: a serial number, a belt, another background."""
    detector = flawspot.load(trained(method, case).artifact, threads=1)
    view = detector.manifest.view
    image = detector.read(product_folder / "test" / "good" / "001.png").pixels.copy()
    hidden = view.not_inspected((64, 64))
    rows, columns = ((np.arange(64) * side // 64) for side in hidden.shape)
    outside = hidden[np.ix_(rows, columns)]
    for axis in (0, 1):  # a pixel of the border shows in its neighbours once resized
        outside = outside & np.roll(outside, 1, axis) & np.roll(outside, -1, axis)
    before = detector.run(image[None])
    image[outside] = np.random.default_rng(0).integers(0, 256, (outside.sum(), 3), dtype=np.uint8)
    for wanted, found in zip(before, detector.run(image[None]), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.grid(1)
@parametrized(PAIRS)
def test_folds_are_scored_as_the_graph_does(method, case, trained):
    """By the head on stored features, tile by tile and within the region, as by what is shipped."""
    made = trained(method, case)
    chosen, photographs, view = made.chosen, made.photographs, made.artifact.manifest.view
    source = FeatureSource(
        photographs.images, photographs.root, "", "", view, chosen.mean, chosen.std, white=photographs.white
    )
    maps = FeatureCache().maps(source, chosen.network)
    inside = inside_tiles(view, photographs.sizes)
    rows = tile_rows(photographs.calibration, view.tiles)
    features = FeatureSet(chosen.network, chosen.taps, view.size, maps, rows, view.tiles, inside)
    found = scores_of(chosen.method, features, view)
    wanted = held_out_scores(open_session(made.artifact.model), photographs, view)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
def test_a_defect_on_a_seam_scores_as_in_the_middle(tmp_path):
    """Within 10 %: the mean over some photographs, of the same spot on the same texture."""
    generator = np.random.default_rng(0)
    for index in range(24):
        noise = Image.fromarray(generator.integers(90, 140, (64, 96), dtype=np.uint8))
        noise.resize((384, 256), Image.Resampling.BICUBIC).convert("RGB").save(tmp_path / f"{index:02}.png")
    options = {**QUICK, "input_size": 96, "tiles": "2x3", "tile_overlap": 0.25}
    artifact = flawspot.train(tmp_path, method="patchcore", settings={"bank_size": 1500}, **options)
    detector = flawspot.load(artifact, threads=1)
    view = detector.manifest.view
    scale = (256 / view.canvas[0], 384 / view.canvas[1])
    middles = [(top + 48, left + 48) for top, left in view.origins]
    seams = [(view.canvas[0] // 2, left + 48) for _, left in view.origins[:3]]
    seams += [(48, left + 96 - view.overlap[1] // 2) for _, left in view.origins[:2]]

    def peak(row, column):
        scores = []
        for index in range(8):
            image = np.asarray(Image.open(tmp_path / f"{index:02}.png")).copy()
            y, x = round(row * scale[0]), round(column * scale[1])
            image[y - 6 : y + 6, x - 6 : x + 6] = 250
            scores.append(detector.predict(image).score)
        return np.mean(scores)

    in_the_middle, on_a_seam = (np.mean([peak(*place) for place in places]) for places in (middles, seams))
    assert abs(on_a_seam / in_the_middle - 1) < 0.1


def test_int8_with_tiles_and_a_region(product_folder):
    options = {**QUICK, "precision": "int8", "tiles": "1x2", "roi": "8,8 56,48", "backbone": "mcunet_in3"}
    artifact = flawspot.train(product_folder, method="padim", **options)
    detector = flawspot.load(artifact, threads=1, self_test=True)
    path = product_folder / "test" / "spot" / "000.png"
    assert detector.predict(path).score > detector.predict(product_folder / "test" / "good" / "000.png").score
    with pytest.raises(ConfigurationError, match="float32"):
        flawspot.train(product_folder, method="padim", **{**options, "tile_memory": True})


def test_exports_refuse(trained, tmp_path):
    for case in ("wide", "pad", "tiles", "region"):
        for target in ("c", "tflite", "onnx-fixed", "web"):
            with pytest.raises(ExportError, match="run the artifact itself"):
                export(trained("padim", case).artifact, tmp_path / "part", target)
    assert not list(tmp_path.iterdir())


def test_a_manifest_with_a_geometry_that_cannot_be(trained):
    manifest = trained("padim", "tiles").artifact.manifest
    text = json.loads(manifest.to_json())
    assert text["schema_version"] == 3
    for change in ({"rows": 0}, {"height": 32}, {"overlap": [60, 0]}, {"fit": "x"}, {"rows": 10**6}):
        wrong = {**text, "geometry": {**text["geometry"], **change}}
        with pytest.raises(ArtifactError, match="geometry"):
            Manifest.from_json(json.dumps(wrong))


def test_a_plain_detector_is_written_as_before(product_folder):
    artifact = flawspot.train(product_folder, method="padim", **QUICK)
    text = json.loads(artifact.manifest.to_json())
    assert text["schema_version"] == 2 and "geometry" not in text
    assert artifact.manifest.view == View(64, 64)
