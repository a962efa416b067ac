"""Photographs with pasted defects come to a method as features with the share of each pixel that is defective."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from flawspot.backbones.block_list import INPUT, initialise
from flawspot.backbones.registry import create
from flawspot.data.folders import fingerprint, open_folder
from flawspot.data.varied_defects import paste_defects
from flawspot.methods.features import FeatureSet
from flawspot.methods.registry import create_method
from flawspot.runtime.images import read_image
from flawspot.runtime.inspected import Inspected
from flawspot.runtime.view import View
from flawspot.training import pasting as pasting_module
from flawspot.training.feature_cache import FeatureCache
from flawspot.training.feature_source import FeatureSource
from flawspot.training.graph import Preprocess
from flawspot.training.pasting import Pasting, pasted_on
from flawspot.training.viewing import request_view

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


@pytest.fixture(scope="module")
def images(product_folder):
    return open_folder(product_folder).train[:6]


@pytest.fixture(autouse=True)
def only_defects(monkeypatch):
    """Nothing but defects differs from the photograph, so that both can be compared."""
    monkeypatch.setattr("flawspot.data.varied_defects.vary", lambda image, *_: image)


def views():
    region = request_view(64, "squash", None, None, ("0,0 40,40",), ()).resolved([(64, 64)])
    return {
        "whole": View(64, 64),
        "pad": View(64, 96, fit="pad"),
        "crop": View(64, 96, fit="crop"),
        "tiles": View(32, 48, rows=2, columns=2, overlap=(8, 8)),
        "region": region,
    }


@pytest.mark.parametrize("case", list(views()))
def test_the_cover_lies_where_the_network_sees_the_defects(case, images):
    view = views()[case]
    made = Pasting(images, view, 65535, 3, 8)
    see = Preprocess(view, (0.0,) * 3, (1 / 255,) * 3)
    found = 0
    for row in range(6):
        pixels = made.read(row).pixels
        good = read_image(images[row])
        if pixels.shape != good.shape:
            continue
        with torch.no_grad():
            changed, as_it_was = (see(torch.from_numpy(each[None])) for each in (pixels, good))
        difference = (changed - as_it_was).abs().amax(1).numpy()
        cover = made._cover[row]
        assert cover.shape == (view.tiles, *view.size)
        assert np.median(difference[cover > 200]) > 5 or not (cover > 200).any()
        assert difference[cover == 0].max(initial=0) < 60  # a trace of what is below the limit, and of its edges
        found += int((cover > 0).any())
    assert found >= 2


def test_where_it_is_not_inspected_there_is_no_cover(images):
    view = views()["region"]
    made = Pasting(images, view, 65535, 0, 10)
    inside = view.inside((64, 64))
    cover = made.cover()
    assert not cover[:, ~inside].any()
    assert cover[:, inside].any()
    assert isinstance(view.inspected, Inspected)


def test_how_many_and_of_which_photographs(images):
    assert len(Pasting(images, View(64, 64), 65535, 0, 8).images) == 8
    tiled = Pasting(images, View(32, 32, rows=4, columns=4), 65535, 0, 400)
    assert len(tiled.images) == 25
    assert tiled.photographs.tolist() == [row % 6 for row in range(25)]
    assert len(Pasting(images, View(32, 32, rows=8, columns=8), 65535, 0, 400).images) == pasting_module.FEWEST


def network(layers=(INPUT, 2, 3)):
    made = create("mobilenet_v2", layers)
    initialise(made, 0)
    return made.frozen()


def test_a_method_gets_what_it_asks_for_and_from_the_cache_again(images, product_folder, tmp_path):
    source = FeatureSource(images, product_folder, fingerprint(images, product_folder), "r", View(64, 64), MEAN, STD)
    method = create_method("pasted", {"photographs": 9}, seed=4)
    found = []
    for _ in range(2):  # once made, once from the folder
        with FeatureCache(tmp_path) as cache:
            good = FeatureSet(network(), (2, 3), (64, 64), cache.maps(source, network()))
            found.append(pasted_on(good, np.array([1, 2, 5]), source, method, cache))
            assert pasted_on(good, np.array([1]), source, create_method("padim"), cache) is None
    first, again = found
    assert len(first.features) == 9
    assert list(first.features.maps) == [2, 3]  # not the photographs themselves
    assert first.photographs.tolist() == [1, 2, 5] * 3
    np.testing.assert_array_equal(first.cover, again.cover)
    for layer in (2, 3):
        np.testing.assert_array_equal(first.features.maps[layer], again.features.maps[layer])
    assert first.cover.any()
    assert first.pieces_from.tolist() == [2, 5, 1] * 3
    fewer = first.on(np.array([2, 5]))  # and not that of 5, in which there may be a piece of 1
    assert len(fewer.features) == 3
    np.testing.assert_array_equal(fewer.covers(slice(None)), first.covers(np.array([1, 4, 7])))


def test_a_fold_learns_nothing_of_what_it_scores_not_even_a_piece(images, product_folder, monkeypatch):
    """A piece of another photograph is of the same fold, and a defect is left out with either of its photographs."""
    read = []

    def spy(image, *args, other, **more):
        read.append((image.tobytes(), other.tobytes()))
        return paste_defects(image, *args, other=other, **more)

    monkeypatch.setattr(pasting_module, "paste_defects", spy)
    monkeypatch.setattr(pasting_module, "prefetch", lambda rows, read: ((row, read(row)) for row in rows))
    source = FeatureSource(images, product_folder, fingerprint(images, product_folder), "r", View(64, 64), MEAN, STD)
    folds = np.array([0, 1, 0, 1, 2, 0])
    rows = np.array([0, 1, 2, 3, 4])
    method = create_method("pasted", {"photographs": 11})
    with FeatureCache() as cache:
        good = FeatureSet(network(), (2, 3), (64, 64), cache.maps(source, network()))
        monkeypatch.setattr(cache, "maps", lambda own, *_, **__: {layer: good.maps[layer] for layer in (2, 3)})
        found = pasted_on(good, rows, source, method, cache, folds=folds)
    assert found.photographs.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0]
    assert found.pieces_from.tolist() == [2, 3, 0, 1, 4, 2, 3, 0, 1, 4, 0]
    pixels = [read_image(path).tobytes() for path in images]
    assert read == [(pixels[a], pixels[b]) for a, b in zip(found.photographs, found.pieces_from, strict=True)]
    for fold in range(3):
        left = found.on(np.flatnonzero(folds != fold)).features.rows
        assert set(left) == set(np.flatnonzero(folds[found.photographs] != fold))
    assert set(found.on(np.array([0, 1, 3, 4])).features.rows) == {1, 3, 4, 6, 8, 9, 10}


def test_where_pieces_come_from_decides_the_features(images, product_folder):
    source = FeatureSource(images, product_folder, fingerprint(images, product_folder), "r", View(64, 64), MEAN, STD)
    keys = set()
    for folds in (None, np.zeros(6, int), np.arange(6) % 2, np.arange(6)):
        made = Pasting(images, View(64, 64), 65535, 0, 6, folds)
        own = dataclasses.replace(source, images=made.images, pasting=made)
        keys.add(own.key("mobilenet_v2", 2, "float32"))
    assert len(keys) == 3  # of one fold is as of none


def test_the_seed_and_the_photographs_decide_the_features(images, product_folder):
    source = FeatureSource(images, product_folder, fingerprint(images, product_folder), "r", View(64, 64), MEAN, STD)
    keys = {source.key("mobilenet_v2", 2, "float32")}
    for seed in (0, 1):
        made = Pasting(images, View(64, 64), 65535, seed, 6)
        own = dataclasses.replace(source, images=made.images, pasting=made)
        keys.add(own.key("mobilenet_v2", 2, "float32"))
    assert len(keys) == 3


def test_a_large_photograph_is_made_smaller_before_it_gets_defects(tmp_path, monkeypatch):
    large = np.random.default_rng(0).integers(0, 255, (600, 900, 3), dtype=np.uint8)
    Image.fromarray(large).save(tmp_path / "a.png")
    seen = []

    def spy(image, *args, **more):
        seen.append((image.shape, more["unit"]))
        return paste_defects(image, *args, **more)

    monkeypatch.setattr(pasting_module, "paste_defects", spy)
    made = Pasting([tmp_path / "a.png"], View(64, 64), 65535, 0, 1)
    assert made.cover().shape == (1, 64, 64)
    assert seen[0][0][0] >= 128
    assert seen[0][0][1] <= 193
    assert made.sizes[0] == (seen[0][0][1], seen[0][0][0])
