"""A worker: a process of its own that works on one run after another, and dies with the one that started it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

from flawspot.benchmark.record import Record
from flawspot.benchmark.store import StoreError
from flawspot.benchmark.task import Task
from flawspot.spinning import bounded

Work = Callable[[Task], Record]
# Read by ONNX Runtime's sessions here, torch (OpenMP), numpy's matrix products, numba, and those of macOS.
THREAD_VARIABLES = (
    "FLAWSPOT_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_SPAWN = multiprocessing.get_context("spawn")


class Worker:
    """The worker as its starter sees it.

    Attributes:
        task: that it works on; None while it is idle.
        last: the task before; None for a fresh one.
        connection: becomes ready when a record has come, or when the process is gone.
    """

    def __init__(self, work: Work, threads: int) -> None:
        self.task: Task | None = None
        self.last: Task | None = None
        self.connection, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs, work), name="flawspot-worker")
        with _environment(threads), _deaf_to_ctrl_c():
            self._process.start()
        theirs.close()  # so that this end reads its end when the process is gone

    def begin(self, task: Task) -> None:
        """Hand a run over. Should the process be gone, `receive` will tell."""
        self.task = task
        with contextlib.suppress(OSError):
            self.connection.send(task)

    def receive(self) -> Record | StoreError | None:
        """The result of `attempt`, or None if the process has died instead."""
        try:
            result: Record | StoreError = self.connection.recv()
        except (EOFError, OSError):
            return None
        self.task, self.last = None, self.task
        return result

    def why_dead(self) -> str:
        """How the process ended, in words."""
        self._process.join(timeout=5)
        code = self._process.exitcode
        if code is not None and code < 0:
            hint = ", as the system does when memory runs out" if -code == getattr(signal, "SIGKILL", 9) else ""
            return f"its process was ended by signal {-code}{hint}"
        return f"its process ended by itself with code {code}"

    def end(self) -> None:
        """Stop the process, whatever it does."""
        with contextlib.suppress(OSError):
            self.connection.close()
        if self.task is None:
            self._process.join(timeout=2)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(timeout=2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def attempt(work: Work, task: Task) -> Record | StoreError:
    """Do a run. Returns its record, or the reason why no run can be stored any more."""
    try:
        return work(task)
    except StoreError as error:
        return error


def _serve(connection: Connection, work: Work) -> None:
    """The loop of the process."""
    # Ctrl-C reaches every process of a terminal; the starter decides what is to happen.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_die_with_the_starter, daemon=True).start()
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(attempt(work, task))


def _die_with_the_starter() -> None:
    starter = multiprocessing.parent_process()
    if starter is not None:
        starter.join()
        os._exit(1)


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """A process started meanwhile does not hear Ctrl-C until it can ignore it, so that it prints no traceback."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # which would let the signal through again, were it started by the process below
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextlib.contextmanager
def _environment(threads: int) -> Iterator[None]:
    """Environment variables that a process started meanwhile inherits: its threads, and that libraries warn nobody."""
    given = dict.fromkeys(THREAD_VARIABLES, str(threads)) | bounded()
    given.setdefault("PYTHONWARNINGS", os.environ.get("PYTHONWARNINGS", "ignore"))
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
