"""Time and package versions for manifests and the records of a benchmark."""

from __future__ import annotations

import datetime
import platform
from importlib import metadata

PACKAGES = ("flawspot", "torch", "onnx", "onnxruntime", "numpy", "pillow")
"""The libraries that a detector's figures depend on."""


def now(timespec: str = "milliseconds") -> str:
    """The time in UTC as ISO 8601. `timespec` is as for `datetime.datetime.isoformat`."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec=timespec)


def versions() -> dict[str, str]:
    """Versions of Python and of `PACKAGES`; the training half must be installed."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}}
