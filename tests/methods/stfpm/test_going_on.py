"""When a student stays as it was, and what is refused."""

import copy
import sys

import numpy as np
import pytest
import torch

import flawspot
from flawspot.errors import ArtifactError, ConfigurationError, MissingPackageError
from flawspot.methods import base
from flawspot.methods.stfpm import training
from flawspot.methods.stfpm.recipes import RECIPES
from flawspot.methods.stfpm.training import Course, descend, validation_loss
from flawspot.methods.stfpm.updating import Updater
from flawspot.methods.updating import Before
from flawspot.progress import SILENT


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


def test_a_student_is_where_its_batches_are(fitted, make_photographs, monkeypatch):
    """As on a machine with a GPU: what is read from a state is first in the memory of the processor."""
    paste = fitted("paste")
    features, student = paste.features(make_photographs(4, seed=3)), copy.deepcopy(paste.method.student_)
    places = []

    def loss(student, *rest):
        places.append({parameter.device for parameter in student.parameters()})
        return torch.zeros(())

    monkeypatch.setattr(base, "training_device", lambda: torch.device("meta"))
    monkeypatch.setattr(training, "_loss", loss)
    validation_loss(student, features, paste.method.source_)
    assert places == [{torch.device("meta")}]


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
