"""Reads the JSON of a manifest into its dataclasses, and checks every type."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from typing import Any

from flawspot.errors import ArtifactError

MAX_ITEMS = 20_000
"""Most items of a list or an object: scores of good photographs, names of skipped files."""
MAX_NUMBER = 2.0**63
"""Limit on the size of numbers."""


def read_as(kind: Any, value: Any, where: str) -> Any:
    """Convert parsed JSON to `kind`, checking every type. Unknown fields are ignored.

    Args:
        kind: a dataclass, or the type of a field of one.
        value: the result of `json.loads`.
        where: its place, for messages.

    Raises:
        ArtifactError: a field is missing, has the wrong type, or exceeds a limit.
    """
    if isinstance(value, str) and not _is_text(value):
        raise ArtifactError(f"its {_whole(where)} is damaged: {where} is not text")
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise ArtifactError(f"its {_whole(where)} is damaged: {where} is not an object")
        hints = typing.get_type_hints(kind)
        arguments = {}
        for field in dataclasses.fields(kind):
            if field.name in value:
                arguments[field.name] = read_as(hints[field.name], value[field.name], f"{where}.{field.name}")
            elif field.default is dataclasses.MISSING:
                raise ArtifactError(f"its {_whole(where)} is damaged: {where}.{field.name} is missing")
        return typing.cast(Any, kind)(**arguments)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(value, list | dict) and len(value) > MAX_ITEMS:
        raise ArtifactError(f"its {_whole(where)} is damaged: {where} has more than {MAX_ITEMS:,} items")
    if origin is tuple and isinstance(value, list):
        return tuple(read_as(inner[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: read_as(inner[1], item, f"{where}.{key}") for key, item in value.items()}
    options = inner if origin in (typing.Union, types.UnionType) else (kind,)
    if type(value) in (int, float) and not abs(value) <= MAX_NUMBER:
        raise ArtifactError(f"its {_whole(where)} is damaged: {where} is not a finite number of ordinary size")
    if any(dataclasses.is_dataclass(option) for option in options) and isinstance(value, dict):
        return read_as(next(option for option in options if dataclasses.is_dataclass(option)), value, where)
    if any(_is(option, value) for option in options):
        return value
    if float in options and _is(int, value):
        return float(value)
    raise ArtifactError(f"its {_whole(where)} is damaged: {where} has the wrong type")


def _whole(where: str) -> str:
    """The outermost name of a place: ``manifest`` for ``manifest.training.images``."""
    return re.split(r"[.\[]", where, maxsplit=1)[0]


def _is(kind: Any, value: Any) -> bool:
    """Whether JSON value `value` is exactly of `kind`. True is not an int here."""
    return type(value) is (type(None) if kind in (None, type(None)) else kind)


def _is_text(value: str) -> bool:
    """Whether a text has no unpaired surrogates, which JSON can express but no encoding can."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
