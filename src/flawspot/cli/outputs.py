"""Checks output files before the work: whether they can be written and are not also inputs."""

from __future__ import annotations

from pathlib import Path

from flawspot.errors import ConfigurationError
from flawspot.files import check_writable

PAGES = (".html", ".htm")
TABLES = (".csv", ".json")


def refuse_input(path: Path | None, *inputs: Path | None) -> None:
    """Refuse an output file that is one of the inputs, or has a photograph's suffix and would replace one.

    Raises:
        ConfigurationError: it is.
    """
    from flawspot.runtime.listing import IMAGE_SUFFIXES

    if path is None:
        return
    if any(given is not None and given.is_file() and path.exists() and path.samefile(given) for given in inputs):
        raise ConfigurationError(f"{path} is an input of this command: name another file to write")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise ConfigurationError(f"cannot write {path}: its suffix is that of a photograph. Choose another name.")


def check_output(path: Path | None, suffixes: tuple[str, ...], *inputs: Path | None) -> None:
    """Refuse an output file that cannot be written or that is an input.

    Args:
        path: the file; None if nothing is to be written.
        suffixes: the allowed suffixes, in lower case. Photographs have other ones.
        inputs: files that the command reads.

    Raises:
        ConfigurationError: another suffix, or one of the inputs.
        FlawspotError: it cannot be written.
    """
    if path is None:
        return
    if path.suffix.lower() not in suffixes:
        raise ConfigurationError(f"cannot write {path}: give it the suffix {' or '.join(suffixes)}")
    refuse_input(path, *inputs)
    check_writable(path)
