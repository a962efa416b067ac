"""Checks the folders that flawspot uses or writes to."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from flawspot.cache import cache_root
from flawspot.errors import FlawspotError
from flawspot.files import check_folder

MIB = 2**20


@dataclass(frozen=True)
class Place:
    """A folder.

    Attributes:
        name: its purpose.
        path: its path, with the user's home folder as ``~``; None if there is none.
        holds: bytes of each thing in it, by name; None if not asked for, or it does not exist.
        free: free bytes of its disk; None if unknown.
        fault: why it cannot be written to; None if it can.
        needed: whether such a fault is a fault of the machine.
    """

    name: str
    path: str | None
    holds: dict[str, int] | None = None
    free: int | None = None
    fault: str | None = None
    needed: bool = True

    def __str__(self) -> str:
        if self.path is None:
            return self.fault or "none"
        told = [self.path if self.holds is None else f"{self.path}: {_sizes(self.holds)}"]
        told.append(self.fault or "writable")
        if self.free is not None:
            told.append(f"{self.free / 2**30:.1f} GiB free")
        return "; ".join(told)


def places() -> list[Place]:
    """The cache, the folder for temporary files, and the working folder. Only test files are created, and removed at
    once."""
    found = [_cache()]
    try:
        found.append(_place("temporary files", Path(tempfile.gettempdir())))
    except FileNotFoundError:
        found.append(Place("temporary files", None, fault="there is no folder for temporary files: set TMPDIR to one"))
    try:
        found.append(_place("this folder", Path.cwd(), needed=False))
    except FileNotFoundError:
        found.append(Place("this folder", None, fault="it has been removed", needed=False))
    return found


def homely(text: str) -> str:
    """`text` with ``~`` wherever the user's home folder is in it."""
    home = os.path.expanduser("~")  # noqa: PTH111 -- pathlib's raises where there is none
    if len(home) < 2 or home == "~":
        return text
    return re.sub(rf"(?<![\w.~-]){re.escape(home)}(?![\w.-])", "~", text)


def _cache() -> Place:
    try:
        folder = cache_root()
    except ModuleNotFoundError:
        return Place(
            "cache", None, fault="none: FLAWSPOT_CACHE names no folder, and platformdirs is absent", needed=False
        )
    holds = None
    if folder.is_dir():
        try:
            holds = {path.name: _bytes(path) for path in sorted(folder.iterdir())}
        except OSError as error:
            return Place("cache", homely(str(folder)), fault=f"cannot be read: {error.strerror or error}")
    return _place("cache", folder, holds=holds)


def _place(name: str, folder: Path, *, holds: dict[str, int] | None = None, needed: bool = True) -> Place:
    fault = None
    try:
        check_folder(folder)
    except FlawspotError as error:
        fault = homely(str(error))
    there = next((above for above in (folder.absolute(), *folder.absolute().parents) if above.is_dir()), None)
    try:
        free = None if there is None else shutil.disk_usage(there).free
    except OSError:
        free = None
    return Place(name, homely(str(folder)), holds, free, fault, needed)


def _bytes(path: Path) -> int:
    """Bytes of a file, or of all files below a folder. Unreadable ones are not counted."""
    total = 0
    for where, _, names in [("", [], [str(path)])] if path.is_file() else os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_size  # noqa: PTH118 -- many files
            except OSError:
                continue
    return total


def _sizes(holds: dict[str, int]) -> str:
    return ", ".join(f"{name} {size / MIB:.1f} MiB" for name, size in holds.items()) or "empty"
