"""The features that stay on disk between runs, within a bound."""

from __future__ import annotations

import contextlib
from pathlib import Path

from flawspot.files import remove_if_left


def prune(folder: Path, bound: int) -> int:
    """Remove the files in `folder` that have not been used for the longest time, until the rest has `bound` bytes.

    A file that another process has mapped lives on for it on Linux and macOS, and cannot be removed on Windows, where
    it is passed over.

    Returns:
        The bytes that are left.
    """
    files = []
    for path in folder.glob("*.npy"):
        with contextlib.suppress(OSError):
            stat = path.stat()
            # Read times are not kept everywhere; the larger of the two errs on the side of keeping.
            files.append((max(stat.st_mtime, stat.st_atime), stat.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= bound:
            break
        with contextlib.suppress(OSError):
            path.unlink()
            total -= size
    return total


def sweep(folder: Path) -> None:
    """Remove the unfinished files that killed processes have left anywhere below `folder`."""
    for path in folder.rglob(".flawspot-*.part*"):
        if path.is_file():
            remove_if_left(path)
