"""Registering methods, and finding those of installed packages."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import ClassVar

import pytest

from flawspot.errors import ConfigurationError
from flawspot.methods import registry
from flawspot.methods.padim import PaDiM
from flawspot.methods.registry import create_method, method, method_class, methods


@pytest.fixture(autouse=True)
def undone(monkeypatch):
    """What a test registers is forgotten after it, and installed packages are looked for anew."""
    methods()
    monkeypatch.setattr(registry, "_METHODS", dict(registry._METHODS))
    registry._import_installed.cache_clear()
    yield
    registry._import_installed.cache_clear()


def test_a_registered_one_is_known_by_its_name():
    @method
    @dataclass(kw_only=True)
    class Renamed(PaDiM):
        name: ClassVar[str] = "renamed"

    assert method_class("renamed") is methods()["renamed"] is Renamed
    assert isinstance(create_method("renamed", {"channels": "7"}), Renamed)


def test_a_name_is_given_once():
    with pytest.raises(ConfigurationError, match=r"'padim' is registered already, flawspot.methods.padim.method.PaDiM"):

        @method
        @dataclass(kw_only=True)
        class Second(PaDiM):
            pass

    assert methods()["padim"] is PaDiM


def test_a_module_may_be_imported_anew():
    assert method(PaDiM) is PaDiM
    again = type("PaDiM", (PaDiM,), {"__module__": PaDiM.__module__, "__qualname__": "PaDiM"})
    assert method(dataclass(kw_only=True)(again)) is methods()["padim"]


@pytest.mark.parametrize("name", ["", "Two words", "a-b", "7"])
def test_a_name_is_a_word(name):
    with pytest.raises(ConfigurationError, match="needs a `name` of small letters"):
        method(dataclass(kw_only=True)(type("Named", (PaDiM,), {"name": name})))


def test_a_method_is_a_dataclass_of_its_own():
    with pytest.raises(ConfigurationError, match="put @dataclass"):
        method(type("Plain", (PaDiM,), {"name": "plain"}))


def test_an_unknown_one_lists_the_known_ones():
    known = "cfa, jury, padim, paste, pasted, patchcore, stfpm"
    with pytest.raises(ConfigurationError, match=f"the known ones are {known}"):
        method_class("magic")


def test_a_broken_package_is_named(tmp_path, monkeypatch):
    (tmp_path / "broken_method.py").write_text("import nothing_of_that_name\n")
    information = tmp_path / "broken-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[flawspot.methods]\nmine = broken_method\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "mine" not in methods()  # it is in nobody else's way
    with pytest.raises(ConfigurationError, match=r"'mine' of the package broken cannot be imported \(.*of_that"):
        method_class("mine")
    assert "broken_method" not in sys.modules
