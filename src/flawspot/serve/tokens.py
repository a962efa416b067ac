"""Tokens: who may do what at a station. Each has a name and a role.

A token is 32 random bytes (`secrets.token_urlsafe`). It is shown once, and only its SHA-256 is kept. A slow hash, as
for passwords, is not needed: it slows down guessing among few words that people choose. Among 2^256 equally likely
tokens no guessing succeeds, however fast the hash is.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import hmac
import json
import re
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import total_ordering
from pathlib import Path
from typing import Any

from flawspot.errors import ConfigurationError, FlawspotError
from flawspot.files import write_bytes
from flawspot.serve.record import now
from flawspot.texts import shortened

FILE = "tokens.json"
"""Name of the file in the folder of a station."""
VERSION = 1
_LONGEST_NAME = 60
_LARGEST = 2**20
_DIGEST = re.compile(r"[0-9a-f]{64}")
_BYTES = 32


class TokensError(FlawspotError):
    """The file of tokens is damaged. Nobody gets in until it is repaired."""


@total_ordering
class Role(enum.Enum):
    """The roles, viewer < operator < engineer. Each may also do what the roles before it may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Role):
            return NotImplemented
        order = list(Role)
        return order.index(self) < order.index(other)


@dataclass(frozen=True)
class Person:
    """The holder of a token.

    Attributes:
        name: the name under which the record notes their actions.
        role: what they may do.
    """

    name: str
    role: Role


@dataclass(frozen=True)
class _Entry:
    person: Person
    digest: str
    added: str


class Tokens:
    """The tokens in a file. If the file does not exist, there are none. Thread-safe.

    The file is read again when it has changed, so that a removed token stops working at once.

    Attributes:
        path: of the file.
    """

    _were_there = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._seen: object = None
        self._entries: list[_Entry] = []

    def person(self, token: str) -> Person | None:
        """The holder of a token; None if there is none. The time it takes reveals nothing about any token.

        Raises:
            TokensError: the file is damaged or cannot be read.
        """
        digest = _digest(token)
        found = None
        for entry in self._known():  # all of them, so that the time does not depend on the place of a match
            if hmac.compare_digest(entry.digest, digest):
                found = entry.person
        return found

    @property
    def demanded(self) -> bool:
        """Whether there has been a token since this object was made. When the last one is removed, nobody gets in.

        Raises:
            TokensError: as for `person`.
        """
        self._known()
        return self._were_there

    def people(self) -> list[tuple[Person, str]]:
        """All holders of tokens and the dates of their tokens (UTC, as `flawspot.serve.chain.Row.time`), in order of
        time.

        Raises:
            TokensError: as for `person`.
        """
        return [(entry.person, entry.added) for entry in self._known()]

    def add(self, name: str, role: Role) -> str:
        """Make a token. It is returned and not kept.

        Raises:
            ConfigurationError: the name is taken, or cannot be shown in a record.
            TokensError: as for `person`.
            FlawspotError: the file cannot be written.
        """
        if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
            raise ConfigurationError(
                f"{shortened(name)!r} cannot name a token: give 1 to {_LONGEST_NAME} printable characters"
            )
        with _changing(self.path):
            entries = self._known()
            if any(entry.person.name == name for entry in entries):
                raise ConfigurationError(f"{self.path} has a token of {name} already: remove it first, or name another")
            token = secrets.token_urlsafe(_BYTES)
            self._write([*entries, _Entry(Person(name, role), _digest(token), now())])
        return token

    def remove(self, name: str) -> None:
        """Remove somebody's token.

        Raises:
            ConfigurationError: nobody with that name has a token.
            TokensError: as for `person`.
            FlawspotError: the file cannot be written.
        """
        with _changing(self.path):
            entries = self._known()
            left = [entry for entry in entries if entry.person.name != name]
            if len(left) == len(entries):
                raise ConfigurationError(f"{self.path} has no token of {shortened(name)}: see `flawspot tokens list`")
            self._write(left)

    def _known(self) -> list[_Entry]:
        with self._lock:
            try:
                state = self.path.stat()
                seen = (state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_ino)
                if seen != self._seen:
                    self._seen, self._entries = None, []  # nothing of the old file remains if this one is damaged
                    self._entries = _read(self.path)
                    self._seen = seen
                self._were_there = self._were_there or bool(self._entries)
            except (FileNotFoundError, NotADirectoryError):
                self._seen, self._entries = None, []
            except OSError as error:
                raise TokensError(f"cannot read {self.path}: {error.strerror or error}; nobody gets in") from error
            return list(self._entries)

    def _write(self, entries: list[_Entry]) -> None:
        tokens = [
            {"name": e.person.name, "role": e.person.role.value, "sha256": e.digest, "added": e.added} for e in entries
        ]
        text = json.dumps({"version": VERSION, "tokens": tokens}, indent=2) + "\n"
        write_bytes(self.path, text.encode(), private=True)  # lasting, so that a removed token stays removed


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> list[_Entry]:
    damaged = f"{path} is damaged, and nobody gets in: restore a copy of it, or move it away and add new tokens"
    if not path.is_file():
        raise TokensError(f"{path} is not a file, and nobody gets in: move it away and add new tokens")
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    try:
        if len(data) > _LARGEST:
            raise ValueError("too large")
        content = json.loads(data)
        if content["version"] != VERSION:
            raise TokensError(f"{path} was written by another flawspot, and nobody gets in: update this one")
        entries = [_entry(each) for each in content["tokens"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TokensError(damaged) from error
    if len({entry.person.name for entry in entries}) < len(entries):
        raise TokensError(damaged)
    return entries


def _entry(found: Any) -> _Entry:
    name, digest, added = found["name"], found["sha256"], found["added"]
    if not (isinstance(name, str) and isinstance(added, str) and name and _DIGEST.fullmatch(digest)):
        raise ValueError("no entry")
    return _Entry(Person(name, Role(found["role"])), digest, added)


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[None]:
    """Lock the file, so that two changes do not overwrite each other, if the system has such locks.

    Raises:
        FlawspotError: the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f".{path.name}.lock").open("a")
    except OSError as error:
        raise FlawspotError(f"cannot write {path}: {error.strerror or error}. Choose another folder.") from error
    with lock:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
