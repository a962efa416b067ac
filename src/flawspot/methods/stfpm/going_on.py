"""Trains students further on features of old and new photographs, and writes them into their graph.

What an epoch consists of, `flawspot.methods.replaying` says.

Training continues for a share of the original epochs: half of them for PaSTe, all for STFPM, whose student starts at
the photograph and has more to learn. The learning rate is the original one; it first rises and then falls to 0. This
was chosen only by the loss on held-out good photographs. On bottle and pill, at 128 pixels, PaSTe's loss fell by 20 and
18 % in an update by as many photographs as before. It fell by 13 and 11 % at half the rate, and by 12 and 11 % with a
quarter of the epochs. STFPM's loss on pill at 224 pixels fell from .213 to .132 in two updates with all epochs, and to
.165 with half of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from flawspot.backbones.block_list import BlockList, load_strictly
from flawspot.backbones.registry import create
from flawspot.errors import ArtifactError, ConfigurationError, WeightsError
from flawspot.methods.allocation import keeping_freed_memory
from flawspot.methods.features import FeatureSet
from flawspot.methods.registry import create_method
from flawspot.methods.replaying import Shares, at_layers, features_of, images_before
from flawspot.methods.stfpm.folding import constants, norms_behind, states
from flawspot.methods.stfpm.method import STFPM
from flawspot.methods.stfpm.recipes import Recipe
from flawspot.methods.stfpm.training import Course, TrainedStudent, descend, student_seed, validation_loss
from flawspot.methods.updating import Before, Changed
from flawspot.runtime.state import Kept, stacked
from flawspot.runtime.stores import names_of_stores

WARM_UP, COOL_DOWN = 0.1, 0.9
"""Shares of all steps in which the learning rate rises, and in which it falls."""
_NEAR = 1e-3
"""Largest difference between a constant of the graph and the student's, relative to the constant's largest number."""


class Students:
    """The students of a detector.

    Attributes:
        layers: the layers whose maps they learn from.
    """

    def __init__(self, before: Before) -> None:
        """Build the students, and compare them with the graph.

        Raises:
            ArtifactError: the graph belongs to other students.
        """
        self._before = before
        manifest = before.manifest
        taps, name = manifest.backbone.taps, manifest.backbone.name
        try:
            method = create_method(manifest.method, manifest.hyperparameters, seed=manifest.seed)
            assert isinstance(method, STFPM)  # `flawspot.methods.stfpm.updating` is for no other
            self._method = method
            self._method.source_ = method.source_layer(taps, name)
            self.layers = method.required(taps, name)
            with torch.device("meta"):
                self._network = create(name, self.layers).frozen()
                source = self._network.shapes(manifest.view.size)[method.source_]
                self._norms = norms_behind(method.student(taps, name).eval(), torch.zeros(1, *source))
            self._students = [self._read(number) for number in range(method.students)]
        except (ConfigurationError, WeightsError) as error:
            raise ArtifactError(f"its state does not fit it: {error}") from None
        names = [name.removeprefix(before.prefix) for name in names_of_stores(before.model)]
        self._names = [{name.removeprefix(self._prefix(number)) for name in names} for number in range(method.students)]
        self._check()

    def gone_on(self, new: Kept, new_validation: Kept) -> Changed:
        """Train on old and new images. A student that does not improve stays unchanged."""
        old, validation = self._before.replay, stacked([self._before.validation, new_validation])
        if not len(old) or not len(validation):
            raise ArtifactError("its state holds no features to learn from again: train again with --state")
        features, held_out = self._features(stacked([at_layers(old, self.layers), new])), self._features(validation)
        shares = Shares(len(old), len(new), images_before(self._before.manifest), old.tiles)
        changed: dict[str, NDArray[Any]] = {}
        told, trained = [], []
        with keeping_freed_memory():
            for number, student in enumerate(self._students):
                known = validation_loss(student, held_out, self._method.source_)
                found = self._trained(student, features, held_out, number, shares, known)
                trained.append(found.blocks)
                told.append(_told(found, known))
                if found.best_epoch:
                    changed |= self._constants(number, found.blocks)
        return Changed(changed, states(trained), told)

    def _trained(
        self,
        student: BlockList,
        features: FeatureSet,
        held_out: FeatureSet,
        number: int,
        shares: Shares,
        known: float,
    ) -> TrainedStudent:
        method = self._method
        epochs, batch_size, rate = method.epochs, method.batch_size, method.learning_rate
        if epochs is None or batch_size is None or rate is None:
            raise ArtifactError("it does not say how its student was trained: train it again")
        seed = student_seed(method.seed, number)
        generator = np.random.default_rng([seed, len(self._before.manifest.updates) + 1])
        course = Course(
            Recipe(batch_size, 0, 0, 0, 0.0, WARM_UP, COOL_DOWN),
            math.ceil(method.update_share * epochs),
            batch_size,
            rate,
            lambda: shares.drawn(generator),
            known,
        )
        return descend(method, student, features, held_out, course, number, self._before.progress)

    def _features(self, photographs: Kept) -> FeatureSet:
        return features_of(photographs, self._network, self._before.manifest, self.layers)

    def _read(self, number: int) -> BlockList:
        prefix = f"{number}/"
        own = {
            name.removeprefix(prefix): torch.from_numpy(np.array(array, np.float32))
            for name, array in self._before.learned.items()
            if name.startswith(prefix)
        }
        student = self._method.student(self._before.manifest.backbone.taps, self._before.manifest.backbone.name)
        load_strictly(student, own, source="what it keeps of a student")
        return student.frozen().requires_grad_(True)

    def _prefix(self, number: int) -> str:
        return "student." if self._method.students == 1 else f"student.{number}."

    def _constants(self, number: int, student: BlockList) -> dict[str, NDArray[Any]]:
        prefix = self._prefix(number)
        return {
            self._before.prefix + prefix + name: array
            for name, array in constants(student, self._norms, self._names[number]).items()
        }

    def _check(self) -> None:
        """Check that every number of the students is equal to the graph's."""
        held = self._before.stores()
        for number, student in enumerate(self._students):
            for name, array in self._constants(number, student).items():
                there = held.get(name.removeprefix(self._before.prefix))
                if there is None or there.shape != array.shape or there.dtype != array.dtype:
                    raise ArtifactError(f"its graph does not hold {name} as its student has it: train it again")
                if np.abs(there - array).max(initial=0) > _NEAR * np.abs(array).max(initial=0):
                    raise ArtifactError(f"its graph has another {name} than its state: it is of another training")


def _told(found: TrainedStudent, known: float) -> str:
    if not found.best_epoch:
        return f"the student stays: its loss on held-out good photographs, {known:.4g}, did not fall"
    best = found.validation_losses[found.best_epoch - 1]
    return (
        f"the student went on for {found.best_epoch} of {len(found.validation_losses)} epochs: its loss on held-out "
        f"good photographs fell from {known:.4g} to {best:.4g}"
    )
