"""Which extra brings which optional package, and what a user who lacks one is told."""

from __future__ import annotations

import importlib
import importlib.util
import shlex
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from flawspot.errors import MissingPackageError

EXTRAS = {
    "train": ("torch", "onnx", "onnxscript", "numba", "platformdirs"),
    "benchmark": ("yaml", "psutil", "pandas", "pyarrow", "matplotlib", "jinja2", "markupsafe"),
    "ray": ("ray",),
    "sign": ("cryptography",),
    "video": ("cv2",),
    "serve": ("starlette", "uvicorn", "python_multipart", "watchfiles", "prometheus_client"),
    "mqtt": ("paho",),
    "sklearn": ("sklearn",),
    "tflite": ("tflite_micro", "flatbuffers"),
}
"""What is installed with which extra, by the names that are imported."""


def missing_package(error: ModuleNotFoundError, what: str) -> MissingPackageError | None:
    """What to tell the user instead of `error`, or None where it speaks of no optional package.

    Args:
        error: as raised by ``import``.
        what: needs the package, such as ``this command``; begins the sentence.
    """
    package, dot, _ = (error.name or "").partition(".")
    for extra, packages in EXTRAS.items():
        if package not in packages:
            continue
        if dot and importlib.util.find_spec(package) is not None:
            told = f"another {package}, this one has no {error.name}: run `pip install -U {package}`"
        else:
            told = f"{package}, which is not installed: run `{install_command(extra)}`"
        return MissingPackageError(f"{what} needs {told}", name=package)
    return None


def import_module(name: str, what: str) -> ModuleType:
    """Import a module of flawspot's own.

    Raises:
        MissingPackageError: it needs an optional package that is not here; names the extra.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise missing_package(error, what) or error from None


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package of flawspot's own that imports its classes when they are first used.

    Args:
        package: its name.
        homes: with each class the module of the package that it is in.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return get


def require(package: str, what: str) -> None:
    """See that an optional package is here, where its absence would show late or in others' words.

    Raises:
        MissingPackageError: it is not; names the extra.
    """
    if importlib.util.find_spec(package) is None:
        error = ModuleNotFoundError(f"No module named {package!r}", name=package)
        raise missing_package(error, what) or error


def install_command(extra: str) -> str:
    """What installs `extra` here: by the folder where flawspot runs from its sources, else by name.

    By name pip takes the extra's packages from what flawspot is installed already, wherever that came from.
    """
    folder = _sources()
    return f"pip install -e {shlex.quote(f'{folder}[{extra}]')}" if folder else f"pip install 'flawspot[{extra}]'"


def _sources() -> Path | None:
    """The checkout that this very file lies in, if it does."""
    source, folder = Path(__file__).resolve().parents[1:3]
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        return None
    return folder if source.name == "src" and project.get("name") == "flawspot" else None
