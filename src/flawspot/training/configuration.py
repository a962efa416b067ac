"""The configuration of a training. Errors in it are found here, before the long work begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from flawspot.backbones.block_list import BlockList
from flawspot.backbones.layer_groups import equivalent, resolve
from flawspot.backbones.macs import module_bytes, module_macs
from flawspot.backbones.registry import LoadedWeights, create_pretrained, create_random
from flawspot.costs.folding import parts_at
from flawspot.data.tolerances import Tolerance
from flawspot.errors import ConfigurationError
from flawspot.methods.base import Method
from flawspot.methods.registry import create_method, methods
from flawspot.methods.shapes import check_precision
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import BackboneInfo, Part
from flawspot.runtime.view import View
from flawspot.seeds import check_seed
from flawspot.training.tiles import tiles_at_once

NORMALIZATIONS = ("weights", "paper")
MOST_PARTS = 16
MOST_AT_ONCE = 16
"""Most parts that the tiles are divided into, and the default number of tiles in a part."""
PAPER_NORMALIZATION = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""ImageNet's mean and standard deviation, which the PaSTe paper's code uses for every backbone."""


@dataclass(frozen=True)
class Configuration:
    """A method on a backbone with its weights, ready to be fitted.

    Attributes:
        method: the method with its hyperparameters, not fitted.
        network: the frozen backbone, trimmed to the last layer that the method needs.
        loaded: the weights in the backbone.
        weights_identity: the sha256 of the weights' file, or words that identify random weights equally well.
        layers: the layers as the user wrote them.
        taps: the layers whose features are compared.
        view: the view of a photograph; without tiles and regions until the photographs are known.
        mean, std: the normalisation of RGB / 255.
        precision: precision of the networks, one of `PRECISIONS`.
        spare_memory: whether tiles go through the network a few at a time; see `at_once`.
        tolerance: the tolerated variations of good photographs; None for none.
        updatable: megabytes of features that are kept for updates; 0 if the detector cannot be updated.
    """

    method: Method
    network: BlockList
    loaded: LoadedWeights
    weights_identity: str
    layers: str
    taps: tuple[int, ...]
    view: View
    mean: tuple[float, ...]
    std: tuple[float, ...]
    precision: str
    spare_memory: bool = False
    tolerance: Tolerance | None = None
    updatable: int = 0

    @property
    def copies(self) -> int:
        """Number of varied copies that each photograph is learned with."""
        return 0 if self.tolerance is None else self.tolerance.copies

    @property
    def at_once(self) -> int:
        """Number of tiles of a photograph that the shipped graph processes together. Each part has its own operators,
        and a graph may have only a limited number of them."""
        tiles = self.view.tiles
        if self.precision == "int8":  # the operators of every part would need their own steps
            return tiles
        return tiles_at_once(tiles, 1 if self.spare_memory else MOST_AT_ONCE, MOST_PARTS)

    def backbone_info(self) -> BackboneInfo:
        """The description of the backbone for the manifest."""
        return BackboneInfo(
            name=self.network.name,
            layers=self.layers,
            taps=self.taps,
            weights=self.loaded.name,
            weights_sha256=self.loaded.sha256,
            mean=self.mean,
            std=self.std,
        )

    def parts(self) -> tuple[Part, ...]:
        """The fitted detector's parts. In float32, batch norms' statistics count, as in the PaSTe paper's figures."""
        photograph = torch.zeros(1, 3, *self.view.size)
        backbone = Part("backbone", module_bytes(self.network), module_macs(self.network, photograph))
        networks = {"backbone": self.network, **self.method.planned_networks(self.method.shapes_)}
        parts = parts_at((backbone, *self.method.parts()), networks, self.precision)
        return tuple(dataclasses.replace(part, macs=self.view.tiles * part.macs) for part in parts)


def configure(
    *,
    method: str | Method,
    settings: Mapping[str, Any] | None,
    backbone: str,
    layers: str | Sequence[int] | None,
    weights: str | None,
    random_weights: bool,
    size: tuple[int, int],
    normalization: str,
    precision: str,
    spare_memory: bool = False,
    seed: int | None,
    progress: Progress = SILENT,
) -> Configuration:
    """Check the arguments of `flawspot.train` for the detector, and build the backbone.

    Raises:
        ConfigurationError: an unknown name, a value out of its range, or values that do not fit together.
        WeightsError: the pretrained weights are not available.
    """
    if seed is not None:
        check_seed(seed)
    if random_weights and weights is not None:
        raise ConfigurationError(f"give either the weights {weights} or random weights, not both")
    if normalization not in NORMALIZATIONS:
        known = ", ".join(NORMALIZATIONS)
        raise ConfigurationError(f"unknown normalization {normalization!r}: the known ones are {known}")
    check_precision(precision)
    if spare_memory and precision == "int8":
        raise ConfigurationError("--tile-memory goes with float32 alone: leave it out, or train in float32")
    chosen = _method(method, settings, seed, precision)
    asked = chosen.default_layers if layers is None else layers
    taps = resolve(backbone, asked)
    stands_for = equivalent(backbone, asked, max(size))
    if stands_for is not None:
        progress.note(str(stands_for))
    required = chosen.required(taps, backbone)
    if random_weights:
        network, loaded = create_random(backbone, required, chosen.seed)
        progress.note(
            f"{backbone} has random weights: its features are not those of any photograph, expect poor figures"
        )
    else:
        network, loaded = create_pretrained(backbone, required, weights)
    mean, std = PAPER_NORMALIZATION if normalization == "paper" else (loaded.mean, loaded.std)
    text = asked if isinstance(asked, str) else ",".join(map(str, asked))
    identity = loaded.sha256 or f"random weights of seed {chosen.seed}"
    return Configuration(chosen, network, loaded, identity, text, taps, View(*size), mean, std, precision, spare_memory)


def _method(method: str | Method, settings: Mapping[str, Any] | None, seed: int | None, precision: str) -> Method:
    """The method by its name, or the given method, with the given settings and seed."""
    if isinstance(method, str):
        return create_method(method, settings, seed=seed or 0, precision=precision)
    seed = method.seed if seed is None else seed
    if not settings:
        return method if seed == method.seed else dataclasses.replace(method, seed=seed)
    if methods().get(method.name) is not type(method):
        raise ConfigurationError(
            f"{type(method).__name__} is not registered, so settings cannot be checked for it: set its fields instead"
        )
    return create_method(method.name, {**method.hyperparameters(), **settings}, seed=seed)
