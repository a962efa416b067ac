"""How a method goes on learning: what an update begins with, and what it comes to. No torch is needed here.

A method that can be updated has a module ``updating`` in its room with a class ``Updater`` and ``METHODS``, the names
that it is for, and tells by `flawspot.methods.base.Method.learned` what that class goes on from beside the graph. Where
`flawspot.methods.base.Method.replays`, features of some photographs that were learned from are kept, to be learned
again. The module imports no torch; what needs it is imported by the class, through `flawspot.extras`.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ConfigurationError
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Manifest
from flawspot.runtime.state import NONE, Kept
from flawspot.runtime.stores import names_of_stores, stores

HEAD = "head."
"""With this begin the names of the constants of a head, as its module has them."""

Maps = Mapping[int, NDArray[np.float32]]
"""{layer: (T, C, H, W)} of a photograph of T tiles."""


@dataclass(frozen=True)
class Before:
    """The detector that is updated.

    Attributes:
        model: the artifact's bytes.
        manifest: of it.
        learned: what `Method.learned` told.
        replay, validation: photographs to learn again, and those to choose the epoch by.
        prefix: of the names of the method's constants.
        progress: told of long loops.
    """

    model: bytes
    manifest: Manifest
    learned: Mapping[str, NDArray[Any]]
    replay: Kept = NONE
    validation: Kept = NONE
    prefix: str = HEAD
    progress: Progress = SILENT

    def stores(self) -> dict[str, NDArray[Any]]:
        """The method's constants, by their names without the prefix."""
        own = [name for name in names_of_stores(self.model) if name.startswith(self.prefix)]
        return {name.removeprefix(self.prefix): array for name, array in stores(self.model, own).items()}


@dataclass(frozen=True)
class Changed:
    """What an update comes to.

    Attributes:
        stores: constants of the graph with other numbers, by their whole names.
        learned: what the next update goes on from.
        told: lines about it.
    """

    stores: Mapping[str, NDArray[Any]]
    learned: Mapping[str, NDArray[Any]]
    told: Sequence[str] = ()


class Updater(Protocol):
    """Learns from new photographs, one after the other.

    Attributes:
        needs_torch: whether it always does; what only some of its detectors need is told when one is updated.
    """

    needs_torch: ClassVar[bool] = False

    def __init__(self, before: Before) -> None:
        """Raises ArtifactError where graph and state are not what the method made, MissingPackageError without torch
        where it is needed."""

    def add(self, maps: Maps, inside: NDArray[np.bool_] | None) -> None:
        """Learn from one photograph.

        Args:
            maps: of its T tiles.
            inside: (T, height, width), which pixels are looked at; None for all.
        """

    def finish(self, new_validation: Kept) -> Changed:
        """What all of them come to; `new_validation` are new photographs to choose the epoch by."""


def updating_of(method: str) -> type[Updater]:
    """What updates detectors of a method.

    Raises:
        ConfigurationError: they cannot be.
    """
    package = importlib.import_module(__package__)
    for room in pkgutil.iter_modules(package.__path__):
        home = f"{__package__}.{room.name}.updating"
        if not room.ispkg or importlib.util.find_spec(home) is None:
            continue
        module = importlib.import_module(home)
        if method in module.METHODS:
            found: type[Updater] = module.Updater
            return found
    raise ConfigurationError(f"detectors of {method[:50]} cannot be updated: train again on old and new photographs")
