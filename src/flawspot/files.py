"""Writing files so that nothing half-written is ever left behind."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flawspot.errors import FlawspotError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and put that file in the place of `path` when the block ends well.

    On any error, Ctrl-C included, the temporary file is removed and `path` stays as it was. A missing parent folder is
    made.

    Raises:
        FlawspotError: the file cannot be written (full disk, no permission, a folder in the way); says which and why.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=f".part{path.suffix}", dir=path.parent)
        temporary = Path(name)
        os.close(handle)
        yield temporary
        # mkstemp makes the file private to its owner; give it the rights that an ordinary new file has.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise FlawspotError(
            f"cannot write {path}: {error.strerror or error}. Free some space or choose another place."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Find out before long work whether its result can be written to `path`; leaves nothing behind but parent folders.

    Raises:
        FlawspotError: it cannot; says why.
    """
    if path.is_dir():
        raise FlawspotError(f"cannot write {path}: it is a folder. Give the name of a file in it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise FlawspotError(f"cannot write {path}: {error.strerror or error}. Choose another place.") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` as a whole or not at all; see `replacing`."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
