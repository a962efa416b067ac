"""Hyperparameters: the fields of a method's dataclass, with their ranges, checked in one place.

A field's range is given with its default, ``bank_size: int = setting(10_000, low=1)``. Its meaning is in the class's
docstring, under "Attributes". A field with a plain default accepts any value of its type, except NaN and infinity. A
subclass that only changes a default keeps the range and the description.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import re
import types
import typing
from dataclasses import dataclass
from typing import Any

from flawspot.errors import ConfigurationError
from flawspot.runtime.manifest import Scalar
from flawspot.texts import counted_digits, shortened

LARGEST = 2**63 - 1
"""The largest whole number; larger ones fit no array and no file."""
SEED = "seed"
"""The one field that is not a hyperparameter."""
_RANGE = "flawspot.range"
_ENTRY = re.compile(r" {4}(\w+(?:, \w+)*): (.*)")


@dataclass(frozen=True)
class Range:
    """The allowed values of a hyperparameter, beside its type.

    Attributes:
        low, high: the smallest and the largest allowed number.
        above, below: numbers that it must be above or below.
        choices: the allowed texts; none for any text.
        form: a description of the form of any other text, which the method's class checks.
    """

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    form: str = ""

    def holds(self, number: float) -> bool:
        """Whether a number is within the bounds. NaN, infinities and numbers beyond 64 bits never are."""
        return (
            (math.isfinite(number) if isinstance(number, float) else abs(number) <= LARGEST)
            and (self.low is None or number >= self.low)
            and (self.high is None or number <= self.high)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    @property
    def bounds(self) -> str:
        """The bounds in words, such as ``above 0 and at most 1``; empty without any."""
        if self.low is not None and self.high is not None:
            return f"{self.low:.12g} to {self.high:.12g}"
        words = (("at least", self.low), ("above", self.above), ("at most", self.high), ("below", self.below))
        return " and ".join(f"{word} {bound:.12g}" for word, bound in words if bound is not None)


def setting(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: typing.Iterable[str] = (),
    form: str = "",
) -> Any:
    """A dataclass field with a default and a `Range`."""
    return dataclasses.field(default=default, metadata={_RANGE: Range(low, high, above, below, tuple(choices), form)})


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter of a method.

    Attributes:
        name: of the field.
        kinds: the allowed types: bool, int, float, str, and that of None.
        default: its default value.
        range: its allowed values.
        description: its description from the class's docstring.
    """

    name: str
    kinds: tuple[type, ...]
    default: Scalar
    range: Range
    description: str

    @property
    def type_name(self) -> str:
        """The type in words, such as ``int or none``."""
        return " or ".join(_type_name(kind) for kind in self.kinds)

    @property
    def allowed(self) -> str:
        """The allowed values in words, such as ``at least 1 or none``."""
        words = []
        if int in self.kinds or float in self.kinds:
            words.append(self.range.bounds or ("a finite number" if float in self.kinds else "a whole number"))
        if bool in self.kinds:
            words += ["true", "false"]
        if str in self.kinds:
            words += self.range.choices or [self.range.form or "a text"]
        if type(None) in self.kinds:
            words.append("none")
        return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))

    def check(self, value: object) -> None:
        """Refuse a value that has another type or is out of the range.

        Raises:
            ConfigurationError: the value is not allowed; the message says which are.
        """
        if not self._is_of_a_kind(value):
            shown = _shown(value) if isinstance(value, int) else shortened(repr(value))
            raise ConfigurationError(f"{self.name} must be {self.type_name}, not {shown}")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        good = self.range.holds(typing.cast(float, value)) if number else True
        if isinstance(value, str) and self.range.choices:
            good = value in self.range.choices
        if not good:
            raise ConfigurationError(f"{self.name} must be {self._allowed_for(value)}, not {_shown(value)}")

    def convert(self, value: object) -> Any:
        """Convert a text, as from the command line, to a value, and check it.

        Raises:
            ConfigurationError: the value has another type or is out of range, or the text fits none of the types.
        """
        found = value
        # "6" may be meant as a number, so a text stays a text only if it is nothing else.
        if isinstance(value, str):
            for kind in sorted(self.kinds, key=lambda kind: kind is str):
                try:
                    found = _parse(value, kind)
                    break
                except ValueError:
                    continue
        elif type(value) is int and float in self.kinds and int not in self.kinds and abs(value) <= LARGEST:
            found = float(value)
        self.check(found)
        return found

    def _allowed_for(self, value: object) -> str:
        """The allowed values in words; for a number that is too large for any, the largest one."""
        huge = isinstance(value, int) and abs(value) > LARGEST and self.range.high is None
        return f"{LARGEST} at most" if huge else self.allowed

    def _is_of_a_kind(self, value: object) -> bool:
        if isinstance(value, bool):
            return bool in self.kinds
        return isinstance(value, self.kinds) or (isinstance(value, int) and float in self.kinds)


@functools.cache
def hyperparameters_of(cls: type) -> tuple[Hyperparameter, ...]:
    """Every hyperparameter of a method's class, in the order of its fields: all fields except the seed."""
    return tuple(known for known in _known(cls) if known.name != SEED)


def check_settings(method: object) -> None:
    """Refuse a method if a hyperparameter, or its seed, is out of its range.

    Raises:
        ConfigurationError: the message names it and its allowed values.
    """
    cls: type = type(method)
    for known in _known(cls):
        known.check(getattr(method, known.name))


@functools.cache
def _known(cls: type) -> tuple[Hyperparameter, ...]:
    hints, described = typing.get_type_hints(cls), _descriptions(cls)
    return tuple(
        Hyperparameter(
            field.name,
            _kinds(hints[field.name]),
            typing.cast(Scalar, field.default),
            _range(cls, field.name),
            described.get(field.name, ""),
        )
        for field in dataclasses.fields(cls)
        if field.init
    )


def _kinds(hint: Any) -> tuple[type, ...]:
    """The types in a plain type or a union."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def _range(cls: type, name: str) -> Range:
    """The range of a field, from the nearest class that gives one."""
    for base in cls.__mro__:
        field = vars(base).get("__dataclass_fields__", {}).get(name)
        if field is not None and _RANGE in field.metadata:
            found: Range = field.metadata[_RANGE]
            return found
    return Range()


def _descriptions(cls: type) -> dict[str, str]:
    """Descriptions by name, from the "Attributes" in the docstrings of the class and its parents."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        _, _, section = inspect.cleandoc(vars(base).get("__doc__") or "").partition("\nAttributes:\n")
        names: list[str] = []
        for line in section.splitlines():
            entry = _ENTRY.fullmatch(line)
            if entry:
                names = entry[1].split(", ")
                found.update(dict.fromkeys(names, entry[2]))
            elif line.startswith(" " * 8):
                for name in names:
                    found[name] += " " + line.strip()
            elif line.strip():
                break
    return found


def _shown(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return counted_digits(value)
    return f"{value:g}" if isinstance(value, float) else shortened(repr(value))


def _type_name(kind: type) -> str:
    return "none" if kind is type(None) else kind.__name__


def _parse(text: str, kind: type) -> Any:
    """Convert `text` to a `kind`.

    Raises:
        ValueError: it cannot be converted.
    """
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
