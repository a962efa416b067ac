"""Which photographs set the threshold: held out, fold by fold, by groups of one part, and without bad ones."""

import shutil

import numpy as np
import pytest

import flawspot
from flawspot.backbones.registry import family
from flawspot.backbones.weights import find
from flawspot.data.folders import ImageFolder, open_folder
from flawspot.data.splits import folds
from flawspot.errors import ConfigurationError, DataError
from flawspot.methods.patchcore.method import PatchCore
from flawspot.methods.stfpm.paste import PaSTe
from flawspot.training.photographs import Division

needs_weights = pytest.mark.skipif(
    find("mobilenet_v2", family("mobilenet_v2").weights) is None, reason="flawspot weights pull mobilenet_v2"
)
pytestmark = [pytest.mark.weights, needs_weights]
QUICK = {"method": "padim", "input_size": 64, "calibration": "split"}


def test_every_photograph_serves_for_both(product_folder):
    """Cross-conformal: each score is that of an artifact which never saw the photograph's fold."""
    paths = list(open_folder(product_folder).train)
    trained = flawspot.train(product_folder, **{**QUICK, "calibration": "cross"})
    calibration = trained.manifest.calibration
    assert (trained.manifest.training.images, trained.manifest.training.calibration_images) == (24, 0)
    assert (len(calibration.scores), calibration.folds) == (24, 5)
    assert sorted(calibration.names) == sorted(f"train/good/{path.name}" for path in paths)
    assert calibration.promised_rate == 1 / 25
    fold_of = folds(np.arange(24), 5, seed=0)
    for fold in (0, 3):
        left_out = [path for path, own in zip(paths, fold_of, strict=True) if own == fold]
        rest = ImageFolder("part", product_folder, tuple(p for p in paths if p not in left_out), ())
        without = flawspot.load(flawspot.train(rest, **{**QUICK, "calibration": "cross"}))
        for path in left_out:
            score = calibration.scores[calibration.names.index(f"train/good/{path.name}")]
            assert without.predict(path).score == pytest.approx(score, rel=1e-3)


def test_cross_where_it_is_cheap_and_a_split_promises_less(product_folder):
    options = {**QUICK, "calibration": "auto"}
    assert flawspot.train(product_folder, **options).manifest.calibration.folds == 5
    # A fifth of 24 photographs can promise 0.5.
    assert flawspot.train(product_folder, **options, false_alarm_rate=0.5).manifest.calibration.folds == 0
    division = Division("auto")
    assert not division.crosses(24, PaSTe())
    assert division.crosses(400, PatchCore())
    assert not division.crosses(495, PatchCore())


def test_photographs_of_one_part_are_never_on_both_sides(product_folder, tmp_path):
    """Every photograph twice: half of them are not new, and no copy is scored by a detector that has seen the other."""
    root = tmp_path / "twice"
    shutil.copytree(product_folder / "train", root / "train")
    for path in list((root / "train" / "good").iterdir()):
        shutil.copy(path, path.with_name(f"copy of {path.name}"))
    for calibration in ("split", "cross"):
        found = flawspot.train(root, **{**QUICK, "calibration": calibration}).manifest.calibration
        count = len(found.scores)
        assert (count, len(set(found.groups))) == ((10, 5) if calibration == "split" else (48, 24))
        assert found.promised_rate == 1 / (len(set(found.groups)) + 1)
        assert min(found.scores) > 1e-3
        by_hash: dict[str, set[int]] = {}
        for digest, own in zip(found.hashes, found.groups, strict=True):
            by_hash.setdefault(digest, set()).add(own)
        assert all(len(own) == 1 for own in by_hash.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calibration": "best"}, "auto, split, cross"),
        ({"group": "number:no"}, "--group"),
        ({"group": "("}, "not a regular expression"),
    ],
)
def test_wrong_divisions_are_refused_before_anything_is_read(tmp_path, options, message):
    with pytest.raises(ConfigurationError, match=message):
        flawspot.train(tmp_path / "nowhere", **{**QUICK, **options})


def test_one_group_alone_cannot_be_divided(product_folder):
    with pytest.raises(DataError, match="1 good part that was photographed"):
        flawspot.train(product_folder, **QUICK, group="folder")


def test_a_bad_part_among_the_good_is_left_out_if_asked(product_folder, tmp_path):
    root = tmp_path / "part"
    shutil.copytree(product_folder / "train", root / "train")
    shutil.copy(product_folder / "test" / "spot" / "000.png", root / "train" / "good" / "bad.png")
    options = {**QUICK, "calibration": "cross"}
    dropped = flawspot.train(root, **options, drop_suspects=True).manifest
    assert "train/good/bad.png" in dropped.training.dropped
    assert dropped.training.skipped == ()
    assert dropped.training.images == 25 - len(dropped.training.dropped)
    assert "train/good/bad.png" not in dropped.calibration.names


def test_students_can_cross_too(product_folder):
    """Not their default: each fold is a training of its own, with an epoch chosen on its own photographs."""
    options = {"method": "paste", "settings": {"epochs": 1}, "input_size": 64, "calibration": "cross"}
    found = flawspot.train(product_folder, **options).manifest
    assert (found.calibration.folds, len(found.calibration.scores)) == (5, 24)
    assert found.training.images + found.training.validation_images == 24
