"""Which images an epoch looks at, and what is refused."""

import sys

import numpy as np
import pytest

import flawspot
from flawspot.errors import ArtifactError, ConfigurationError, MissingPackageError
from flawspot.methods.stfpm.going_on import _Shares
from flawspot.methods.stfpm.recipes import RECIPES
from flawspot.methods.stfpm.training import Course, descend
from flawspot.methods.stfpm.updating import Updater
from flawspot.methods.updating import Before
from flawspot.progress import SILENT


def test_each_once_where_all_old_photographs_are_kept():
    drawn = _Shares(old=5, new=3, before=5, tiles=1).drawn(np.random.default_rng(0))
    assert sorted(drawn) == list(range(8))
    assert list(drawn) != sorted(drawn)


def test_kept_ones_stand_for_all_that_there_were():
    drawn = _Shares(old=10, new=10, before=90, tiles=1).drawn(np.random.default_rng(0))
    counts = np.bincount(drawn, minlength=20)
    assert counts[:10].sum() == 18
    assert set(counts[:10]) == {1, 2}
    assert counts[10:].sum() == 2
    assert counts[10:].max() == 1


def test_tiles_of_a_photograph_are_drawn_together():
    drawn = _Shares(old=4, new=4, before=28, tiles=2).drawn(np.random.default_rng(0))
    counts = np.bincount(drawn, minlength=16).reshape(8, 2)
    np.testing.assert_array_equal(counts[:, 0], counts[:, 1])
    assert counts[4:, 0].sum() == 1


def test_without_new_ones_the_old_ones_are_learned_again():
    assert sorted(_Shares(old=4, new=0, before=9, tiles=1).drawn(np.random.default_rng(0))) == [0, 1, 2, 3]


def test_a_student_that_gets_no_better_stays_as_it_was(fitted, make_photographs):
    paste = fitted("paste")
    features = paste.features(make_photographs(4, seed=3))
    student = paste.method.student_
    was = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    course = Course(RECIPES["fast"], 2, 4, 0.1, lambda: np.arange(4), known=0.0)
    student.requires_grad_(True)
    found = descend(paste.method, student, features, features, course, 0, SILENT)
    assert found.best_epoch == 0
    assert len(found.validation_losses) == 2
    assert all((tensor == was[name]).all() for name, tensor in found.blocks.state_dict().items())


@pytest.fixture(scope="module")
def artifact(product_folder):
    more = {"random_weights": True, "input_size": 64, "state": True, "progress": False}
    return flawspot.train(product_folder, method="paste", settings={"epochs": 1}, **more)


def test_a_state_of_another_training_is_refused(artifact):
    learned = dict(artifact.state.learned)
    name = next(name for name in learned if name.endswith("weight") and learned[name].ndim == 4)
    with pytest.raises(ArtifactError, match="of another training"):
        Updater(Before(artifact.model, artifact.manifest, {**learned, name: 2 * learned[name]}))
    del learned[name]
    with pytest.raises(ArtifactError, match="is missing"):
        Updater(Before(artifact.model, artifact.manifest, learned))


def test_without_old_features_nothing_is_learned(artifact):
    updater = Updater(Before(artifact.model, artifact.manifest, artifact.state.learned))
    with pytest.raises(ArtifactError, match="no features to learn from again"):
        updater.finish(artifact.state.of("validation"))


def test_a_student_in_integers_cannot_go_on(product_folder):
    more = {"random_weights": True, "input_size": 64, "state": True, "progress": False}
    with pytest.raises(ConfigurationError, match="rounded to 8 bits"):
        flawspot.train(product_folder, method="paste", precision="int8", **more)


def test_who_lacks_torch_is_told_what_to_install(monkeypatch, tiny_manifest):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "flawspot.methods.stfpm.going_on")
    with pytest.raises(MissingPackageError, match=r"updating a detector of paste needs torch.*train"):
        Updater(Before(b"", tiny_manifest, {}))
