"""Varied copies of good photographs are learned from and set the threshold, and never leave their photograph's side."""

import dataclasses

import numpy as np
import pytest

import flawspot
from flawspot.data.corruptions import corrupt, corrupt_all, image_seed
from flawspot.data.folders import open_folder
from flawspot.data.tolerances import Tolerance
from flawspot.data.varying import Varying
from flawspot.errors import ConfigurationError
from flawspot.methods.padim.method import PaDiM
from flawspot.runtime.artifact import graph_sha256
from flawspot.runtime.images import read_image
from flawspot.runtime.view import View
from flawspot.training.feature_cache import FeatureCache
from flawspot.training.feature_source import FeatureSource
from flawspot.training.pasting import Pasting
from flawspot.training.road import train

pytestmark = pytest.mark.usefixtures("one_thread")
QUICK = {"method": "padim", "input_size": 64, "random_weights": True, "progress": False}
TOLERATE = {"noise": 3, "brightness": 2, "shift": 2}


def source_of(folder, copies=2, severities=None):
    root, images = folder, open_folder(folder).train[:4]
    tolerance = Tolerance(severities or {"noise": 2.0, "shift": 3.0}, copies)
    varying = Varying(tolerance, 5, root, View(64, 64), 65535)
    return FeatureSource(images * (1 + copies), root, "f", "w", View(64, 64), (0.5,) * 3, (0.2,) * 3, varying=varying)


def test_copies_stand_behind_their_photographs(product_folder):
    source = source_of(product_folder)
    assert source.with_copies(np.array([1, 3])).tolist() == [1, 3, 5, 7, 9, 11]
    for row in (1, 5, 9):
        image = read_image(source.images[1])
        seed = image_seed(5, f"{row // 4}/train/good/001.png")
        wanted = corrupt_all(image, source.varying.tolerance.drawn(seed), seed) if row > 3 else image
        np.testing.assert_array_equal(source.read(row).pixels, wanted)
    assert (source.read(5).pixels != source.read(9).pixels).any()
    turned = dataclasses.replace(source, turn=1)
    np.testing.assert_array_equal(turned.read(5).pixels, np.rot90(source.read(5).pixels))


def test_a_key_knows_what_is_tolerated(product_folder):
    source = source_of(product_folder)
    others = [source_of(product_folder, severities={"noise": 2.0}), source_of(product_folder, 1)]
    others += [dataclasses.replace(source, varying=dataclasses.replace(source.varying, seed=6))]
    keys = {each.key("mobilenet_v2", 3, "float32") for each in (source, *others)}
    assert len(keys) == 4
    assert source.key("mobilenet_v2", 3, "float32") == source_of(product_folder).key("mobilenet_v2", 3, "float32")


def test_photographs_with_defects_are_varied_too(product_folder):
    images = open_folder(product_folder).train[:4]
    plain = Pasting(images, View(64, 64), 65535, 3, 8)
    varied = Pasting(images, View(64, 64), 65535, 3, 8, None, Tolerance({"noise": 5.0, "shift": 5.0}, 1))
    assert plain.identity() != varied.identity()
    for row in range(8):
        assert np.array_equal(plain.read(row).pixels, varied.read(row).pixels) == (row % 2 == 0)
    one, other = plain.cover(), varied.cover()
    np.testing.assert_array_equal(one[::2], other[::2])
    assert (one[1::2] != other[1::2]).any()


@pytest.mark.parametrize("calibration", ["split", "cross"])
def test_a_copy_stays_on_the_side_of_its_photograph(product_folder, monkeypatch, calibration):
    fitted, sources = [], []
    maps, fit = FeatureCache.maps, PaDiM.fit
    monkeypatch.setattr(FeatureCache, "maps", lambda *a, **k: sources.append(a[1]) or maps(*a, **k))
    monkeypatch.setattr(PaDiM, "fit", lambda *a, **k: fitted.append(a[1]) or fit(*a, **k))
    made = train(product_folder, calibration=calibration, tolerate=TOLERATE, **QUICK)
    assert len(sources) == 1
    count = len(sources[0].images) // (4 if calibration == "cross" else 3)
    for features in fitted:
        photographs, times = np.unique(features.rows % count, return_counts=True)
        assert (times == 3).all()
        assert max(features.rows) < 3 * count
        assert len(photographs) < count or features is fitted[0]
    assert len(fitted) == (6 if calibration == "cross" else 1)
    assert made.manifest.training.images == len(fitted[0].rows) // 3
    assert len(made.manifest.calibration.scores) == (24 if calibration == "cross" else 5)


