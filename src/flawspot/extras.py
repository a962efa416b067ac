"""Which extra installs which optional package, and the message for a user who lacks one."""

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
"""The packages of each extra, by the names that are imported."""


def missing_package(error: ModuleNotFoundError, what: str) -> MissingPackageError | None:
    """The message for the user instead of `error`; None if it is not about an optional package.

    Args:
        error: the error raised by ``import``.
        what: the subject that needs the package, such as ``this command``; it begins the sentence.
    """
    package, dot, _ = (error.name or "").partition(".")
    for extra, packages in EXTRAS.items():
        if package not in packages:
            continue
        if dot and importlib.util.find_spec(package) is not None:
            told = f"another {package}, this one has no {error.name}: run `pip install -U {package}`"
        else:
            told = f"{package}, which is not installed: {_how_to_install(extra)}"
        return MissingPackageError(f"{what} needs {told}", name=package)
    return None


def import_module(name: str, what: str) -> ModuleType:
    """Import a module of flawspot.

    Raises:
        MissingPackageError: an optional package is missing; the message names its extra.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise missing_package(error, what) or error from None


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A ``__getattr__`` for one of flawspot's packages that imports its classes when they are first used.

    Args:
        package: the package's name.
        homes: for each class, the module of the package that defines it.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return get


def require(package: str, what: str) -> None:
    """Check that an optional package is installed, where its absence would otherwise show late or unclearly.

    Raises:
        MissingPackageError: it is not installed; the message names its extra.
    """
    if importlib.util.find_spec(package) is None:
        error = ModuleNotFoundError(f"No module named {package!r}", name=package)
        raise missing_package(error, what) or error


def install_command(extra: str) -> str:
    """The command that installs `extra`: from the folder if flawspot runs from its sources, else by name.

    By name, pip takes the extra's requirements from the installed flawspot, wherever it came from.
    """
    folder = _sources()
    return f"pip install -e {shlex.quote(f'{folder}[{extra}]')}" if folder else f"pip install 'flawspot[{extra}]'"


def _how_to_install(extra: str) -> str:
    """Both ways where flawspot was installed by name: pip may find the name in no index, but the copy is at hand."""
    if _sources() is not None:
        return f"run `{install_command(extra)}`"
    copy = f"in a copy of flawspot's repository `pip install -c constraints.txt '.[{extra}]'`"
    return f"run `{install_command(extra)}`, or {copy}"


def _sources() -> Path | None:
    """The source checkout that contains this file, if any."""
    source, folder = Path(__file__).resolve().parents[1:3]
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        return None
    return folder if source.name == "src" and project.get("name") == "flawspot" else None
