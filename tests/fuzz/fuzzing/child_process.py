"""The parent's side of `fuzzing.child`: cases go in, outcomes come out, and a child that dies is told from why."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import flawspot
from flawspot.runtime import arena
from fuzzing.limits import ARENA_MEGABYTES, CPU_SECONDS, MEMORY, OWN_MEMORY, WALL_SECONDS, Outcome

_ROOT = Path(__file__).parents[1]


class Child:
    """A process that tries cases; started when first needed, and again after it died. For a ``with`` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._printed: Any = None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def tried(self, target: str, data: bytes, detector: Path) -> Outcome:
        """What comes of `data`."""
        path = self._folder / "case"
        path.write_bytes(data)
        return self.tried_file(target, path, detector)

    def tried_file(self, target: str, path: Path, detector: Path) -> Outcome:
        """What comes of the file at `path`."""
        fresh = self._process is None
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        said = self._printed.seek(0, os.SEEK_END)
        hangs = threading.Event()
        timer = threading.Timer(WALL_SECONDS, lambda: (hangs.set(), process.kill()))
        timer.start()
        answer = ""
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"target": target, "path": str(path), "detector": str(detector)}) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        timer.cancel()
        self._printed.seek(said)
        printed = self._printed.read().decode(errors="replace").strip()
        if not answer:
            return self._death(hangs.is_set(), printed)
        outcome = Outcome(**json.loads(answer))
        if outcome.before > OWN_MEMORY and not fresh:
            self._end()
            return self.tried_file(target, path, detector)
        return _judged(outcome, printed)

    def _start(self) -> subprocess.Popen[str]:
        self._printed = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  (closed with the process)
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        paths = os.pathsep.join([str(Path(flawspot.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        warnings = [f"-Walways::{category}" for category in ("UserWarning", "RuntimeWarning")]
        self._process = subprocess.Popen(
            [sys.executable, *warnings, str(_ROOT), "--child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            text=True,
            env={**os.environ, **threads, "PYTHONPATH": paths, arena.MEMORY: str(ARENA_MEGABYTES)},
        )
        return self._process

    def _death(self, hangs: bool, printed: str) -> Outcome:
        assert self._process is not None
        code = self._process.wait()
        self._end()
        if hangs:
            return Outcome("hang", f"no answer within {WALL_SECONDS} s")
        if code < 0:
            name = signal.Signals(-code).name
            what = "too slow" if name == "SIGXCPU" else "crash"
            return Outcome(what, f"{name} {printed[-300:]}", cpu=CPU_SECONDS if what == "too slow" else 0)
        return Outcome("crash", f"exit status {code} {printed[-300:]}")

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout, self._printed):
                with contextlib.suppress(OSError):
                    stream.close()
        self._process = None


def _judged(outcome: Outcome, printed: str) -> Outcome:
    """With the limits and what was printed looked at."""
    what, detail = outcome.what, outcome.detail
    if not outcome.is_failure:
        if printed:
            what, detail = "printed", ascii(printed)[:500]
        elif outcome.cpu > CPU_SECONDS:
            what, detail = "too slow", f"{outcome.cpu:.1f} s, {outcome.what}: {detail[:200]}"
        elif outcome.megabytes > MEMORY:
            what, detail = "too much memory", f"{outcome.megabytes:.0f} MB, {outcome.what}: {detail[:200]}"
    return Outcome(what, detail, outcome.cpu, outcome.megabytes)
