"""The methods by name. A method's file registers its own with the `method` decorator."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from flawspot.errors import ConfigurationError
from flawspot.methods.base import Method

M = TypeVar("M", bound=type[Method])

_METHODS: dict[str, type[Method]] = {}


def method(cls: M) -> M:
    """Register a `Method` under its name."""
    _METHODS[cls.name] = cls
    return cls


def methods() -> dict[str, type[Method]]:
    """Every registered method by name: each module beside this one has been imported."""
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{__package__}.{module.name}")
    return dict(sorted(_METHODS.items()))


def create_method(name: str, settings: Mapping[str, Any] | None = None, *, seed: int = 0) -> Method:
    """Make method `name` with the hyperparameters `settings`, the others at their defaults.

    Text values, as the command line has them, are converted to the field's type.

    Raises:
        ConfigurationError: an unknown method or hyperparameter (the known ones are listed), or a value of another type.
    """
    known = methods()
    if name not in known:
        raise ConfigurationError(f"unknown method {name!r}: the known ones are {', '.join(known)}")
    cls = known[name]
    fields = {f.name for f in dataclasses.fields(cls) if f.init} - {"seed"}
    hints = typing.get_type_hints(cls)
    values = {}
    for key, value in (settings or {}).items():
        if key not in fields:
            raise ConfigurationError(f"{name} has no hyperparameter {key!r}: it has {', '.join(sorted(fields))}")
        values[key] = _convert(value, hints[key], f"{key} of {name}")
    return cls(seed=seed, **values)


def _convert(value: Any, kind: Any, what: str) -> Any:
    """`value` as one of the types in `kind`, a plain type or a union of such."""
    options = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
    for option in options:
        if isinstance(value, option) and not (isinstance(value, bool) and option is not bool):
            if not (isinstance(value, str) and len(options) > 1):  # "6" may be meant as a number
                return value
        elif option is float and type(value) is int:
            return float(value)
    if isinstance(value, str):
        for option in sorted(options, key=lambda o: o is str):
            try:
                return _parse(value, option)
            except ValueError:
                continue
    wanted = " or ".join("none" if o is type(None) else o.__name__ for o in options)
    raise ConfigurationError(f"{what} must be {wanted}, not {value!r}")


def _parse(text: str, kind: Any) -> Any:
    if kind is type(None):
        if text.lower() in ("none", "null"):
            return None
        raise ValueError(text)
    if kind is bool:
        truth = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() in truth:
            return truth[text.lower()]
        raise ValueError(text)
    return kind(text)
