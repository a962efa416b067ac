"""The process of an update as seen by the station: it is started, read, and always ended."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawspot.errors import ConfigurationError, FlawspotError
from flawspot.runtime.session import THREADS
from flawspot.texts import visible

_MODULE = "flawspot.serve.updating.child"
_LOG = "stderr.txt"
_POOLS = (THREADS, "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Bounds:
    """How much of the machine an update may use while the line runs.

    Attributes:
        seconds: seconds after which it is ended.
        megabytes: memory in MB (10^6 bytes), on systems that can enforce it (Linux).
    """

    seconds: float = 3600.0
    megabytes: int = 2500

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < 1e9:
                raise ConfigurationError(f"updates: {name} is {value}: give a number above 0")


class Process:
    """One update; see `flawspot.serve.updating.child`."""

    def __init__(self, asked: dict[str, Any], folder: Path, bounds: Bounds) -> None:
        """Start it.

        Args:
            asked: the input of the child, without its memory limit.
            folder: folder for its error messages.
            bounds: its limits.

        Raises:
            FlawspotError: the process cannot be started.
        """
        self._bounds, self._log = bounds, folder / _LOG
        self._late = False
        # As many threads as the cores that it may use.
        environment = os.environ | dict.fromkeys(_POOLS, str(max((os.cpu_count() or 1) // 2, 1)))
        # -P keeps the working folder, where others may write, out of the module search path.
        command = [sys.executable, "-P", "-m", _MODULE, json.dumps({**asked, "megabytes": bounds.megabytes})]
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    **_apart(),
                )
        except OSError as error:
            raise FlawspotError(
                f"the update cannot be started: {error.strerror or error}; free memory or disk"
            ) from error
        self._timer = threading.Timer(bounds.seconds, self._be_late)
        self._timer.daemon = True
        self._timer.start()

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield the lines of the process until its end.

        Raises:
            FlawspotError: it ended without a last line of its own, or took too long.
        """
        told: dict[str, Any] = {}
        assert self._process.stdout is not None  # it is a pipe
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    told = found
                    yield told
        code = self._process.wait()
        if "report" not in told and "error" not in told:
            raise FlawspotError(self._reason(code))

    def kill(self) -> None:
        """End the process if it still runs. Any thread may call this."""
        with contextlib.suppress(OSError):
            self._process.kill()

    def end(self) -> None:
        """End the process and release it. Only the listening thread calls this."""
        self._timer.cancel()
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _be_late(self) -> None:
        self._late = True
        self.kill()

    def _reason(self, code: int) -> str:
        if self._late:
            return (
                f"it was ended after {self._bounds.seconds:g} s: ask for fewer pictures, or update on another machine"
            )
        if code < 0:
            return (
                f"its process was ended from outside (signal {-code}), perhaps because memory was short: ask for fewer "
                "pictures, or update on another machine"
            )
        last = ""
        with contextlib.suppress(OSError):
            last = next(reversed(self._log.read_text("utf-8", "replace").strip().splitlines()), "")
        return visible(f"its process ended with code {code} ({last[:300]}): update on another machine")


def _apart() -> dict[str, Any]:
    """Options so that Ctrl-C at the terminal reaches only the station, which ends the update itself."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS}
    return {"process_group": 0}
