"""Which packages are here, in which version, and whether that is one that flawspot works with."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

from flawspot.extras import EXTRAS

CORE = ("numpy", "PIL", "onnxruntime", "typer", "rich")
"""What the running half needs, by the names that are imported."""

_DECLARED = re.compile(r"([\w.-]+)\s*>=\s*([\w.]+)")


@dataclass(frozen=True)
class Package:
    """One package.

    Attributes:
        name: that it is imported by.
        versions: of each distribution that brings it, by its name; empty where it is not here.
        fault: why flawspot cannot work with it; None where nothing is known against it.
    """

    name: str
    versions: dict[str, str]
    fault: str | None = None

    def __str__(self) -> str:
        return ", ".join(f"{name} {version}" for name, version in self.versions.items()) or f"{self.name}: absent"


@dataclass(frozen=True)
class Extra:
    """An extra of flawspot's.

    Attributes:
        name: in square brackets behind ``flawspot``.
        packages: that it brings.
    """

    name: str
    packages: tuple[Package, ...]

    @property
    def missing(self) -> list[str]:
        """Names of those that are not here."""
        return [package.name for package in self.packages if not package.versions]

    @property
    def is_here(self) -> bool:
        """Whether all of them are."""
        return not self.missing

    def __str__(self) -> str:
        here = ", ".join(str(package) for package in self.packages if package.versions)
        if self.is_here or not here:
            return here or "absent"
        return f"absent: no {', '.join(self.missing)}; here are {here}"


def packages() -> tuple[list[Package], list[Extra]]:
    """The packages of the running half, and what flawspot's extras bring.

    The former are imported, for a library that cannot be loaded shows in no version; the latter are not, which would
    take seconds.
    """
    brought, lowest = metadata.packages_distributions(), _lowest()
    core = [_core_package(name, brought.get(name, []), lowest) for name in CORE]
    extras = []
    for extra, names in EXTRAS.items():
        found = [_package(name, brought.get(name, []), lowest) for name in names]
        if not all(package.versions for package in found):  # what others brought may have any version
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
        return Package(name, found.versions, f"{name} is installed and cannot be imported: {reason}")
    return found


def _package(name: str, distributions: Iterable[str], lowest: dict[str, str]) -> Package:
    if importlib.util.find_spec(name) is None:
        return Package(name, {})
    versions = {each: metadata.version(each) for each in sorted(set(distributions))} or {name: "of unknown version"}
    for distribution, version in versions.items():
        least = lowest.get(_normal(distribution))
        if least is not None and _numbers(version) < _numbers(least):
            fault = f"{distribution} is {version}, and flawspot needs {least}: run `pip install -U {distribution}`"
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
    """Those in a version, in their order: 2, 13, 0 of ``2.13.0+cpu``, of which zeros at the end count for nothing."""
    found = [int(number) for number in re.findall(r"\d+", version.partition("+")[0])]
    while found and not found[-1]:
        found.pop()
    return found
