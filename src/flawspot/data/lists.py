"""Reads lists of photographs in three file formats as the photographs of one product.

=============  ========================================================================================================
text           one path a line; a folder stands for all photographs in it; ``#`` begins a comment
CSV            path, label and mask in this order, or in columns whose header says so, with ``split`` where there is one
JSON Lines     one object a line with ``source-ref`` and an anomaly label, as Amazon Lookout for Vision had it
=============  ========================================================================================================

Relative paths start at the list's own folder. Only files on this machine are read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flawspot.data.manifests import read_manifest
from flawspot.data.roles import Role, role_of, same_name
from flawspot.data.rows import Entry, read_table
from flawspot.data.samples import UNREAD, ImageFolder, LeftOut, Sample, Taken
from flawspot.data.sorting import BOTH, LEARN, TEST_GOOD
from flawspot.errors import DataError
from flawspot.files import special_kind
from flawspot.runtime.listing import list_files, natural_key
from flawspot.runtime.marks import is_marked
from flawspot.texts import counted, listed

LIST_SUFFIXES = (".txt", ".lst", ".csv", ".tsv", ".jsonl", ".ndjson", ".manifest")
MAX_LIST_BYTES = 256 << 20


def open_list(path: Path, good: Sequence[str] = ()) -> ImageFolder:
    """Read the photographs that a file lists. No image is opened.

    Without labels all photographs are good parts to learn from, except those in a folder named after defects. If
    folders separate good from defective parts, the photographs are also used for testing.

    Args:
        path: a list in one of these formats, recognized by its suffix, or by its first character.
        good: labels of good parts. All others are defects. Empty for the usual ones.

    Raises:
        DataError: the list cannot be read, names missing files, contradicts itself about a photograph, or has labels
            whose meaning is unclear.
    """
    text = _text(path)
    if path.suffix.lower() in (".csv", ".tsv"):
        entries = read_table(text, path, good)
    elif text.lstrip().startswith("{"):
        entries = read_manifest(text, path, good)
    else:
        lines = (line.strip() for line in text.splitlines())
        names = [line for line in lines if line and not line.startswith("#")]
        entries = [entry for name in names for entry in _named(path.parent / name, Path(name), good)]
    if not entries:
        raise DataError(f"{path} names no photographs: write one path a line")
    return _assemble(entries, path.stem, str(path), good)


def open_paths(paths: Sequence[Path], good: Sequence[str] = ()) -> ImageFolder:
    """Photographs and folders given one by one. They are treated like a text list.

    Raises:
        DataError: as for `open_list`.
    """
    entries = [entry for path in paths for entry in _named(path, path, good)]
    if not entries:
        raise DataError("no photographs were named: give paths of good parts")
    return _assemble(entries, entries[0].path.resolve().parent.name, "the paths", good)


def _text(path: Path) -> str:
    try:
        if special_kind(path) is not None:
            raise DataError(f"{path} is not a regular file: give a list of photographs")
        if path.stat().st_size > MAX_LIST_BYTES:
            raise DataError(f"the list {path} has more than {MAX_LIST_BYTES:,} bytes: split it")
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"there is no list {path}: check the spelling") from None
    except OSError as error:
        raise DataError(f"cannot read the list {path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise DataError(f"the list {path} is not UTF-8: save it as UTF-8") from None


def _named(path: Path, said: Path, good: Sequence[str]) -> list[Entry]:
    """The entries for a line without a label, which names a photograph or a folder."""
    if not path.is_dir():
        return [Entry(path, _by_folder(said.parent, good), kind=said.parent.name or None)]
    listing = list_files(path)
    entries = []
    for each in [*listing.images, *listing.unread]:
        parent = said / each.relative_to(path).parent
        marked = is_marked(each)
        unread = "drawn by flawspot" if marked else None if each in set(listing.images) else UNREAD
        entries.append(Entry(each, _by_folder(parent, good), kind=parent.name or None, left_out=unread))
    return entries


def _by_folder(folder: Path, good: Sequence[str]) -> Role | None:
    """The verdict in the names of the two folders above a photograph. The nearest one counts."""
    for name in reversed(folder.parts[-2:]):
        if any(same_name(name, one) for one in good):
            return Role.GOOD
        role = role_of(name)
        if role is Role.DEFECTIVE or (role is Role.GOOD and not good):
            return role
    return Role.DEFECTIVE if good else None


@dataclass
class _Sides:
    train: list[Path]
    test: list[Sample]
    taken: dict[str, int]
    left_out: dict[str, list[Path]]

    def take(self, role: str) -> None:
        self.taken[role] = self.taken.get(role, 0) + 1


def _assemble(entries: Sequence[Entry], name: str, source: str, good: Sequence[str]) -> ImageFolder:
    _check_there(entries, source)
    sides = _Sides([], [], {}, {})
    is_labelled = any(entry.is_labelled for entry in entries)
    _check_told(entries, is_labelled, source)
    tells = is_labelled or any(entry.verdict is Role.DEFECTIVE for entry in entries)
    for entry in _once(entries, sides):
        _sort(entry, sides, tells)
    if not sides.train and not sides.test:
        raise DataError(f"{source} has no photograph to learn from or to test on")
    every = [*sides.train, *(sample.path for sample in sides.test)]
    root = _common([path.absolute().parent for path in every], source)
    sides.train.sort(key=_order)
    sides.test.sort(key=lambda sample: (sample.is_defective, _order(sample.path)))
    folder = Path(source).name
    taken = [Taken(folder, role, count) for role, count in sides.taken.items()]
    masks = sum(sample.mask is not None for sample in sides.test)
    taken += [Taken(folder, "masks", masks)] if masks else []
    left_out = tuple(LeftOut(folder, reason, tuple(paths)) for reason, paths in sides.left_out.items())
    fault = _not_there([sample.mask for sample in sides.test if sample.mask is not None], "mask", source)
    return ImageFolder(name, root, tuple(sides.train), tuple(sides.test), tuple(taken), left_out, fault)


def _check_told(entries: Sequence[Entry], is_labelled: bool, source: str) -> None:
    """Check folders if there are no labels: beside a folder of good parts, a folder of unknown name is not assumed
    good."""
    verdicts = [entry for entry in entries if entry.left_out is None]
    if is_labelled or not any(entry.verdict is Role.GOOD for entry in verdicts):
        return
    unknown = {entry.kind or "." for entry in verdicts if entry.verdict is None}
    if unknown:
        raise DataError(
            f"{source} names good parts beside {listed(sorted(unknown), 5)}, which may be good or "
            "defective: say --good with the names of the good ones, or give labels"
        )


def _sort(entry: Entry, sides: _Sides, tells: bool) -> None:
    if entry.left_out is not None:
        sides.left_out.setdefault(entry.left_out, []).append(entry.path.absolute())
        return
    path = entry.path.absolute()
    is_good = entry.verdict is Role.GOOD or (entry.verdict is None and not entry.is_labelled)
    reason = None
    if entry.use is Role.VALIDATION:
        reason = "validation photographs: flawspot holds out its own"
    elif entry.use is Role.TRAIN and not is_good:
        reason = "defective: nothing is learned from defects"
    if reason is not None:
        sides.left_out.setdefault(reason, []).append(path)
        return
    learns = is_good and entry.use is not Role.TEST
    tests = entry.use is not Role.TRAIN and tells and entry.verdict is not None
    if learns:
        sides.train.append(path)
    if tests:
        defect = None if is_good else entry.kind or "defective"
        sides.test.append(Sample(path, defect, entry.mask, background=entry.background))
    sides.take(
        BOTH
        if learns and tests
        else LEARN
        if learns
        else TEST_GOOD
        if is_good
        else f"defective ({entry.kind or 'defective'}), to test"
    )


def _check_there(entries: Sequence[Entry], source: str) -> None:
    fault = _not_there([entry.path for entry in entries], "file", source)
    if fault is not None:
        raise DataError(fault)


def _not_there(paths: Sequence[Path], what: str, source: str) -> str | None:
    missing = [path for path in paths if not path.exists()]
    if not missing:
        return None
    return (
        f"of {counted(len(paths), what)} in {source}, {len(missing)} cannot be found, such as {missing[0]}: "
        "relative paths start at the folder of the list"
    )


def _once(entries: Iterable[Entry], sides: _Sides) -> list[Entry]:
    """Merge repeated entries, so that each photograph comes once."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        key = os.path.normcase(entry.path.absolute())
        before = seen.setdefault(key, entry)
        if before is entry:
            continue
        if (before.verdict, before.use) != (entry.verdict, entry.use):
            raise DataError(f"{entry.path} is listed twice with different meanings: list it once")
        sides.left_out.setdefault("named twice", []).append(entry.path.absolute())
    return list(seen.values())


def _common(folders: Sequence[Path], source: str) -> Path:
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:
        raise DataError(f"{source} names photographs on different drives: put them into one folder") from None


def _order(path: Path) -> tuple[list[list[str | int]], str]:
    return natural_key(path)
