"""Puts a report into its folder: as a whole, or not at all, however the process is ended (but for kill -9)."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from flawspot.errors import FlawspotError
from flawspot.files import check_folder, check_writable, real_path, replacing

PAGE, TABLES, FIGURES = "report.html", "tables.md", "figures"
_PREFIX = ".flawspot-report-"
_LEFT_SECONDS = 3600
"""A temporary folder that is older belongs to no living process: it is there for seconds."""
_SHOWN = re.compile(rf"\]\({FIGURES}/([a-z0-9-]+)\.svg\)")
_OWN = re.compile(r"(figure-\d|measured|defect-sizes|noise|contamination|shots|stream-\d)[a-z0-9-]*")
"""The names of our figures."""


def check_places(folder: Path) -> None:
    """Check before long work that a report can be written to `folder`. Nothing is left behind.

    Raises:
        FlawspotError: it cannot; the message gives the reason.
    """
    check_folder(folder)
    for name in (PAGE, TABLES):
        if (folder / name).exists():
            check_writable(folder / name)
    figures = folder / FIGURES
    if os.path.lexists(figures):
        if not figures.is_dir():
            raise FlawspotError(f"cannot write into {figures}: it is not a folder. Choose another folder.")
        check_folder(figures)


def place(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a report's files, in their order, in place of an earlier report's. Other files stay.

    Figures that the earlier report showed and this one does not have are removed. On any error, Ctrl-C included, the
    earlier report is there as it was.

    Args:
        folder: the report's folder; created if missing.
        files: contents by path below the folder.

    Raises:
        FlawspotError: a file cannot be written; the message gives the reason.
    """
    made = [above for above in (folder, *folder.absolute().parents) if not os.path.lexists(above)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_left(folder)
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder) as name:
            new, old = Path(name) / "new", Path(name) / "old"
            old.mkdir()
            for path, data in files.items():
                (new / path).parent.mkdir(parents=True, exist_ok=True)
                _write(new / path, data)
            outdated = _outdated(folder, files)
            with _all_or_none(folder, [*outdated, *files], old):
                for path in files:
                    (folder / path).parent.mkdir(exist_ok=True)
                    _move(new / path, real_path(folder / path))
                for path in outdated:
                    (folder / path).unlink()
            if outdated:
                with contextlib.suppress(OSError):  # not empty
                    (folder / FIGURES).rmdir()
    except BaseException as error:
        for above in made:
            with contextlib.suppress(OSError):  # not empty
                above.rmdir()
        if isinstance(error, OSError):
            raise FlawspotError(
                f"cannot write into {folder}: {error.strerror or error}. Free some space or choose another folder."
            ) from error
        raise


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _outdated(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Figures that the earlier report's tables show under our names, and that are not among the new files."""
    try:
        shown = _SHOWN.findall((folder / TABLES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    names = [f"{FIGURES}/{key}{end}" for key in dict.fromkeys(shown) if _OWN.fullmatch(key) for end in (".svg", ".png")]
    return [name for name in names if name not in files and _is_plain_file(folder / name)]


def _is_plain_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


@contextlib.contextmanager
def _all_or_none(folder: Path, names: Sequence[str], old: Path) -> Iterator[None]:
    """Put the files of these names back as they were if the block ends with an error. Copies are kept in `old`."""
    kept = {name: old / str(number) for number, name in enumerate(names) if (folder / name).is_file()}
    for name, copy in kept.items():
        _keep(real_path(folder / name), copy)
    try:
        yield
    except BaseException:
        for name in names:
            with contextlib.suppress(OSError, FlawspotError):
                if name in kept:
                    _move(kept[name], real_path(folder / name))
                else:
                    real_path(folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (folder / FIGURES).rmdir()
        raise


def _keep(path: Path, copy: Path) -> None:
    try:
        os.link(path, copy)  # needs no space
    except OSError:
        shutil.copy2(path, copy)


def _move(path: Path, to: Path) -> None:
    """Replace `to`, which keeps its rights."""
    with contextlib.suppress(OSError):
        shutil.copymode(to, path)
    try:
        path.replace(to)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with replacing(to) as temporary:
            shutil.copyfile(path, temporary)


def _remove_left(folder: Path) -> None:
    """Remove the temporary folders of processes that were killed."""
    for path in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _LEFT_SECONDS:
                shutil.rmtree(path)
