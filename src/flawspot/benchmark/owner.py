"""Who works on a run, and whether they are still alive."""

from __future__ import annotations

import os
import platform
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

STALE_SECONDS = 120.0
"""An owner elsewhere that has not been heard of for so long is taken for dead."""
HEARTBEAT_SECONDS = 10.0
_SAME_START = 30.0
"""Seconds by which two readings of one process's start may differ, for clocks are set right meanwhile."""


@dataclass(frozen=True)
class Owner:
    """A process that claims runs.

    Attributes:
        host: where process numbers mean the same: the machine since its start, and in it the container.
        pid: its number there.
        started: when it was started, in seconds since 1970: a number is used again, a number with a start is not.
        token: a random one; only who has it may finish or release its claims.
    """

    host: str
    pid: int
    started: float
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    def is_alive(self, heard: float, here: str) -> bool:
        """Whether the owner still works.

        Args:
            heard: its last heartbeat, in seconds since 1970.
            here: `host_name` of who asks. On the same host the process itself is looked at; elsewhere the heartbeat.
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
    """The owner that this process is."""
    return Owner(host_name(), os.getpid(), psutil.Process().create_time())


def host_name() -> str:
    """Names this machine since its last start, and this container in it, where process numbers are its own."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    try:
        return f"{platform.node()} {boot.read_text().strip()} {space.stat().st_ino}"
    except OSError:  # not Linux; there are no such containers there
        return f"{platform.node()} {int(psutil.boot_time()) // 60}"
