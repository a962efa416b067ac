"""Whose costs a method has: those of the class that says how it fits and predicts."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from flawspot.methods.base import Method
from flawspot.methods.padim import PaDiM
from flawspot.methods.patchcore import PatchCore
from flawspot.methods.shapes import Shapes
from flawspot.methods.stfpm import STFPM, PaSTe

SHAPES = Shapes("mobilenet_v2", (3, 8, 14), {3: (24, 56, 56), 8: (64, 14, 14), 14: (160, 7, 7)}, (224, 224), 200)


def test_a_child_that_fits_and_predicts_as_its_parent_has_its_costs() -> None:
    @dataclass(kw_only=True)
    class Smooth(PaDiM):
        sigma: float = 8.0

    assert Smooth().planned_parts(SHAPES) == PaDiM().planned_parts(SHAPES)
    assert Smooth().training_costs(SHAPES) == PaDiM().training_costs(SHAPES)
    assert PaSTe.training_costs is STFPM.training_costs
    assert PaSTe.planned_parts is STFPM.planned_parts


@pytest.mark.parametrize("name", ["fit", "head", "required"])
def test_a_child_that_does_otherwise_starts_with_costs_unknown(name: str) -> None:
    Child = type("Child", (PatchCore,), {name: lambda self: None, "parts": PatchCore.parts})
    assert Child.parts is PatchCore.parts
    child = Child()
    assert isinstance(child, Method)
    assert child.planned_parts(SHAPES) is None
    assert child.training_costs(SHAPES) is None
    assert child.stored_width("memory bank") == 4


def test_a_grandchild_does_not_get_them_back() -> None:
    Child = type("Child", (STFPM,), {"head": lambda self: None, "parts": lambda self: []})
    Grandchild = type("Grandchild", (Child,), {})
    assert Grandchild().training_costs(SHAPES) is None
    assert Grandchild.parts is Child.parts


def test_a_fit_that_is_mixed_in_counts_too() -> None:
    class Mixin:
        def fit(self) -> None:
            pass

    Child = type("Child", (Mixin, PaDiM), {"planned_parts": PaDiM.planned_parts})
    assert Child().planned_parts(SHAPES) == PaDiM().planned_parts(SHAPES)
    assert Child().training_costs(SHAPES) is None


def test_a_method_that_does_not_say_what_it_computes_cannot_be_made() -> None:
    with pytest.raises(TypeError, match=r"Child has a head and does not say .* its parent's still hold: planned_parts"):
        type("Child", (PaDiM,), {"head": lambda self: None})
    with pytest.raises(TypeError, match=r"define planned_parts, from shapes alone, or parts, once it is fitted$"):
        type("Child", (Method,), {"head": lambda self: None})
    type("Without", (Method,), {})  # one that only others are made from
