"""The cached features on disk between runs, within a bound."""

from __future__ import annotations

import contextlib
from pathlib import Path

from flawspot.files import remove_if_left


def prune(folder: Path, bound: int) -> int:
    """Remove the least recently used files in `folder` until the rest has at most `bound` bytes.

    If another process has mapped a file, that process keeps it on Linux and macOS. On Windows such a file cannot be
    removed and is skipped.

    Returns:
        The remaining bytes.
    """
    files = []
    for path in folder.glob("*.npy"):
        with contextlib.suppress(OSError):
            stat = path.stat()
            # Not every system stores read times. The larger of the two times errs on the side of keeping.
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
    """Remove unfinished files of killed processes anywhere below `folder`."""
    for path in folder.rglob(".flawspot-*.part*"):
        if path.is_file():
            remove_if_left(path)
