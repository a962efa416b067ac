"""The interface for updating methods: what an update starts from, and its result. It needs no torch.

A method that can be updated has a module ``updating`` in its package, with a class ``Updater`` and ``METHODS``, the
names that it is for. `flawspot.methods.base.Method.learned` gives what that class needs besides the graph. If
`flawspot.methods.base.Method.replays`, features of some training photographs are kept, to learn from again. The module
does not import torch. If torch is needed, the class imports it through `flawspot.extras`.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ConfigurationError
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Manifest
from flawspot.runtime.state import NONE, Kept
from flawspot.runtime.stores import names_of_stores, stores
from flawspot.texts import counted

HEAD = "head."
"""Prefix of the names of a head's constants, as in its module."""

Maps = Mapping[int, NDArray[np.float32]]
"""{layer: (T, C, H, W)} of a photograph of T tiles."""


@dataclass(frozen=True)
class Before:
    """The detector to update.

    Attributes:
        model: the artifact's bytes.
        manifest: its manifest.
        learned: the result of `Method.learned`.
        replay, validation: photographs to learn again, and photographs to choose the epoch.
        prefix: prefix of the names of the method's constants.
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
    """The result of an update.

    Attributes:
        stores: constants of the graph with new numbers, by their full names.
        learned: what the next update starts from.
        told: remarks, one line each.
        then: computes further constants from the graph that already has `stores`; None if there are none.
    """

    stores: Mapping[str, NDArray[Any]]
    learned: Mapping[str, NDArray[Any]]
    told: Sequence[str] = ()
    then: Callable[[bytes], Mapping[str, NDArray[Any]]] | None = None


class Updater(Protocol):
    """Learns from new photographs one by one.

    Attributes:
        needs_torch: whether it always needs torch. A need of only some detectors is reported when one is updated.
    """

    needs_torch: ClassVar[bool] = False

    def __init__(self, before: Before) -> None:
        """Raises ArtifactError if graph and state are not of the method, and MissingPackageError if torch is needed but
        missing."""

    def add(self, maps: Maps, inside: NDArray[np.bool_] | None) -> None:
        """Learn from one photograph.

        Args:
            maps: maps of its T tiles.
            inside: (T, height, width), the inspected pixels; None for all.
        """

    def finish(self, new_validation: Kept) -> Changed:
        """The result for all photographs; `new_validation` are new photographs in the role of `Before.validation`."""


def added_photographs(count: int, before: Before) -> str:
    """The beginning of a remark: how many photographs were added, varied copies included if changes are tolerated."""
    copies = ", varied copies included," if before.manifest.calibration.tolerated is not None else ""
    return f"{counted(count, 'photograph')}{copies} {'was' if count == 1 else 'were'} added"


def updating_of(method: str) -> type[Updater]:
    """The updater for detectors of a method.

    Raises:
        ConfigurationError: they cannot be updated.
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
