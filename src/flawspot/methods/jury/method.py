"""Jury: several methods on one pass of the backbone, with their maps combined into one.

The members use the same features, at the same layers or at different ones, and are fitted one after the other. Their
maps are converted to one scale by good photographs that none of them has learned from, and combined
(`flawspot.methods.jury.combining`). Members of different kinds make different errors. A memory bank measures how far a
feature is from good ones; a network that has learned pasted defects knows what defects look like.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.backbones.layer_groups import STAGES
from flawspot.errors import DataError
from flawspot.methods.base import Method
from flawspot.methods.costs import FittingCosts
from flawspot.methods.features import FeatureSet
from flawspot.methods.jury import costs
from flawspot.methods.jury.combining import RULES, Combination
from flawspot.methods.jury.members import SYNTAX, Member, parse, part_name
from flawspot.methods.jury.scales import Scale, scale_of, stride_over
from flawspot.methods.jury.updating import Seat, nested
from flawspot.methods.registry import method
from flawspot.methods.settings import setting
from flawspot.methods.shapes import Shapes
from flawspot.progress import SILENT, Progress
from flawspot.runtime.manifest import Part, Scalar

MEMBERS = "patchcore:bank_size=4000,standardize=channel,sigma=2 + pasted + stfpm:recipe=fast"
"""Three kinds of members. On MobileNetV2 at 224 pixels they store 4 MB. They take half a billion multiply-accumulates
if the search of the bank is as short as on good photographs."""
_AT_ONCE = 8
"""Photographs, or tiles, that a member processes at a time."""


@method
@dataclass(kw_only=True)
class Jury(Method):
    """Several methods combined.

        >>> flawspot.Jury(members="patchcore:bank_size=2000 + pasted + 0.5*paste@paste").rule
        'fisher'

    Attributes:
        members: the methods, joined by ``+``. Each has its weight and a ``*``, if it is not 1; its name; after ``@``
            its layers, a group or indices, if they are not the jury's; after ``:`` its hyperparameters.
        rule: how their maps are combined; see `flawspot.methods.jury.combining`.
        precision: how the members keep their stores; ``int8`` as a detector of that precision does.
        fitted_: the members.
        room_: whether they leave room for updates.
        scales_: scale of each member's map.
    """

    name: ClassVar[str] = "jury"
    source: ClassVar[str] = "flawspot"
    default_layers: ClassVar[str] = STAGES
    validation_fraction: ClassVar[float] = 0.2
    planned_at_most: ClassVar[bool] = True
    int8_settings: ClassVar[Mapping[str, Scalar]] = {"precision": "int8"}

    members: str = setting(MEMBERS, form=SYNTAX)
    rule: str = setting("fisher", choices=RULES)
    precision: str = setting("float32", choices=["float32", "int8"])

    fitted_: list[Method] = field(init=False, repr=False)
    room_: bool = field(default=False, init=False, repr=False)
    scales_: list[Scale] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the members too.

        Raises:
            ConfigurationError: they cannot be read, or one does not know a setting.
        """
        super().__post_init__()
        self._parsed = parse(self.members, self.name)
        self._created()

    def _created(self) -> list[Method]:
        return [member.create(self.seed, self.precision) for member in self._parsed]

    def seats(self, taps: tuple[int, ...], backbone: str) -> list[tuple[Member, Method, tuple[int, ...]]]:
        """Each member as an unfitted method, with the layers that it compares."""
        pairs = zip(self._parsed, self._created(), strict=True)
        return [(member, method, member.taps(taps, backbone)) for member, method in pairs]

    def required(self, taps: tuple[int, ...], backbone: str) -> tuple[int, ...]:
        """All layers that the members need.

        Raises:
            ConfigurationError: a member cannot work with its layers.
        """
        needed = [set(method.required(own, backbone)) for _, method, own in self.seats(taps, backbone)]
        return tuple(sorted(set().union(*needed)))

    def pasted_photographs(self) -> int:
        """The largest number that a member needs."""
        return max(method.pasted_photographs() for method in self._created())

    def turns(self) -> tuple[int, ...]:
        """The rotations that any member needs."""
        return tuple(sorted({quarters for method in self._created() for quarters in method.turns()}))

    def fit(self, features: FeatureSet, validation: FeatureSet | None = None, *, progress: Progress = SILENT) -> Self:
        """Fit the members, and compute the scales of their maps from `validation`."""
        shapes = self.shapes_ = features.shapes
        if validation is None or not len(validation):
            raise DataError(
                f"{self.name} needs held-out good images to scale its members' maps, and there are none: give more"
            )
        validation.check_inside()
        self.fitted_, self.scales_ = [], []
        for _, member, taps in self.seats(shapes.taps, shapes.backbone):
            if self.room_:
                member.leave_room()
            layers = member.required(taps, shapes.backbone)
            held_out = validation.at(taps, layers)
            member.fit(features.at(taps, layers), held_out, progress=progress)
            with progress.step(f"{member.name} on held-out photographs"):
                self.scales_.append(scale_of(_pixels(member.head().eval(), held_out), member.name))
            self.fitted_.append(member)
        return self

    def leave_room(self) -> None:
        """Prepare each member for updates.

        Raises:
            ConfigurationError: one of them cannot be updated.
        """
        for member in self._created():
            member.leave_room()
        self.room_ = True

    def learned(self) -> Mapping[str, NDArray[Any]]:
        """The members' learned values, and their configuration."""
        found, seats = [], []
        for member, (_, _, taps) in zip(
            self.fitted_, self.seats(self.shapes_.taps, self.shapes_.backbone), strict=True
        ):
            found.append(member.learned() or {})
            layers = member.required(taps, self.shapes_.backbone)
            seats.append(Seat(member.name, member.hyperparameters(), taps, layers))
        return nested(seats, found)

    def replays(self) -> bool:
        """Whether a member does."""
        return any(member.replays() for member in self._created())

    def updates_in_int8(self) -> bool:
        """Whether all members do."""
        return all(member.updates_in_int8() for member in self._created())

    def validates(self) -> bool:
        """Yes: the scales of the members' maps are computed from held-out photographs again."""
        return True

    def head(self) -> nn.Module:
        """The members' heads, and the combination of their maps. The image score is its maximum."""
        return JuryHead(self)

    def parts(self) -> list[Part]:
        """The parts of all members."""
        return self._named([method.parts() for method in self.fitted_])

    def planned_parts(self, shapes: Shapes) -> list[Part] | None:
        """The planned parts of all members; None if a member does not give them before it is fitted."""
        planned = [method.planned_parts(own) for method, own in costs.seated(self, shapes)]
        known = [parts for parts in planned if parts is not None]
        return self._named(known) if len(known) == len(planned) else None

    def _named(self, parts: list[list[Part]]) -> list[Part]:
        return [
            Part(part_name(number, self._parsed, part.name), part.bytes, part.macs)
            for number, own in enumerate(parts)
            for part in own
        ]

    def stored_width(self, part: str) -> int | None:
        """The value from the member that the part belongs to."""
        for number, member in enumerate(self._created()):
            prefix = part_name(number, self._parsed, "")
            if part.startswith(prefix):
                return member.stored_width(part.removeprefix(prefix))
        return super().stored_width(part)

    def planned_networks(self, shapes: Shapes) -> Mapping[str, nn.Module]:
        """The networks of all members."""
        return {
            part_name(number, self._parsed, name): network
            for number, (method, own) in enumerate(costs.seated(self, shapes))
            for name, network in method.planned_networks(own).items()
        }

    def training_costs(self, shapes: Shapes) -> FittingCosts | None:
        """The costs of fitting one after the other; None if a member does not give them."""
        return costs.fitting(self, shapes)


