"""The process that works on a run, and whether it is still alive."""

from __future__ import annotations

import os
import platform
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

STALE_SECONDS = 120.0
"""Seconds without a heartbeat after which an owner on another host counts as dead."""
HEARTBEAT_SECONDS = 10.0
_SAME_START = 30.0
"""Seconds by which two readings of one process's start may differ, because clocks are corrected in between."""


@dataclass(frozen=True)
class Owner:
    """A process that claims runs.

    Attributes:
        host: the scope of process numbers: the machine since its last start, and the container in it.
        pid: process number on that host.
        started: start of the process, in seconds since 1970. Numbers are reused; a number with its start is unique.
        token: random text. Only its holder may finish or release the owner's claims.
    """

    host: str
    pid: int
    started: float
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    def is_alive(self, heard: float, here: str) -> bool:
        """Whether the owner is still working.

        Args:
            heard: its last heartbeat, in seconds since 1970.
            here: `host_name` of the caller. On the same host the process itself is checked, otherwise the heartbeat.
        """
        if self.host != here:
            return time.time() - heard < STALE_SECONDS
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _SAME_START
            return bool(same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True


def this_process() -> Owner:
    """An owner for this process."""
    return Owner(host_name(), os.getpid(), psutil.Process().create_time())


def host_name() -> str:
    """A name for this machine since its last start, and for this container, which has its own process numbers."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    try:
        return f"{platform.node()} {boot.read_text().strip()} {space.stat().st_ino}"
    except OSError:  # not Linux, so there are no such containers
        return f"{platform.node()} {int(psutil.boot_time()) // 60}"
