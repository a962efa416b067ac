"""Packages that are here, absent, too old, or damaged."""

import importlib
import importlib.util
from importlib import metadata

import pytest

from flawspot.diagnosis import packages as module
from flawspot.diagnosis.packages import CORE, Package, packages
from flawspot.extras import EXTRAS


@pytest.fixture
def installed(monkeypatch):
    """Pretend that the training half is here in its newest versions, others of some, and that some are not here."""

    def pretend(versions=(), absent=()):
        found, real, brought = importlib.util.find_spec, metadata.version, metadata.packages_distributions()
        train = dict.fromkeys(EXTRAS["train"], "99")
        versions = train | dict(versions)

        def find_spec(name):
            return None if name in absent else name in train or found(name)

        monkeypatch.setattr(importlib.util, "find_spec", find_spec)
        monkeypatch.setattr(metadata, "version", lambda name: versions.get(name) or real(name))
        monkeypatch.setattr(metadata, "packages_distributions", lambda: {**brought, **{name: [name] for name in train}})

    return pretend


def extra_named(name):
    return next(extra for extra in packages()[1] if extra.name == name)


def test_this_environment_is_in_order():
    core, extras = packages()
    assert [package.name for package in core] == list(CORE)
    assert all(package.versions and package.fault is None for package in core)
    assert [extra.name for extra in extras] == list(EXTRAS)
    assert not [package.fault for extra in extras for package in extra.packages if package.fault]
    assert str(core[1]).startswith("pillow ")  # by its distribution


def test_an_extra_that_is_here(installed):
    installed()
    train = extra_named("train")
    assert train.is_here
    assert str(train) == "torch 99, onnx 99, onnxscript 99, numba 99, platformdirs 99"


def test_an_absent_extra_is_no_fault(installed):
    installed(absent=EXTRAS["train"])
    train = extra_named("train")
    assert train.missing == list(EXTRAS["train"])
    assert str(train) == "absent"


def test_half_an_extra_is_no_fault_whatever_its_versions(installed):
    installed({"torch": "1.0"}, absent=["numba"])
    train = extra_named("train")
    assert not train.is_here
    assert not [package for package in train.packages if package.fault]
    assert str(train).startswith("absent: no numba; present: torch 1.0")


def test_a_version_that_is_too_old_is_a_fault(installed):
    installed({"torch": "2.9.1+cpu", "numpy": "1.25.9"})
    core, _ = packages()
    assert core[0].fault == "numpy is 1.25.9, but flawspot needs 1.26: run `pip install -U numpy`"
    assert "torch is 2.9.1+cpu, but flawspot needs 2.13" in str(extra_named("train").packages[0].fault)


@pytest.mark.parametrize("version", ["1.26", "1.26.0", "1.26.0rc1", "1.100", "2", "10.0.0+local.1"])
def test_versions_that_will_do(installed, version):
    installed({"numpy": version})
    assert packages()[0][0].fault is None


def test_a_core_package_that_is_absent_or_cannot_be_loaded(installed, monkeypatch):
    installed(absent=["rich"])
    real = importlib.import_module

    def load(name):
        if name == "PIL":
            raise ImportError("DLL load failed\nsomewhere")
        return real(name)

    monkeypatch.setattr(importlib, "import_module", load)
    found = {package.name: package for package in packages()[0]}
    assert found["rich"] == Package("rich", {}, "rich is not installed: run `pip install flawspot`")
    assert found["PIL"].fault == "PIL is installed but cannot be imported: DLL load failed"


def test_a_flawspot_that_was_never_installed_asks_for_no_version(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", absent)
    assert module._lowest() == {}
    assert not [package for package in packages()[0] if package.fault]
