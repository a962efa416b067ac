"""Trains the descriptor of CFA further, on features of old and new photographs (`flawspot.methods.replaying`).

It takes a third of the epochs of training. With centres alone, and the descriptor of before, new photographs change
little: on pill, a detector of a third of the photographs kept its image AUROC.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.backbones.registry import create
from flawspot.errors import ArtifactError, ConfigurationError, TrainingError, WeightsError
from flawspot.methods.base import training_device
from flawspot.methods.cfa import costs
from flawspot.methods.cfa.descriptor import Descriptor
from flawspot.methods.cfa.method import CFA
from flawspot.methods.cfa.training import Course, descend, pooled_maps, trained_arrays
from flawspot.methods.cfa.turned import describing, resolutions
from flawspot.methods.cfa.updating import BIAS, POSITION, RADIUS, WEIGHT
from flawspot.methods.registry import create_method
from flawspot.methods.replaying import Shares, at_layers, features_of, images_before
from flawspot.methods.updating import Before
from flawspot.runtime.state import Kept, stacked
from flawspot.runtime.tolerated import copies_of
from flawspot.texts import counted


@dataclass(frozen=True)
class GoneOn:
    """A descriptor that was trained further.

    Attributes:
        learned: what the next update needs of it.
        constants: its constants in the graph that do not depend on the centres, by their names in the search.
        told: a remark.
    """

    learned: dict[str, NDArray[Any]]
    constants: dict[str, NDArray[np.float32]]
    told: str


class Descent:
    """Trains the descriptor of a detector further."""

    def __init__(self, before: Before) -> None:
        """Build the method and the network that its features are of.

        Args:
            before: the detector before the update, with photographs to replay.

        Raises:
            ArtifactError: the state does not fit the detector.
            ImportError: a package that training needs is missing.
        """
        self._before, manifest = before, before.manifest
        try:
            method = create_method(manifest.method, manifest.hyperparameters, seed=manifest.seed)
            with torch.device("meta"):
                self._network = create(manifest.backbone.name, manifest.backbone.taps).frozen()
        except (ConfigurationError, WeightsError) as error:
            raise ArtifactError(f"its state does not fit it: {error}") from None
        assert isinstance(method, CFA)  # `flawspot.methods.cfa.updating` is for no other
        self._method = method

    def gone_on(self, new: Kept, centres: NDArray[np.float32]) -> GoneOn:
        """Train the descriptor and the radius.

        Args:
            new: the new photographs, with the maps of the method's layers.
            centres: (M, C), the new centres.

        Raises:
            ArtifactError: the state does not fit the detector.
            TrainingError: the training diverged.
        """
        before, method, manifest = self._before, self._method, self._before.manifest
        taps, old = manifest.backbone.taps, before.replay
        features = features_of(stacked([at_layers(old, taps), new]), self._network, manifest, taps)
        device = training_device()
        descriptor = _descriptor(before.learned, costs.levels(features.shapes)).to(device)
        radius = nn.Parameter(torch.tensor(float(before.learned[RADIUS][0]), device=device))
        shares = Shares(len(old), len(new), images_before(manifest), old.tiles)
        generator = np.random.default_rng([method.seed, len(manifest.updates) + 1])
        epochs = math.ceil(method.update_share * method.passes(copies_of(manifest.calibration.tolerated)))
        course = Course(epochs, lambda: shares.drawn(generator), "training the descriptor further")
        memorized, pooled = torch.from_numpy(centres).to(device), pooled_maps(features)
        try:
            losses = descend(method, descriptor, radius, memorized, features, pooled, course, before.progress)
        except TrainingError:
            raise TrainingError("the descriptor diverged while it was trained further: train anew") from None
        fell = f"{losses[-1]:.4g}" if epochs == 1 else f"{losses[0]:.4g} in the first to {losses[-1]:.4g} in the last"
        told = f"the descriptor went on for {counted(epochs, 'epoch')}; its loss: {fell}"
        learned, found = trained_arrays(descriptor.cpu())
        learned[RADIUS] = np.array([float(radius.detach())], np.float32)
        constants = describing(found, resolutions(found.order, descriptor.shapes), learned[POSITION])
        return GoneOn(learned, constants, told)


def _descriptor(learned: Mapping[str, NDArray[Any]], levels: tuple[tuple[int, tuple[int, int]], ...]) -> Descriptor:
    descriptor = Descriptor(levels, 0)
    with torch.no_grad():
        for parameter, name in zip(descriptor.matrices(), (WEIGHT, POSITION, BIAS), strict=True):
            values: Tensor = torch.from_numpy(np.array(learned[name], np.float32))
            if values.shape != parameter.shape:
                raise ArtifactError("its state has other channels than its features: it is damaged")
            parameter.copy_(values)
    return descriptor
