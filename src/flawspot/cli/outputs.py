"""Files that a command writes: refused before the work where they cannot be, or would replace what it reads."""

from __future__ import annotations

from pathlib import Path

from flawspot.errors import ConfigurationError
from flawspot.files import check_writable

PAGES = (".html", ".htm")
TABLES = (".csv", ".json")


def check_output(path: Path | None, suffixes: tuple[str, ...], *inputs: Path | None) -> None:
    """Refuse a file to write, if one was named.

    Args:
        path: the file; None where there is none to write.
        suffixes: that it may have, in lower case; no photograph has one of them.
        inputs: files that the command reads.

    Raises:
        ConfigurationError: another suffix, or one of the inputs.
        FlawspotError: it cannot be written.
    """
    if path is None:
        return
    if path.suffix.lower() not in suffixes:
        raise ConfigurationError(f"cannot write {path}: give it the suffix {' or '.join(suffixes)}")
    if any(given is not None and given.exists() and path.exists() and path.samefile(given) for given in inputs):
        raise ConfigurationError(f"{path} is what is read: name another file to write")
    check_writable(path)
