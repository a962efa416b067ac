"""Bounds how long the threads of torch wait at full load for their next work.

A layer of a small network takes a fraction of a millisecond. Between two layers GNU's OpenMP, which torch uses on
Linux, lets its threads spin for milliseconds. On a machine whose cores have other work they then take the time of the
thread that they wait for. On two busy cores, training with two threads then has no epoch in 40 seconds, and with
bounded waiting one in three seconds (``docs/performance.md``).
"""

from __future__ import annotations

import os

VARIABLE, SPINS = "GOMP_SPINCOUNT", "1000"
_POLICY = "OMP_WAIT_POLICY"


def bounded() -> dict[str, str]:
    """The variable to set for a process that is about to import torch; none if the user has set how to wait."""
    return {} if {VARIABLE, _POLICY} & os.environ.keys() else {VARIABLE: SPINS}