class JuryHead(nn.Module):
    """Feature maps -> anomaly map and score."""

    def __init__(self, fitted: Jury) -> None:
        super().__init__()
        self.heads = nn.ModuleList(method.head() for method in fitted.fitted_)
        self.layers = [method.required(method.shapes_.taps, fitted.shapes_.backbone) for method in fitted.fitted_]
        self.tiles = max(int(getattr(head, "tiles", 1)) for head in self.heads)
        weights = [member.weight for member in parse(fitted.members)]
        self.combination = Combination(fitted.rule, fitted.scales_, weights, named=fitted.room_)

    def forward(self, maps: dict[int, Tensor], inside: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """{layer: (N, C, H, W)}, (N, h, w) -> (N, h, w), (N,)."""
        more = () if inside is None else (inside,)
        found = [
            head({layer: maps[layer] for layer in layers}, *more)[0]
            for head, layers in zip(self.heads, self.layers, strict=True)
        ]
        anomaly_map = self.combination(found)
        if inside is not None:
            anomaly_map = anomaly_map * inside
        return anomaly_map, anomaly_map.amax(dim=(1, 2))


def _pixels(head: nn.Module, features: FeatureSet) -> NDArray[np.float32]:
    """(n,) values of inspected pixels in maps of photographs: see `stride_over`."""
    found = []
    each = stride_over(len(features) * math.prod(features.input_size))
    step = max(_AT_ONCE // features.tiles, 1) * features.tiles
    with torch.no_grad():
        for start in range(0, len(features), step):
            rows = slice(start, start + step)
            maps = {layer: torch.from_numpy(features.batch(layer, rows)) for layer in features.maps}
            pixels = features.pixels(rows)
            if pixels is None:
                found.append(head(maps)[0].numpy().ravel()[::each].copy())
            else:
                found.append(head(maps, torch.from_numpy(pixels.astype(np.float32)))[0].numpy()[pixels][::each].copy())
    return np.concatenate(found)
