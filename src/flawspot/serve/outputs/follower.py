"""The common part of all outputs: follow the record from a saved position, retry, and report their state."""

from __future__ import annotations

import contextlib
import json
import random
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from flawspot.errors import ConfigurationError, FlawspotError
from flawspot.files import write_bytes
from flawspot.serve.anchor import Anchor, read_anchor
from flawspot.serve.chain import GENESIS, Row
from flawspot.serve.record import Record
from flawspot.texts import visible

SENT = ("result", "word")
"""Kinds of rows that are sent."""
FOLDER = "outputs"
"""Name of the folder of positions, in the folder of a station."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_ROWS = 100
_LOOK_SECONDS = 0.1
"""Seconds between two looks into the record if nothing signals a new row."""
_SAVE_SECONDS = 1.0
"""Seconds after which the position is saved within a backlog. It is always saved after the last row."""
_NOTHING = Anchor(0, GENESIS)
"""The position before the first row."""
_FIRST_DELAY, LONGEST_DELAY = 0.5, 60.0


class DeliveryError(FlawspotError):
    """A row was not accepted. It is sent again."""


@dataclass(frozen=True)
class State:
    """The state of an output, for people.

    Attributes:
        name: of the output.
        position: number of the last finished row: accepted, or of a kind that is not sent.
        delivered: rows accepted since the station started.
        waiting: rows of the record after the position.
        error: why the last attempt failed, in one line; None after a success.
        failures: failed attempts since the last success.
        running: whether the thread is alive.
    """

    name: str
    position: int
    delivered: int
    waiting: int
    error: str | None
    failures: int
    running: bool


def delays(generator: random.Random) -> Iterator[float]:
    """Yield the seconds before each further attempt. They double each time, up to `LONGEST_DELAY`. At least half of
    each is waited, and the rest is random, so that many senders do not come back at once."""
    longest = _FIRST_DELAY
    while True:
        yield longest * generator.uniform(0.5, 1.0)
        longest = min(2 * longest, LONGEST_DELAY)


class Follower(ABC):
    """An output. `start` begins, `nudge` announces a new row, `stop` ends. Rows that were not sent wait in the record.

    Subclasses say how one row is sent. All their methods are called by this one thread.

    Attributes:
        stopping: set when the thread should end. A waiting `send` checks it.
    """

    def __init__(self, record: Record, name: str, *, after: int | None = None, seed: int = 0) -> None:
        """Follow from the record's present end if the output is new, otherwise from its saved position.

        Args:
            record: the record to follow. Its folder holds the position.
            name: name of the output and of its position file: letters, digits, ``-`` and ``_``.
            after: the row number after which a new output begins; 0 sends the whole record.
            seed: seed of the random delays.

        Raises:
            ConfigurationError: the name is not valid, or there is no such row.
            RecordError: the position file is damaged or belongs to another record.
            FlawspotError: the position file cannot be written.
        """
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"{name!r} cannot name an output: give up to 60 letters, digits, - and _")
        self._thread = threading.Thread(target=self._run, name=f"flawspot output {name}", daemon=True)
        self.stopping = threading.Event()
        self._record, self._output = record, name
        self._new = threading.Event()
        self._path = record.path.parent / FOLDER / f"{name}.position"
        self._generator = random.Random(seed)
        self._delivered = self._failures = 0
        self._error: str | None = None
        self._saved_at = 0.0
        self._unsaved: Anchor | None = None
        self._position = self._begin(after)

    @abstractmethod
    def send(self, row: Row) -> None:
        """Send one row, and return when it was accepted.

        Raises:
            DeliveryError: it was not accepted, or this is unknown. Any other exception counts as the same.
        """

    def tend(self) -> None:
        """Keep a connection alive. Called often, even if there is nothing to send.

        Raises:
            DeliveryError: there is no connection.
        """
        return

    def leave(self) -> None:
        """Close a connection. Called at the end and after every failure."""
        return

    @property
    def state(self) -> State:
        """The present state."""
        last = self._record.last
        waiting = max(0, (0 if last is None else last.number) - self._position)
        return State(
            self._output, self._position, self._delivered, waiting, self._error, self._failures, self._thread.is_alive()
        )

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def nudge(self) -> None:
        """Announce a new row. Called by any thread; never waits."""
        self._new.set()

    def stop(self, seconds: float = 5.0) -> bool:
        """End the thread. False if it still waits after `seconds`."""
        self.stopping.set()
        self._new.set()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        waits = delays(self._generator)
        while not self.stopping.is_set():
            delivered = self._delivered
            try:
                self._new.clear()
                self.tend()
                more = self._pass()
            except Exception as error:  # whatever the error is, the output stays alive, reports it and retries
                self._failed(error)
                if self._delivered > delivered:
                    waits = delays(self._generator)
                self.stopping.wait(next(waits))
                continue
            if self._failures:
                self._failures, self._error, waits = 0, None, delays(self._generator)
            if not more:
                self._new.wait(_LOOK_SECONDS)
        with contextlib.suppress(Exception):
            self.leave()

    def _pass(self) -> bool:
        """Send waiting rows, up to a limit. Returns whether there may be more."""
        rows = self._record.after(self._position, limit=_ROWS)
        try:
            for row in rows:
                if self.stopping.is_set():
                    break
                if row.kind in SENT:
                    self.send(row)
                    self._delivered += 1
                self._position, self._unsaved = row.number, Anchor.of(row)
                if time.monotonic() - self._saved_at > _SAVE_SECONDS:
                    self._save()
        finally:
            self._save()
        return len(rows) == _ROWS

    def _failed(self, error: Exception) -> None:
        named = str(error) if isinstance(error, FlawspotError | OSError) else f"{type(error).__name__}: {error}"
        self._error = visible(named)
        self._failures += 1
        with contextlib.suppress(Exception):
            self.leave()

    def _begin(self, after: int | None) -> int:
        with contextlib.suppress(OSError):
            if self._path.read_bytes() == _line(_NOTHING):
                return 0
        saved = read_anchor(self._path)
        if saved is not None:
            row = self._record.row(saved.number)
            if row is None or row.hash != saved.hash:
                raise ConfigurationError(
                    f"{self._path} belongs to another record than {self._record.path}: move it away, and the output "
                    "starts again"
                )
            return saved.number
        row = self._record.last if after is None else self._record.row(after)
        if row is None and after:
            raise ConfigurationError(f"output {self._output} cannot begin after row {after}: the record has none")
        self._unsaved = _NOTHING if row is None else Anchor.of(row)
        number = self._unsaved.number
        self._save()  # at once, so that every row from now on is delivered, whenever this ends
        return number

    def _save(self) -> None:
        if self._unsaved is not None:
            write_bytes(self._path, _line(self._unsaved))
            self._unsaved, self._saved_at = None, time.monotonic()


def _line(anchor: Anchor) -> bytes:
    return f"{anchor.number} {anchor.hash}\n".encode("ascii")


def message(row: Row) -> bytes:
    """A row for other systems: a JSON object in ASCII. Its number and hash are an anchor of the record."""
    return json.dumps(row.as_dict(), allow_nan=False).encode("ascii")
