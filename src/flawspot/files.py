"""Writing files so that nothing half-written is ever left behind, not even by a process that was killed; and refusing
what is called like a file and is none."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flawspot.errors import FlawspotError

_PREFIX = ".flawspot-"
_UNFINISHED = re.compile(r"\.flawspot-.*\.[a-z0-9_]{8}\.part(\..*)?", re.DOTALL)
_NAME_LENGTH = 100
"""Characters of the final name in that of the unfinished file: file systems bound the length of names."""

_swept: set[Path] = set()


@contextlib.contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path`, and put that file in the place of `path` when the block ends well.

    On any error, Ctrl-C included, the temporary file is removed and `path` stays as it was. A missing parent folder is
    made. What killed processes have left in that folder is removed, once by each process. A `private` file can be read
    by its owner alone.

    Raises:
        FlawspotError: the file cannot be written (full disk, no permission, a folder in the way); says which and why.
    """
    temporary: Path | None = None
    handle: int | None = None
    try:
        _refuse_special(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished(path.parent)
        prefix = f"{_PREFIX}{path.name[:_NAME_LENGTH]}."
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=f".part{path.suffix[:_NAME_LENGTH]}", dir=path.parent)
        temporary = Path(name)
        with contextlib.suppress(OSError):
            _lock(handle)
        yield temporary
        # mkstemp makes the file private to its owner; give it the rights that an ordinary new file has.
        umask = os.umask(0)
        os.umask(umask)
        if not private:
            temporary.chmod(0o666 & ~umask)
        if sys.platform == "win32":  # where an open file cannot be moved
            os.close(handle)
            handle = None
        temporary.replace(path)
    except OSError as error:
        raise FlawspotError(
            f"cannot write {path}: {error.strerror or error}. Free some space or choose another place."
        ) from error
    finally:
        if handle is not None:
            os.close(handle)
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove the unfinished files in `folder` whose makers are dead; looks only once in each process.

    A maker holds a lock on its file, and the system lets go of it however the process ends. Where a file system knows
    no locks, nothing is removed.
    """
    if folder in _swept:
        return
    _swept.add(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        left = [Path(entry.path) for entry in entries if _UNFINISHED.fullmatch(entry.name)]
        for path in left:
            remove_if_left(path)


def remove_if_left(path: Path) -> None:
    """Remove an unfinished file unless its maker lives; see `remove_unfinished`."""
    with contextlib.suppress(OSError):  # gone by now, or its maker lives
        handle = os.open(path, os.O_RDWR)
        try:
            _lock(handle)
            if sys.platform != "win32":
                path.unlink()
        finally:
            os.close(handle)
        if sys.platform == "win32":  # fails as long as the maker has it open
            path.unlink()


def _lock(handle: int) -> None:
    """Raises OSError where somebody else holds the lock, or the file system knows none."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def check_writable(path: Path) -> None:
    """Find out before long work whether its result can be written to `path`; leaves nothing behind but parent folders.

    Raises:
        FlawspotError: it cannot; says why.
    """
    if path.is_dir():
        raise FlawspotError(f"cannot write {path}: it is a folder. Give the name of a file in it.")
    try:
        _refuse_special(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise FlawspotError(f"cannot write {path}: {error.strerror or error}. Choose another place.") from error


def check_folder(folder: Path) -> None:
    """Find out before long work whether files can be written into `folder`, which need not exist; leaves nothing
    behind.

    Raises:
        FlawspotError: they cannot, as where it or one above it is a file; says why.
    """
    there = next(above for above in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(above))
    if not there.is_dir():
        raise FlawspotError(f"cannot write into {folder}: {there} is no folder. Choose another one.")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise FlawspotError(f"cannot write into {folder}: {error.strerror or error}. Choose another folder.") from error


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether it is a folder; False for names that the system does not take, such as those that are too long."""
    return os.path.isdir(path)  # noqa: PTH112 -- pathlib's raises for those


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether there is something of that name; False as `is_folder`."""
    return os.path.exists(path)  # noqa: PTH110


def special_kind(path: Path) -> str | None:
    """What lies at `path` where it is no ordinary file: ``a folder``, ``a pipe``, ``a device`` or ``a socket``.

    Of these a pipe may keep its reader waiting for ever, and a device never end. None for a file.

    Raises:
        OSError: as `Path.stat`.
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _refuse_special(path: Path) -> None:
    """What is no file is not replaced by one."""
    with contextlib.suppress(FileNotFoundError):
        kind = special_kind(path)
        if kind is not None:
            raise FlawspotError(f"cannot write {path}: it is {kind}. Give the name of a file.")


def write_bytes(path: Path, data: bytes, *, private: bool = False, lasting: bool = True) -> None:
    """Write `data` to `path` as a whole or not at all; see `replacing`. What is `lasting` outlives a power cut."""
    with replacing(path, private=private) as temporary, temporary.open("wb") as file:
        file.write(data)
        if lasting:
            file.flush()
            os.fsync(file.fileno())
