"""Updates a jury: each member is updated on its own layers, as if it were alone.

Then the scales for combining their maps are computed anew, from held-out photographs of old and new days that no member
has learned from. A student that has learned more has smaller distances; by its old scale it would no longer count.
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
from flawspot.methods.jury.scales import COMBINATION, OFFSET, WIDTH, scale_of, stride_over
from flawspot.methods.updating import Before, Changed, Maps, updating_of
from flawspot.methods.updating import Updater as Member
from flawspot.runtime.cutting import value_beside
from flawspot.runtime.json_reading import read_as
from flawspot.runtime.manifest import Scalar
from flawspot.runtime.seen import Mind, Seen, layers_of
from flawspot.runtime.state import Kept, stacked
from flawspot.runtime.stores import names_of_stores
from flawspot.runtime.tensors import within

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
        self._before = before
        self._seats = seats_of(before.learned)
        if METHODS[0] in [seat.method for seat in self._seats]:
            raise ArtifactError("it is not the state of such a detector: a jury is a member of a jury")
        self._members: list[Member] = []
        for number, seat in enumerate(self._seats):
            learned = within(before.learned, f"{number}/")
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
        assert all(each.then is None for each in found)  # no member has constants that depend on the whole graph
        stores = {name: array for each in found for name, array in each.stores.items()}
        told = [f"{seat.method}: {line}" for seat, each in zip(self._seats, found, strict=True) for line in each.told]
        learned = nested(self._seats, [each.learned for each in found])
        validation = stacked([self._before.validation, new_validation])
        if not self._is_named() or not len(validation):
            told.append("the scales of the members' maps stay: training kept nothing to compute them anew")
            return Changed(stores, learned, told)
        told.append(f"the scales of the members' maps are those of {len(validation)} held-out photographs")
        return Changed(stores, learned, told, lambda model: self._scales(model, validation))

    def _is_named(self) -> bool:
        """Whether the scales are constants with names in the graph, as they have been since 2026-11-27."""
        return f"{self._before.prefix}{COMBINATION}{OFFSET}0" in names_of_stores(self._before.model)

    def _scales(self, model: bytes, photographs: Kept) -> dict[str, NDArray[Any]]:
        """The constants of the scales, for members as they are in `model`."""
        prefix, rule = self._before.prefix, str(self._before.manifest.hyperparameters.get("rule"))
        names = [value_beside(model, f"{prefix}{COMBINATION}{OFFSET}{number}") for number in range(len(self._seats))]
        known = [name for name in names if name is not None]
        if len(known) < len(names):
            raise ArtifactError("its graph has no scales of its members' maps: it belongs to another training")
        mind = Mind(model, layers_of(model), values=known)
        found: list[list[NDArray[np.float32]]] = [[] for _ in known]
        for row in range(len(photographs)):
            seen = Seen(*photographs.photograph(row))
            for values, anomaly_map in zip(found, mind.values(seen), strict=True):
                each = stride_over(anomaly_map.size * len(photographs))
                inspected = anomaly_map if seen.inside is None else anomaly_map[seen.inside]
                values.append(inspected.ravel()[::each].copy())
        constants: dict[str, NDArray[Any]] = {}
        for number, (seat, values) in enumerate(zip(self._seats, found, strict=True)):
            offset, width = scale_of(np.concatenate(values), seat.method).by(rule)
            constants |= {
                f"{prefix}{COMBINATION}{OFFSET}{number}": np.array(offset, np.float32),
                f"{prefix}{COMBINATION}{WIDTH}{number}": np.array(width, np.float32),
            }
        return constants
