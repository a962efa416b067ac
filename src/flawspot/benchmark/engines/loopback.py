"""A Ray cluster that is started here for this machine alone keeps to it.

By itself Ray does two things more. It listens on every address of the machine, where whoever reaches a port may run
what he likes. And its usage statistics ask the metadata services of three clouds where they are, even where they are
switched off. The environment that its processes inherit has ways to do without both.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from ray._private import ray_constants

from flawspot.telemetry import OFF

_NOBODY = "http://127.0.0.1:9"
"""A proxy that there is not: port 9 discards what it is told, where anybody is there at all."""
_USAGE, _CLUSTER = "RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_PROXIED = {"http_proxy": _NOBODY, "HTTP_PROXY": _NOBODY, "no_proxy": "localhost", "NO_PROXY": "localhost"}


@contextlib.contextmanager
def this_machine_alone() -> Iterator[None]:
    """For the length of a ``with`` block in which a cluster is started: what runs in it goes on as it began.

    Where the user has asked for the usage statistics, they are left to ask.
    """
    wanted = {_CLUSTER: "0", **(_PROXIED if os.environ.get(_USAGE) == OFF[_USAGE] else {})}
    before = {name: os.environ.get(name) for name in wanted}
    # The variable has been read when Ray was imported, which may have been long ago.
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
