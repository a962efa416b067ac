"""The kinds of JSON values that a stored run has, and a check against them that names what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from flawspot.texts import shortened


@dataclass(frozen=True)
class Value:
    """A value without parts: what it must be, and whether one is."""

    said: str
    fits: Callable[[Any], bool]


@dataclass(frozen=True)
class Fields:
    """An object with known fields. Others are left out: a newer flawspot may have added them."""

    needed: Mapping[str, Kind]
    others: Mapping[str, Kind] = field(default_factory=dict)
    may_be_null: bool = False


@dataclass(frozen=True)
class Items:
    """A list."""

    kind: Kind
    most: int = 100_000
    least: int = 0


@dataclass(frozen=True)
class Named:
    """An object with fields of any names, each of the kind of its name."""

    kind: Callable[[str], Value]


Kind = Value | Fields | Items | Named


def checked(value: Any, kind: Kind, place: str = "") -> Any:
    """The value without unknown fields.

    Args:
        value: the result of `json.loads`.
        kind: what it must be.
        place: its place, for messages.

    Raises:
        ValueError: it is not of this kind; one line that names the place.
    """
    if isinstance(kind, Value):
        if not kind.fits(value):
            _fail(place, kind.said, value)
        return value
    if isinstance(kind, Items):
        if not isinstance(value, list) or not kind.least <= len(value) <= kind.most:
            _fail(place, f"a list of {kind.least} to {kind.most:,} items", value)
        return [checked(item, kind.kind, f"{place}[{position}]") for position, item in enumerate(value)]
    if value is None and isinstance(kind, Fields) and kind.may_be_null:
        return None
    if not isinstance(value, dict):
        _fail(place, "an object", value)
    if isinstance(kind, Named):
        return {
            name: item if (own := kind.kind(name)).fits(item) else checked(item, own, _below(place, name))
            for name, item in value.items()
        }
    for name in kind.needed:
        if name not in value:
            raise ValueError(f"{_below(place, name)} is missing")
    found = {}
    for name, item in value.items():
        known = kind.needed.get(name) or kind.others.get(name)
        if known is not None:
            fits = isinstance(known, Value) and known.fits(item)  # without the place, which takes longer to write
            found[name] = item if fits else checked(item, known, _below(place, name))
    return found


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _fail(place: str, said: str, value: Any) -> NoReturn:
    # A nested value may be too deep to be written.
    if isinstance(value, dict | list):
        shown = "an object" if isinstance(value, dict) else "a list" if value else "an empty list"
    else:
        shown = shortened(json.dumps(value))
    raise ValueError(f"{shortened(place, 100) or 'it'} is {shown}, not {said}")
