"""A process that answers requests: JSON lines in on standard input, one JSON line out for each on standard output.

Only the standard library, for the other side's environment has nothing of ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def serve(answer: Answer) -> None:
    """Answer until standard input ends; what an answer raises is told and the next request is awaited.

    What libraries print goes to standard error, or it would lie among the answers.
    """
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        for line in sys.stdin:
            try:
                answered = answer(json.loads(line))
            except Exception as error:
                answered = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:500]}
            out.write(json.dumps(answered) + "\n")
            out.flush()


class SideError(Exception):
    """A side could not be started, failed, or ended; one line."""


class Side:
    """A process that serves, seen from outside. Ends with its `with` block.

    Args:
        name: for messages.
        command: starts it.
        environment: in the place of this process's own.
        log: a file that its standard error is added to.
    """

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name, self._log = name, log
        with log.open("ab") as errors:
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    encoding="utf-8",
                    env=dict(environment),
                )
            except OSError as error:
                raise SideError(f"{name} cannot be started: {command[0]}: {error.strerror or error}") from None

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What it answers to `request`.

        Raises:
            SideError: it tells an error, or is gone.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise SideError(f"{self.name} ended in the middle of its work: see the end of {self._log}")
        answered: dict[str, Any] = json.loads(line)
        if "error" in answered:
            raise SideError(f"{self.name} failed: {answered['error']}; see {self._log}")
        return answered

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        if kind is not None:
            self._process.kill()  # it may be in the middle of hours of work
        with contextlib.suppress(OSError):  # it is gone already, and what was left to be written with it
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
