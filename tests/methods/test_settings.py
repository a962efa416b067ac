"""Hyperparameters with their ranges, described and checked in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from flawspot.errors import ConfigurationError
from flawspot.methods.settings import Range, check_settings, hyperparameters_of, setting


@dataclass(kw_only=True)
class Some:
    """Something with fields.

    Attributes:
        count: how many;
            or none.
        share, rate: parts of a whole.
        kind: of it.
        learned_: not given.

    Other text: is none of theirs.
    """

    name: ClassVar[str] = "some"

    count: int | None = setting(None, low=1)
    share: float = setting(0.5, above=0, high=1)
    rate: float = 0.1
    kind: str | int = setting("auto", low=0, high=5, choices=["auto"])
    flag: bool = False
    seed: int = setting(0, low=0)
    learned_: int = field(init=False)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(kw_only=True)
class Other(Some):
    """A child.

    Attributes:
        kind: of the child.
    """

    share: float = 0.25
    kind: str | int = 3


def test_fields_are_hyperparameters_but_for_the_seed_and_what_is_learned() -> None:
    known = {each.name: each for each in hyperparameters_of(Some)}
    assert list(known) == ["count", "share", "rate", "kind", "flag"]
    assert known["count"].description == "how many; or none."
    assert known["share"].description == known["rate"].description == "parts of a whole."
    assert known["flag"].description == ""
    assert [known[name].allowed for name in known] == [
        "at least 1 or none",
        "above 0 and at most 1",
        "a finite number",
        "0 to 5 or auto",
        "true or false",
    ]
    assert known["count"].type_name == "int or none"


def test_a_child_with_another_default_keeps_range_and_description() -> None:
    known = {each.name: each for each in hyperparameters_of(Other)}
    assert (known["share"].default, known["share"].allowed) == (0.25, "above 0 and at most 1")
    assert known["share"].description == "parts of a whole."
    assert (known["kind"].default, known["kind"].description) == (3, "of the child.")
    with pytest.raises(ConfigurationError, match="share must be above 0 and at most 1, not 2"):
        Other(share=2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 0}, "count must be at least 1 or none, not 0"),
        ({"count": 1.0}, "count must be int or none, not 1.0"),
        ({"count": True}, "count must be int or none, not True"),
        ({"share": 0}, "share must be above 0 and at most 1, not 0"),
        ({"share": math.nan}, "share must be above 0 and at most 1, not nan"),
        ({"rate": math.inf}, "rate must be a finite number, not inf"),
        ({"rate": "0.1"}, "rate must be float, not '0.1'"),
        ({"kind": "some"}, "kind must be 0 to 5 or auto, not 'some'"),
        ({"kind": 6}, "kind must be 0 to 5 or auto, not 6"),
        ({"flag": 1}, "flag must be bool, not 1"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
    ],
)
def test_out_of_range(given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        Some(**given)  # type: ignore[arg-type]
    assert str(error.value) == message


@pytest.mark.parametrize("given", [{"count": None}, {"count": 1}, {"share": 1}, {"rate": -5}, {"kind": "auto"}])
def test_within(given: dict[str, object]) -> None:
    Some(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "7", 7),
        ("count", "None", None),
        ("share", "1", 1.0),
        ("share", 1, 1.0),
        ("kind", "3", 3),
        ("kind", "auto", "auto"),
        ("flag", "yes", True),
        ("flag", "0", False),
    ],
)
def test_texts_are_converted(name: str, text: object, value: object) -> None:
    known = {each.name: each for each in hyperparameters_of(Some)}[name]
    converted = known.convert(text)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(("name", "text"), [("count", "1.5"), ("share", "much"), ("share", "nan"), ("flag", "maybe")])
def test_texts_that_stand_for_nothing(name: str, text: str) -> None:
    known = {each.name: each for each in hyperparameters_of(Some)}[name]
    with pytest.raises(ConfigurationError, match=f"{name} must be"):
        known.convert(text)


def test_bounds_in_words() -> None:
    assert Range(low=1, high=8).bounds == "1 to 8"
    assert Range(low=0, below=1).bounds == "at least 0 and below 1"
    assert Range().bounds == ""
    assert Range().holds(-1e300)
    assert not Range().holds(math.nan)
    assert not Range(low=0).holds(math.inf)
