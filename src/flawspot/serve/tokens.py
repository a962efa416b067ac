"""Who may do what at a station: tokens, each with a name and a role.

A token is 32 random bytes (`secrets.token_urlsafe`), shown once, and kept as its SHA-256. A slow hash, as passwords
need it, would protect nothing here: it makes guessing dear where there are few guesses to make, as with words that
people choose; among 2^256 equally likely ones nobody finds one however fast the hash is.
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
"""In the folder of a station."""
VERSION = 1
_LONGEST_NAME = 60
_LARGEST = 2**20
_DIGEST = re.compile(r"[0-9a-f]{64}")
_BYTES = 32


class TokensError(FlawspotError):
    """The file of tokens cannot be relied on; nobody gets in until it is mended."""


@total_ordering
class Role(enum.Enum):
    """What somebody may do; each role may do what those before it may: viewer < operator < engineer."""

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
    """Whoever holds a token.

    Attributes:
        name: by which the record knows who did something.
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
    """The tokens in a file, which need not be there: then nobody has one. Used by any threads.

    The file is read again when it has changed, so that a token that was removed ends at once.

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
        """Whose token it is; None where it is nobody's. The time that takes says nothing about any token.

        Raises:
            TokensError: the file is damaged or cannot be read.
        """
        digest = _digest(token)
        found = None
        for entry in self._known():  # to the end: who is found early is not answered early
            if hmac.compare_digest(entry.digest, digest):
                found = entry.person
        return found

    @property
    def demanded(self) -> bool:
        """Whether somebody has had a token since this was made: when the last one is removed, nobody gets in.

        Raises:
            TokensError: as `person`.
        """
        self._known()
        return self._were_there

    def people(self) -> list[tuple[Person, str]]:
        """Everybody who has a token, and since when (UTC, as `flawspot.serve.chain.Row.time`), in order of time.

        Raises:
            TokensError: as `person`.
        """
        return [(entry.person, entry.added) for entry in self._known()]

    def add(self, name: str, role: Role) -> str:
        """Make a token; it is returned, and kept nowhere.

        Raises:
            ConfigurationError: the name is taken, or none that a record could show.
            TokensError: as `person`.
            FlawspotError: the file cannot be written.
        """
        if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
            raise ConfigurationError(
                f"{shortened(name)!r} is no name for a token: give 1 to {_LONGEST_NAME} printable characters"
            )
        with _changing(self.path):
            entries = self._known()
            if any(entry.person.name == name for entry in entries):
                raise ConfigurationError(f"{self.path} has a token of {name} already: remove it first, or give another")
            token = secrets.token_urlsafe(_BYTES)
            self._write([*entries, _Entry(Person(name, role), _digest(token), now())])
        return token

    def remove(self, name: str) -> None:
        """Take somebody's token away.

        Raises:
            ConfigurationError: nobody of that name has one.
            TokensError: as `person`.
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
                    self._seen, self._entries = None, []  # nothing of the old file is left if this one is damaged
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
        write_bytes(self.path, text.encode(), private=True)  # lasting: a token that was taken away stays away


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> list[_Entry]:
    damaged = f"{path} is damaged, and nobody gets in: put back a copy of it, or move it away and add tokens anew"
    if not path.is_file():
        raise TokensError(f"{path} is no file, and nobody gets in: move it away and add tokens anew")
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
    """One change at a time, so that none undoes another; where the system knows such locks.

    Raises:
        FlawspotError: the folder cannot be written into.
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