def test_the_threshold_is_that_of_photographs_that_vary_as_far_as_stated(product_folder):
    """By the graph that is shipped, of those that were held out; in folds of all of them."""
    made = train(product_folder, calibration="split", tolerate=TOLERATE, **QUICK)
    calibration = made.manifest.calibration
    as_taken, farthest = [], []
    for name in calibration.names:
        image = read_image(product_folder / "train" / "good" / name.rpartition("/")[2])
        seed = image_seed(0, f"3/{name}")
        as_taken.append(flawspot.load(made).predict(image).score)
        farthest.append(flawspot.load(made).predict(corrupt_all(image, TOLERATE, seed)).score)
    assert calibration.threshold == pytest.approx(max(as_taken + farthest), rel=1e-5)
    assert calibration.tolerated.decisive == (max(farthest) > max(as_taken))
    wanted = farthest if calibration.tolerated.decisive else as_taken
    assert list(calibration.scores) == pytest.approx(sorted(wanted), rel=1e-5)
    assert calibration.as_taken == (() if calibration.tolerated.decisive else calibration.scores)


@pytest.fixture(scope="module")
def both(product_folder):
    return [train(product_folder, tolerate=tolerate, seed=1, **QUICK) for tolerate in (None, {"shift": 3})]


def test_the_manifest_says_what_is_tolerated(both, product_folder):
    plain, tolerant = (made.manifest.calibration for made in both)
    assert plain.tolerated is None
    assert "tolerated" not in both[0].manifest.as_dict()["calibration"]
    assert tolerant.tolerated.severities == {"shift": 3}
    assert tolerant.tolerated.copies == 2
    assert tolerant.threshold in tolerant.scores
    again = train(product_folder, tolerate="shift=3", seed=1, **QUICK)
    assert graph_sha256(again.model) == graph_sha256(both[1].model)
    assert again.manifest.calibration == tolerant


def test_what_is_tolerated_is_no_false_alarm(both, product_folder):
    """Photographs that neither has seen, at the shipped threshold; and defects are found all the same."""

    def shifted(path):
        return corrupt(read_image(path), "shift", 3, image_seed(9, path.name))

    alarms = []
    for made in both:
        detector = flawspot.load(made)
        good = sorted((product_folder / "test" / "good").iterdir())
        alarms.append(sum(detector.predict(shifted(path)).is_anomalous for path in good))
        assert flawspot.evaluate(detector, product_folder, progress=False).metrics.image_auroc > 0.9
    assert alarms[0] == 4
    assert alarms[1] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"method": "patchcore", "settings": {"bank_size": 60, "rotations": 2}},
        {"method": "cfa", "settings": {"epochs": 1}},
        {"method": "stfpm", "settings": {"epochs": 1}},
        {"method": "paste", "settings": {"epochs": 1}, "calibration": "cross"},
        {"method": "pasted", "settings": {"epochs": 1, "photographs": 12}, "tiles": "2x2"},
        {
            "method": "jury",
            "layers": "3,8,14",
            "settings": {"members": "patchcore:bank_size=60 + pasted:epochs=1,photographs=12"},
            "roi": "5,5 60,60",
        },
        {"fit": "pad", "input_size": "64x96", "tolerate": "jpeg=3,contrast=1"},
        {"precision": "int8"},
        {"group": r"(\d\d)\d\.png", "drop_suspects": True},
        {"tolerate": "line,copies=1", "calibration": "cross"},
    ],
    ids=lambda options: "-".join(map(str, options.values()))[:40],
)
def test_every_way_of_training_goes_with_it(product_folder, options):
    made = train(product_folder, **{**QUICK, "tolerate": "line", **options})
    assert made.manifest.calibration.tolerated is not None
    assert flawspot.load(made).predict(product_folder / "test" / "spot" / "000.png").score > 0


def test_mistakes_end_it_before_anything_is_read(tmp_path):
    with pytest.raises(ConfigurationError, match="tolerate 'fog': choose of"):
        train(tmp_path / "nowhere", tolerate="fog=2", progress=False)
