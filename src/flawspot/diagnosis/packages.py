"""Checks which packages are installed, and whether flawspot works with their versions."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

from flawspot.extras import EXTRAS

CORE = ("numpy", "PIL", "onnxruntime", "typer", "rich")
"""Import names of the packages that the runtime needs."""

_DECLARED = re.compile(r"([\w.-]+)\s*>=\s*([\w.]+)")


@dataclass(frozen=True)
class Package:
    """One package.

    Attributes:
        name: its import name.
        versions: version of each distribution that contains it, by the distribution's name; empty if it is not
            installed.
        fault: why flawspot cannot work with it; None if no reason is known.
    """

    name: str
    versions: dict[str, str]
    fault: str | None = None

    def __str__(self) -> str:
        return ", ".join(f"{name} {version}" for name, version in self.versions.items()) or f"{self.name}: absent"


@dataclass(frozen=True)
class Extra:
    """An extra of flawspot.

    Attributes:
        name: its name in square brackets after ``flawspot``.
        packages: the packages that it installs.
    """

    name: str
    packages: tuple[Package, ...]

    @property
    def missing(self) -> list[str]:
        """Names of those that are not installed."""
        return [package.name for package in self.packages if not package.versions]

    @property
    def is_here(self) -> bool:
        """Whether all are installed."""
        return not self.missing

    def __str__(self) -> str:
        here = ", ".join(str(package) for package in self.packages if package.versions)
        if self.is_here or not here:
            return here or "absent"
        return f"absent: no {', '.join(self.missing)}; present: {here}"


def packages() -> tuple[list[Package], list[Extra]]:
    """The packages that the runtime needs, and those of flawspot's extras.

    The former are imported, because their version does not show whether a library can be loaded. The latter are not, as
    this would take seconds.
    """
    brought, lowest = metadata.packages_distributions(), _lowest()
    core = [_core_package(name, brought.get(name, []), lowest) for name in CORE]
    extras = []
    for extra, names in EXTRAS.items():
        found = [_package(name, brought.get(name, []), lowest) for name in names]
        if not all(package.versions for package in found):  # packages installed for other reasons may have any version
            found = [Package(package.name, package.versions) for package in found]
        extras.append(Extra(extra, tuple(found)))
    return core, extras


def _core_package(name: str, distributions: Iterable[str], lowest: dict[str, str]) -> Package:
    found = _package(name, distributions, lowest)
    if not found.versions:
        return Package(name, {}, f"{name} is not installed: run `pip install flawspot`")
    try:
        importlib.import_module(name)
    except Exception as error:  # a damaged library may raise anything
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        return Package(name, found.versions, f"{name} is installed but cannot be imported: {reason}")
    return found


def _package(name: str, distributions: Iterable[str], lowest: dict[str, str]) -> Package:
    if importlib.util.find_spec(name) is None:
        return Package(name, {})
    versions = {each: metadata.version(each) for each in sorted(set(distributions))} or {name: "of unknown version"}
    for distribution, version in versions.items():
        least = lowest.get(_normal(distribution))
        if least is not None and _numbers(version) < _numbers(least):
            fault = f"{distribution} is {version}, but flawspot needs {least}: run `pip install -U {distribution}`"
            return Package(name, versions, fault)
    return Package(name, versions)


def _lowest() -> dict[str, str]:
    """The lowest version of each distribution that flawspot declares."""
    try:
        declared = metadata.requires("flawspot") or []
    except metadata.PackageNotFoundError:
        return {}
    matches = [_DECLARED.match(each) for each in declared]
    return {_normal(match[1]): match[2] for match in matches if match}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _numbers(version: str) -> list[int]:
    """The numbers in a version, in order: 2, 13, 0 for ``2.13.0+cpu``. Zeros at the end are ignored."""
    found = [int(number) for number in re.findall(r"\d+", version.partition("+")[0])]
    while found and not found[-1]:
        found.pop()
    return found
