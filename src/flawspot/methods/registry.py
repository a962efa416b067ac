"""The methods by name. A method's file registers its own with the `method` decorator.

Known methods are those in this package, those that the program has imported, and those of installed packages that list
their module under the entry point group ``flawspot.methods``:

    [project.entry-points."flawspot.methods"]
    mymethod = "my_package.my_method"
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
from collections.abc import Mapping
from importlib import metadata
from typing import Any, TypeVar

from flawspot.errors import ConfigurationError
from flawspot.methods.base import Method
from flawspot.methods.settings import hyperparameters_of

M = TypeVar("M", bound=type[Method])

ENTRY_POINTS = "flawspot.methods"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_METHODS: dict[str, type[Method]] = {}


def method(cls: M) -> M:
    """Register a `Method` under its name. It is placed above ``@dataclass(kw_only=True)``.

    Raises:
        ConfigurationError: the name is taken by another class or invalid, or the class is not itself a dataclass.
    """
    where = f"{cls.__module__}.{cls.__qualname__}"
    if not _NAME.fullmatch(getattr(cls, "name", "")):
        raise ConfigurationError(f"the method {where} needs a `name` of small letters, digits and underscores")
    if "__dataclass_fields__" not in vars(cls):
        raise ConfigurationError(f"the method {where} is not a dataclass: put @dataclass(kw_only=True) below @method")
    known = _METHODS.get(cls.name)
    # A module that is imported again registers its class again.
    if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ConfigurationError(
            f"a method called {cls.name!r} is registered already, {known.__module__}.{known.__qualname__}: give "
            f"{where} another name"
        )
    _METHODS[cls.name] = cls
    return cls


def methods() -> dict[str, type[Method]]:
    """Every known method by name. One of an installed package that cannot be imported is left out."""
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        room = importlib.import_module(f"{__package__}.{module.name}")
        for name in getattr(room, "__all__", ()):
            getattr(room, name)  # this imports its class
    _import_installed()
    return dict(sorted(_METHODS.items()))


def method_class(name: str) -> type[Method]:
    """The method called `name`.

    Raises:
        ConfigurationError: an unknown name; the known ones are listed.
    """
    known = methods()
    if name not in known:
        broken = "".join(f"; {reason}" for reason in _import_installed())
        raise ConfigurationError(f"unknown method {name!r}: the known ones are {', '.join(known)}{broken}")
    return known[name]


def create_method(
    name: str, settings: Mapping[str, Any] | None = None, *, seed: int = 0, precision: str = "float32"
) -> Method:
    """Make method `name` with the hyperparameters `settings`, the others at their defaults.

    Text values, as from the command line, are converted to the field's type. Detectors of precision ``int8`` have other
    defaults if the method defines them.

    Raises:
        ConfigurationError: an unknown method or hyperparameter (the known ones are listed), or a value of another type
            or out of its range.
    """
    cls = method_class(name)
    known = {known.name: known for known in hyperparameters_of(cls)}
    values: dict[str, Any] = dict(cls.int8_settings) if precision == "int8" else {}
    for key, value in (settings or {}).items():
        if key not in known:
            raise ConfigurationError(f"{name} has no hyperparameter {key!r}: it has {', '.join(sorted(known))}")
        values[key] = known[key].convert(value)
    return cls(seed=seed, **values)


@functools.cache
def _import_installed() -> tuple[str, ...]:
    """Import the methods of installed packages, and return why some could not be, so that they do not block the
    others."""
    broken = []
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        try:
            entry.load()
        except Exception as error:
            package = entry.dist.name if entry.dist is not None else entry.value
            reason = str(error).partition("\n")[0] or type(error).__name__
            broken.append(f"the method {entry.name!r} of the package {package} cannot be imported ({reason})")
    return tuple(broken)
