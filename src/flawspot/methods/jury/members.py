"""The members of a jury as one text: ``patchcore:bank_size=8000,sigma=2 + 0.3*pasted@3,6,10``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flawspot.backbones.layer_groups import resolve
from flawspot.errors import ConfigurationError
from flawspot.methods.base import Method
from flawspot.methods.jury.updating import MOST
from flawspot.methods.registry import create_method

SYNTAX = "members joined by +, each [WEIGHT*]METHOD[@LAYERS][:NAME=VALUE,...]"
_MEMBER = re.compile(
    r"(?:(?P<weight>[0-9.eE+-]+)\s*\*\s*)?(?P<name>[a-z][a-z0-9_]*)(?:@(?P<layers>[^:]+))?(?::(?P<settings>.*))?"
)
_BETWEEN = re.compile(r"\s*\+\s*(?=[a-z]|[0-9.eE+-]+\s*\*)")
"""A + followed by a member, which excludes a + within a number."""


@dataclass(frozen=True)
class Member:
    """One member, as it was asked for.

    Attributes:
        method: its name.
        layers: a layer group or indices; None for the jury's.
        settings: hyperparameters, as written.
        weight: weight of its map among the others, above 0.
    """

    method: str
    layers: str | None
    settings: tuple[tuple[str, str], ...]
    weight: float

    def create(self, seed: int, precision: str) -> Method:
        """The unfitted method.

        Raises:
            ConfigurationError: it does not know a setting, or the value is not allowed.
        """
        return create_method(self.method, dict(self.settings), seed=seed, precision=precision)

    def taps(self, taps: tuple[int, ...], backbone: str) -> tuple[int, ...]:
        """The layers that it compares, if the jury has `taps`.

        Raises:
            ConfigurationError: the backbone has no such layer or group.
        """
        return taps if self.layers is None else resolve(backbone, self.layers)


def parse(text: str, own: str = "") -> tuple[Member, ...]:
    """The members in `text`; the module's description has an example.

    Args:
        text: as the user wrote it.
        own: the name of the calling method, which cannot be its own member.

    Raises:
        ConfigurationError: the text cannot be read; the message shows how to write it.
    """
    members = tuple(_parse(part.strip()) for part in _BETWEEN.split(text.strip()))
    if not 2 <= len(members) <= MOST:
        raise ConfigurationError(f"a jury has 2 to {MOST} members, not {len(members)}: give {SYNTAX}")
    if own in [member.method for member in members]:
        raise ConfigurationError(f"members: a {own} cannot sit on a {own}")
    return members


def _parse(text: str) -> Member:
    found = _MEMBER.fullmatch(text)
    if found is None:
        raise ConfigurationError(f"members: {text!r} cannot be read: give {SYNTAX}")
    settings: list[tuple[str, str]] = []
    for setting in filter(None, (each.strip() for each in (found["settings"] or "").split(","))):
        name, equals, value = setting.partition("=")
        if not equals:
            raise ConfigurationError(f"members: {setting!r} of {found['name']} is not NAME=VALUE")
        if name.strip() in dict(settings):
            raise ConfigurationError(f"members: {name.strip()} of {found['name']} is given twice: leave one out")
        settings.append((name.strip(), value.strip()))
    try:
        weight = float(found["weight"] or 1)
    except ValueError:
        weight = 0.0
    if not 0 < weight <= 1000:
        raise ConfigurationError(
            f"members: the weight {found['weight']} of {found['name']} must be above 0 and at most 1000"
        )
    layers = found["layers"]
    return Member(found["name"], None if layers is None else layers.strip(), tuple(settings), weight)


def part_name(number: int, members: tuple[Member, ...], part: str) -> str:
    """The name of a member's part, prefixed by the method's, with a number if there are several of it."""
    names = [member.method for member in members]
    own = names[number]
    if names.count(own) > 1:
        own += f" {names[: number + 1].count(own)}"
    return f"{own}: {part}"
