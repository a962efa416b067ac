"""Other work on the machine, beside which something is timed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_BUSY = "while True: pass"


@contextmanager
def other_work(count: int = 1) -> Iterator[None]:
    """Meanwhile `count` processes each take what they can get of one core."""
    busy = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()
