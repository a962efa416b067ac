"""Writes files so that nothing half-written is left behind, even by a killed process. Refuses paths that are not
regular files."""

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
"""Characters of the final name that are used in the unfinished file's name, as file systems limit its length."""

_swept: set[Path] = set()


@contextlib.contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move that file to `path` when the block ends without an error.

    On any error, Ctrl-C included, the temporary file is removed and `path` is not changed. A missing parent folder is
    created. Files left in that folder by killed processes are removed, once in each process. A `private` file can be
    read only by its owner. Any other keeps the rights of the file that it replaces. If `path` is a symbolic link, the
    file that it names is replaced, and the link stays.

    Raises:
        FlawspotError: the file cannot be written (full disk, no permission, a folder in the way); the message gives the
            reason.
    """
    temporary: Path | None = None
    handle: int | None = None
    try:
        path = _named(path)
        _refuse_special(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished(path.parent)
        prefix = f"{_PREFIX}{path.name[:_NAME_LENGTH]}."
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=f".part{path.suffix[:_NAME_LENGTH]}", dir=path.parent)
        temporary = Path(name)
        with contextlib.suppress(OSError):
            _lock(handle)
        yield temporary
        if not private:
            temporary.chmod(_rights(path))
        if sys.platform == "win32":  # an open file cannot be moved there
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


def real_path(path: Path) -> Path:
    """The file that a symbolic link names, wherever a circle of links ends; any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _named(path: Path) -> Path:
    """The file that a symbolic link names; any other path as it is.

    Raises:
        FlawspotError: links name each other in a circle.
    """
    if not path.is_symlink():
        return path
    try:
        return path.resolve()
    except RuntimeError:  # Python 3.11 and 3.12
        raise FlawspotError(f"cannot write {path}: its links lead in a circle. Give the name of a file.") from None


def _rights(path: Path) -> int:
    """Those of the file at `path`, or of an ordinary new file; a temporary file is private to its owner."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask


def remove_unfinished(folder: Path) -> None:
    """Remove unfinished files of dead processes in `folder`. It looks only once in each process.

    A process holds a lock on its file, and the system releases it however the process ends. On a file system without
    locks, nothing is removed.
    """
    if folder in _swept:
        return
    _swept.add(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        left = [Path(entry.path) for entry in entries if _UNFINISHED.fullmatch(entry.name)]
        for path in left:
            remove_if_left(path)


def remove_if_left(path: Path) -> None:
    """Remove an unfinished file unless its process is alive; see `remove_unfinished`."""
    with contextlib.suppress(OSError):  # already gone, or its process is alive
        handle = os.open(path, os.O_RDWR)
        try:
            _lock(handle)
            if sys.platform != "win32":
                path.unlink()
        finally:
            os.close(handle)
        if sys.platform == "win32":  # fails while the process has it open
            path.unlink()


def _lock(handle: int) -> None:
    """Raises OSError if another process holds the lock, or the file system has no locks."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def check_writable(path: Path) -> None:
    """Check before long work that its result can be written to `path`. Nothing is left behind: parent folders
    are made when it is written.

    Raises:
        FlawspotError: it cannot; the message gives the reason.
    """
    if path.is_dir():
        raise FlawspotError(f"cannot write {path}: it is a folder. Give the name of a file in it.")
    try:
        _refuse_special(path)
        made = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        finally:
            with contextlib.suppress(OSError):  # somebody else has put something there
                for folder in made:
                    folder.rmdir()
    except OSError as error:
        raise FlawspotError(f"cannot write {path}: {error.strerror or error}. Choose another place.") from error


def check_folder(folder: Path) -> None:
    """Check before long work that files can be written to `folder`, which need not exist. Nothing is left behind.

    Raises:
        FlawspotError: they cannot, for example because it or a folder above it is a file; the message gives the reason.
    """
    there = next(above for above in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(above))
    if not there.is_dir():
        raise FlawspotError(f"cannot write into {folder}: {there} is not a folder. Choose another one.")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise FlawspotError(f"cannot write into {folder}: {error.strerror or error}. Choose another folder.") from error


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether it is a folder. False for names that the system refuses, such as too long ones."""
    return os.path.isdir(path)  # noqa: PTH112 -- pathlib's raises for those


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether the path exists. False for names that the system refuses."""
    return os.path.exists(path)  # noqa: PTH110


def special_kind(path: Path) -> str | None:
    """The kind of `path` if it is not a regular file: ``a folder``, ``a pipe``, ``a device`` or ``a socket``.

    A pipe may block its reader forever, and a device may never end. None for a regular file.

    Raises:
        OSError: as for `Path.stat`.
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _refuse_special(path: Path) -> None:
    """Refuse to replace anything but a regular file."""
    with contextlib.suppress(FileNotFoundError):
        kind = special_kind(path)
        if kind is not None:
            raise FlawspotError(f"cannot write {path}: it is {kind}. Give the name of a file.")


def write_bytes(path: Path, data: bytes, *, private: bool = False, lasting: bool = True) -> None:
    """Write `data` to `path` completely or not at all; see `replacing`. If `lasting`, it survives a power cut."""
    with replacing(path, private=private) as temporary, temporary.open("wb") as file:
        file.write(data)
        if lasting:
            file.flush()
            os.fsync(file.fileno())
