"""Runs all checks, as lines for people and as an object for programs."""

from __future__ import annotations

import dataclasses
import os
import platform
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from flawspot.diagnosis.computing import Runtime, Tried, try_artifact, try_runtime
from flawspot.diagnosis.packages import Extra, Package, packages
from flawspot.diagnosis.places import Place, homely, places
from flawspot.telemetry import OFF

_OURS = "FLAWSPOT_"
_OTHERS = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
"""Variables that affect flawspot, besides its own."""


@dataclass(frozen=True)
class Diagnosis:
    """The results of all checks. The user's home folder is ``~`` in all texts.

    Attributes:
        flawspot: its version, and its folder.
        python: version, implementation, bits, and path.
        system: the platform's name, and the number of cores.
        core: the packages that the runtime needs.
        extras: the extras of flawspot.
        runtime: ONNX Runtime.
        places: the caches and folders.
        variables: environment variables that affect flawspot.
        telemetry: for each library with telemetry, whether it is switched off.
        tried: the self-tests.
    """

    flawspot: str
    python: str
    system: str
    core: list[Package]
    extras: list[Extra]
    runtime: Runtime
    places: list[Place]
    variables: dict[str, str]
    telemetry: dict[str, bool]
    tried: list[Tried]

    @property
    def faults(self) -> list[str]:
        """The faults, one line each."""
        every = [*self.core, *(package for extra in self.extras for package in extra.packages)]
        return [
            *(package.fault for package in every if package.fault is not None),
            *(f"{place.name}: {place.fault}" for place in self.places if place.fault is not None and place.needed),
            *(f"{homely(tried.name)} {homely(tried.result)}" for tried in self.tried if tried.passed is False),
        ]

    def rows(self) -> Iterator[tuple[str, str]]:
        """Names and values, one line each."""
        yield "flawspot", self.flawspot
        yield "python", self.python
        yield "system", self.system
        yield "running half", ", ".join(map(str, self.core))
        for extra in self.extras:
            yield f"extra {extra.name}", str(extra)
        yield "ONNX Runtime", str(self.runtime)
        for place in self.places:
            yield place.name, str(place)
        shown = " ".join(f"{name}={value}" for name, value in self.variables.items())
        yield "variables", shown or "none"
        kept = [f"{name}={os.environ.get(name)}" for name, off in self.telemetry.items() if not off]
        yield "telemetry", f"not switched off, because you have set {', '.join(kept)}" if kept else "off"
        for tried in self.tried:
            yield homely(tried.name), homely(str(tried))

    def as_dict(self) -> dict[str, Any]:
        """The results as plain dicts and lists for JSON."""
        data = dataclasses.asdict(self)
        data["extras"] = [{"installed": extra.is_here, **dataclasses.asdict(extra)} for extra in self.extras]
        data["tried"] = [
            {**dataclasses.asdict(tried), "name": homely(tried.name), "result": homely(tried.result)}
            for tried in self.tried
        ]
        return {**data, "faults": self.faults}


def diagnose(artifact: Path | None = None) -> Diagnosis:
    """Run all checks. Nothing is fetched, sent, or left behind.

    Args:
        artifact: an artifact whose self-test is run too.
    """
    core, extras = packages()
    runtime, tried = try_runtime()
    return Diagnosis(
        flawspot=_flawspot(),
        python=_python(),
        system=f"{platform.platform()}, {platform.machine()}, {_cores()} cores",
        core=core,
        extras=extras,
        runtime=runtime,
        places=places(),
        variables=_variables(),
        telemetry={name: os.environ.get(name) == value for name, value in OFF.items()},
        tried=[tried, *([] if artifact is None or runtime.used is None else [try_artifact(artifact)])],
    )


def _flawspot() -> str:
    try:
        version = metadata.version("flawspot")
    except metadata.PackageNotFoundError:
        version = "of unknown version, not installed"
    return f"{version}, in {homely(str(Path(__file__).resolve().parents[1]))}"


def _python() -> str:
    bits = 8 * struct.calcsize("P")
    implementation = platform.python_implementation()
    return f"{platform.python_version()}, {implementation}, {bits} bits, {homely(sys.executable)}"


def _cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _variables() -> dict[str, str]:
    names = sorted(name for name in os.environ if name.startswith(_OURS))
    return {name: homely(os.environ[name]) for name in (*names, *_OTHERS) if name in os.environ}
