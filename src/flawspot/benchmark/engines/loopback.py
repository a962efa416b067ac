"""Restricts a Ray cluster that is started here to this machine.

By default Ray does two more things. It listens on every address of the machine, where anyone who reaches a port may run
code. And its usage statistics query the metadata services of three clouds, even if they are switched off. Environment
variables of its processes prevent both.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from ray._private import ray_constants

from flawspot.telemetry import OFF

_NOBODY = "http://127.0.0.1:9"
"""A proxy that does not exist. Port 9 discards everything, if anything listens there at all."""
_USAGE, _CLUSTER = "RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_PROXIED = {"http_proxy": _NOBODY, "HTTP_PROXY": _NOBODY, "no_proxy": "localhost", "NO_PROXY": "localhost"}


@contextlib.contextmanager
def this_machine_alone() -> Iterator[None]:
    """Set the environment during a ``with`` block in which a cluster is started. The cluster keeps it afterwards.

    If the user has switched the usage statistics on, they stay on.
    """
    wanted = {_CLUSTER: "0", **(_PROXIED if os.environ.get(_USAGE) == OFF[_USAGE] else {})}
    before = {name: os.environ.get(name) for name in wanted}
    # Ray read the variable when it was imported, which may have been long ago.
    can_cluster = getattr(ray_constants, "ENABLE_RAY_CLUSTER", None)
    os.environ.update(wanted)
    try:
        if can_cluster is not None:
            ray_constants.ENABLE_RAY_CLUSTER = False
        yield
    finally:
        if can_cluster is not None:
            ray_constants.ENABLE_RAY_CLUSTER = can_cluster
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
