"""The child process: it takes one case after the other from its parent, and says how each ended.

A line of JSON comes in for each case, ``{"target", "path", "detector"}``, and one goes out, on a descriptor of its own:
standard output and error belong to the code that is tried, and whatever stands there is a failure.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from flawspot.errors import FlawspotError
from fuzzing.limits import ADDRESS_SPACE, CPU_SECONDS
from fuzzing.targets import TARGETS, NotFiniteError


def main(answers: int) -> None:
    """Serve until standard input ends; `answers` is the descriptor to answer on."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        _limit_address_space()
    with os.fdopen(answers, "w") as out:
        for line in sys.stdin:
            case = json.loads(line)
            out.write(json.dumps(_tried(case)) + "\n")
            out.flush()


def _tried(case: dict[str, str]) -> dict[str, object]:
    gc.collect()
    _forget_peak()
    before = _megabytes("VmRSS")
    begin = time.process_time()
    what, detail = "accepted", ""
    try:
        with _processor_time_limited():
            TARGETS[case["target"]](Path(case["path"]), case.get("detector", ""))
    except NotFiniteError as error:
        what, detail = "not finite", str(error)
    except FlawspotError as error:
        what, detail = "refused", str(error)
        if not detail or "\n" in detail or not detail.isprintable() or len(detail) > 3000:
            what, detail = "message", ascii(detail)[:500]
    except BaseException as error:
        where = _innermost(error)
        what, detail = "foreign exception", f"{type(error).__name__} at {where}: {ascii(str(error))[:300]}"
    sys.stdout.flush()
    sys.stderr.flush()
    cpu = time.process_time() - begin
    return {"what": what, "detail": detail, "cpu": cpu, "megabytes": _megabytes("VmHWM"), "before": before}


def _innermost(error: BaseException) -> str:
    """The last line of flawspot's own in the traceback."""
    trace, found = error.__traceback__, "?"
    while trace is not None:
        code = trace.tb_frame.f_code
        if "flawspot" in code.co_filename:
            found = f"{Path(code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _limit_address_space() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextlib.contextmanager
def _processor_time_limited() -> Iterator[None]:
    """The system ends the process a little beyond the limit; what is between is told by the clock."""
    try:
        import resource
    except ImportError:
        yield
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + CPU_SECONDS + 2
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _megabytes(name: str) -> float:
    """Million bytes that the system tells under `name`; 0 where it does not."""
    with contextlib.suppress(OSError), _status() as lines:
        for line in lines:
            if line.startswith(name):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def _status() -> IO[str]:
    return Path("/proc/self/status").open(encoding="ascii", errors="replace")
