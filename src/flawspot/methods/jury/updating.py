"""Updates a jury: each member is updated on its own layers, as if it were alone.

The scales for combining maps are not changed. They come from photographs that no member has learned from, and these are
not available any more.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ArtifactError
from flawspot.methods.updating import Before, Changed, Maps, updating_of
from flawspot.methods.updating import Updater as Member
from flawspot.runtime.json_reading import read_as
from flawspot.runtime.manifest import Scalar
from flawspot.runtime.state import Kept

METHODS = ("jury",)
MOST = 8
"""Most members of a jury."""
_SEATS = "seats"


@dataclass(frozen=True)
class Seat:
    """A member in the state.

    Attributes:
        method, hyperparameters: its method and hyperparameters.
        taps: the layers that it compares.
        layers: the layers whose maps its head receives.
    """

    method: str
    hyperparameters: dict[str, Scalar]
    taps: tuple[int, ...]
    layers: tuple[int, ...]


def nested(seats: Sequence[Seat], learned: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """The learned values of all members in one dictionary, by ``NUMBER/NAME``."""
    told = json.dumps([dataclasses.asdict(seat) for seat in seats]).encode()
    own = {f"{number}/{name}": array for number, each in enumerate(learned) for name, array in each.items()}
    return {_SEATS: np.frombuffer(told, np.uint8), **own}


def seats_of(learned: Mapping[str, NDArray[Any]]) -> tuple[Seat, ...]:
    """Read the members.

    Raises:
        ArtifactError: they cannot be read.
    """
    told = learned.get(_SEATS, np.empty(0))
    try:
        found = json.loads(told.tobytes())
    except (ValueError, RecursionError):
        raise ArtifactError("it is not the state of such a detector: it is damaged") from None
    if isinstance(found, list) and len(found) > MOST:
        raise ArtifactError(f"it is not the state of such a detector: a jury has at most {MOST} members")
    seats: tuple[Seat, ...] = read_as(tuple[Seat, ...], found, "state")
    return seats


class Updater:
    """Updates the members."""

    needs_torch: ClassVar[bool] = False

    def __init__(self, before: Before) -> None:
        """Make the members' updaters.

        Raises:
            ArtifactError: one of them does not fit, or the state is damaged.
            MissingPackageError: one of them needs torch, which is not installed.
        """
        self._seats = seats_of(before.learned)
        if METHODS[0] in [seat.method for seat in self._seats]:
            raise ArtifactError("it is not the state of such a detector: a jury is a member of a jury")
        self._members: list[Member] = []
        for number, seat in enumerate(self._seats):
            prefix = f"{number}/"
            learned = {
                name.removeprefix(prefix): array for name, array in before.learned.items() if name.startswith(prefix)
            }
            backbone = dataclasses.replace(before.manifest.backbone, taps=seat.taps)
            manifest = dataclasses.replace(
                before.manifest, method=seat.method, hyperparameters=seat.hyperparameters, backbone=backbone
            )
            own = dataclasses.replace(
                before, manifest=manifest, learned=learned, prefix=f"{before.prefix}heads.{number}."
            )
            self._members.append(updating_of(seat.method)(own))

    def add(self, maps: Maps, inside: NDArray[np.bool_] | None) -> None:
        """Pass to each member the maps of its layers."""
        for seat, member in zip(self._seats, self._members, strict=True):
            if not set(seat.layers) <= maps.keys():
                raise ArtifactError("its members use other layers than its graph has: it belongs to another training")
            member.add({layer: maps[layer] for layer in seat.layers}, inside)

    def finish(self, new_validation: Kept) -> Changed:
        """The changes of all members."""
        found = [member.finish(new_validation) for member in self._members]
        stores = {name: array for each in found for name, array in each.stores.items()}
        told = [f"{seat.method}: {line}" for seat, each in zip(self._seats, found, strict=True) for line in each.told]
        return Changed(stores, nested(self._seats, [each.learned for each in found]), told)
