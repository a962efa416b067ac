"""A copy of what a station starts from, in which a start is tried without leaving a trace in its record."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flawspot.errors import FlawspotError
from flawspot.files import special_kind
from flawspot.serve.audit import ARTIFACTS, DRIFT, RECORD

FOLDERS = (ARTIFACTS, DRIFT)
"""The folders that are copied. Kept pictures are not: no start reads them."""


@contextlib.contextmanager
def copied(folder: Path) -> Iterator[Path]:
    """A copy of a station's record, artifacts and drift tests, or an empty folder if there is no station yet.

    It lies in the folder, or in the first folder above that exists, so that a disk that cannot be written shows. It is
    removed at the end. Messages of errors name the folder in its place.

    Raises:
        FlawspotError: the folder cannot be used, or its record cannot be read.
    """
    above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not above.is_dir():
        raise FlawspotError(f"cannot use the folder {folder}: {above} is a file; choose another --folder")
    try:
        with tempfile.TemporaryDirectory(dir=above, prefix=".check-", ignore_cleanup_errors=True) as name:
            copy = Path(name)
            if above == folder:
                _copy(folder, copy)
            try:
                yield copy
            except FlawspotError as error:
                error.args = (str(error).replace(name, str(folder)),)
                raise
    except OSError as error:
        told = error.strerror or error
        raise FlawspotError(f"cannot use the folder {folder}: {told}; choose another --folder") from error


def _copy(folder: Path, copy: Path) -> None:
    record = folder / RECORD
    if record.exists():
        kind = special_kind(record)
        if kind is not None:
            raise FlawspotError(f"{record} is {kind}: choose another --folder")
        try:
            with (
                contextlib.closing(sqlite3.connect(record.absolute().as_uri() + "?mode=ro", uri=True)) as old,
                contextlib.closing(sqlite3.connect(copy / RECORD)) as new,
            ):
                old.backup(new)
        except sqlite3.Error as error:
            raise FlawspotError(f"cannot read the record {record}: {error}") from error
    for name in FOLDERS:
        if (folder / name).is_dir():
            shutil.copytree(folder / name, copy / name, copy_function=_linked)


def _linked(source: str, target: str) -> None:
    """One file under two names where the disk can; files of a station are replaced and never changed."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
