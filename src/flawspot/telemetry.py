"""Switches off the telemetry of libraries before any of them is imported.

ONNX Runtime from 1.29 on sends events over HTTPS on every system by default, and keeps a device id and a database in
the user's folder of caches; Ray sends usage statistics. Both read an environment variable, which child processes
inherit. A value that the user has set stays, whatever it says.
"""

from __future__ import annotations

import os
from typing import Any

OFF = {"ORT_DISABLE_TELEMETRY": "1", "RAY_USAGE_STATS_ENABLED": "0"}

_ours: set[str] = set()


def switch_off() -> None:
    """Set what is not set; `import flawspot` does it first of all."""
    for name, value in OFF.items():
        if name not in os.environ:
            os.environ[name] = value
            _ours.add(name)


def hush(onnxruntime: Any) -> None:
    """For a host program that had imported ONNX Runtime before flawspot, too early for the variable.

    Its start has been told by then, and later events are not. Where the user has set the variable, nothing is done.
    """
    if "ORT_DISABLE_TELEMETRY" in _ours and hasattr(onnxruntime, "disable_telemetry_events"):
        onnxruntime.disable_telemetry_events()
