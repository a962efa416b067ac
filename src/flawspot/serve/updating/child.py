"""An update in a separate process, so that the line goes on. It is slow and bounded, and ends with its station.

    python -P -m flawspot.serve.updating.child '{"artifact": ..., "state": ..., "photographs": ..., "output": ...,
                                                 "seed": 0, "megabytes": 4096}'

It reports by lines of JSON on standard output: ``{"step": ..., "done": ..., "of": ...}`` now and then, and at its end
``{"report": ...}`` or ``{"error": ...}``. It exits as soon as its standard input is closed, which happens when the
station ends, in whatever way.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, TypeVar

from flawspot.errors import FlawspotError
from flawspot.progress import length_of

T = TypeVar("T")
_BETWEEN = 0.2
"""Seconds between two lines of progress."""


class Telling:
    """A `flawspot.progress.Progress` that writes lines of JSON."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self._told = file, 0.0

    def tell(self, content: dict[str, Any]) -> None:
        """Write a line."""
        self._file.write(json.dumps(content) + "\n")
        self._file.flush()

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        """See `flawspot.progress.Progress`."""
        total = length_of(items) if total is None else total
        for done, item in enumerate(items):
            if time.monotonic() - self._told >= _BETWEEN:
                self._told = time.monotonic()
                self.tell({"step": description, "done": done, "of": total})
            yield item

    def step(self, description: str) -> AbstractContextManager[None]:
        """See `flawspot.progress.Progress`."""
        self.tell({"step": description, "done": None, "of": None})
        return nullcontext()

    def note(self, message: str) -> None:
        """Ignored: notes on single photographs are in the report."""


def main(given: str, file: IO[str]) -> None:
    """Make the update that `given` describes, and report it."""
    asked, telling = json.loads(given), Telling(file)
    try:
        _behave(int(asked["megabytes"]))
        from flawspot.updating import update  # late, because its packages read the number of cores when imported

        made = update(
            asked["artifact"],
            asked["photographs"],
            state=asked["state"],
            output=asked["output"],
            seed=asked["seed"],
            progress=telling,
        )
        telling.tell({"report": made.report.as_dict()})
    except FlawspotError as error:
        telling.tell({"error": str(error)})
    except MemoryError:
        telling.tell({"error": f"it needs more than {asked['megabytes']} MB of memory: ask for fewer pictures"})
    except Exception as error:
        telling.tell({"error": f"flawspot failed on it ({type(error).__name__}: {str(error)[:300]})"})


def _behave(megabytes: int) -> None:
    """Leave the machine to others: low priority, half of the cores, and the first process to be killed if memory is
    short.

    Settings that the system does not support are skipped.
    """
    with contextlib.suppress(AttributeError, OSError):
        os.nice(19)
    if sys.platform == "linux":
        import resource

        cores = sorted(os.sched_getaffinity(0))
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, cores[-max(len(cores) // 2, 1) :])
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, (megabytes * 10**6, megabytes * 10**6))
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")


def _end_with_the_station() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_station, daemon=True).start()
    # Other output must not mix with the lines that the station reads.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as lines:
        os.dup2(2, 1)
        main(sys.argv[1], lines)
