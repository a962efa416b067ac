"""Turned photographs come to a method that asks for them; what would not turn is refused."""

import numpy as np
import pytest
from PIL import Image

from flawspot.backbones.block_list import initialise
from flawspot.backbones.registry import create
from flawspot.data.folders import fingerprint
from flawspot.errors import ConfigurationError
from flawspot.methods.features import FeatureSet
from flawspot.methods.registry import create_method
from flawspot.runtime.view import View
from flawspot.training.feature_cache import FeatureCache
from flawspot.training.feature_source import FeatureSource
from flawspot.training.road import train
from flawspot.training.tiles import inside_tiles
from flawspot.training.turning import check_turns, turned
from flawspot.training.viewing import request_view

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def network():
    made = create("mobilenet_v2", (3,))
    initialise(made, 0)
    return made.frozen()


def test_they_are_the_features_of_the_turned_photographs(tmp_path):
    """Wide photographs that are padded: turned, they are padded at other sides."""
    view, generator = View(64, 64, fit="pad"), np.random.default_rng(0)
    images = [tmp_path / "a.png", tmp_path / "b.png"]
    lying = [tmp_path / "turned_a.png", tmp_path / "turned_b.png"]
    for path, other in zip(images, lying, strict=True):
        pixels = generator.integers(0, 255, (40, 70, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        Image.fromarray(np.ascontiguousarray(np.rot90(pixels))).save(other)

    def source(paths):
        return FeatureSource(tuple(paths), tmp_path, fingerprint(paths, tmp_path), "random", view, MEAN, STD)

    sizes = [(70, 40)] * 2
    with FeatureCache() as cache:
        maps = cache.maps(source(images), network())
        features = FeatureSet(network(), (3,), (64, 64), maps, None, 1, inside_tiles(view, sizes))
        method = create_method("patchcore", {"rotations": 4})
        found = turned(features, source(images), sizes, method, cache)
        by_hand = cache.maps(source(lying), network())
    assert list(found) == [1, 2, 3]
    np.testing.assert_array_equal(found[1].maps[3], by_hand[3])
    assert (found[1].maps[3] != maps[3]).any()
    rows = np.arange(2)
    assert found[1].pixels(rows)[0].sum() == features.pixels(rows)[0].sum()
    np.testing.assert_array_equal(found[1].pixels(rows)[0], features.pixels(rows)[0].T)
    some = FeatureSet(network(), (3,), (64, 64), maps, None, 1, None, None, found).of_photographs(np.array([1]))
    assert some.turned[2].rows.tolist() == [1]
    assert turned(features, source(images), sizes, create_method("padim"), FeatureCache()) == {}


@pytest.mark.parametrize(
    ("rotations", "view", "size", "message"),
    [
        (4, View(64, 64), (80, 60), "quarter turns need square photographs and a square input"),
        (4, View(64, 96), (64, 64), "quarter turns need square photographs and a square input"),
        (4, View(64, 64), (80, 80), None),
        (4, View(64, 64, fit="pad"), (80, 60), None),
        (2, View(64, 96), (80, 60), None),
        (1, View(64, 96), (80, 60), None),
    ],
)
def test_what_the_network_never_sees_is_refused(rotations, view, size, message):
    method = create_method("patchcore", {"rotations": rotations})
    if message is None:
        check_turns(method, view, [size])
        return
    with pytest.raises(ConfigurationError, match=message):
        check_turns(method, view, [(64, 64), size])


def test_a_region_does_not_turn():
    view = request_view(64, "squash", None, None, ("0,0 40,40",), ()).resolved([(64, 64)])
    with pytest.raises(ConfigurationError, match="rotations go with no region"):
        check_turns(create_method("patchcore", {"rotations": 2}), view, [(64, 64)])
    check_turns(create_method("patchcore"), view, [(64, 64)])


def test_every_fold_is_fitted_on_its_own_turned_photographs(product_folder):
    settings = {"bank_size": 60, "rotations": 4}
    artifact = train(
        product_folder,
        method="patchcore",
        settings=settings,
        input_size=64,
        random_weights=True,
        calibration="cross",
        progress=False,
    )
    assert artifact.manifest.hyperparameters["rotations"] == 4
    assert min(artifact.manifest.calibration.scores) > 0
