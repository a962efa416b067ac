"""Groups photographs that show the same part, by a rule of the user."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.data.near_duplicates import numbered
from flawspot.errors import ConfigurationError, DataError
from flawspot.texts import shortened

RULES_TEXT = (
    "folder, number:GAP, time:SECONDS, none, or a regular expression on names whose first group (or whole match) "
    "is the part"
)
_DIGITS = 1000
"""Only the last this many digits of a number in a name are used, as Python's integers from text are limited."""
MATCH_SECONDS = 10
"""Time limit of a regular expression; usual ones take a second for 100,000 names."""
_MATCH = """
import json, re, sys
pattern, names = json.load(sys.stdin)
pattern = re.compile(pattern)
found = (pattern.search(name) for name in names)
labels = [each and (each[1] if pattern.groups and each[1] is not None else each[0]) for each in found]
json.dump(labels, sys.stdout)
"""
_EXIF_IFD, _EXIF_TIME, _TIME = 0x8769, 0x9003, 0x0132

Grouping = Callable[[Sequence[Path], Path], NDArray[np.int64]]
"""Function of photographs and their folder that returns the (N,) group of each, from 0."""


def grouping(rule: str) -> Grouping:
    """The function that finds the groups by a rule.

    Args:
        rule: ``folder``: photographs in one folder show one part. ``number:GAP``: so do those whose last numbers in the
            name follow each other within GAP. ``time:SECONDS``: those taken within SECONDS of each other, by the
            camera's time in the file. ``none``: each shows a different part. Otherwise a regular expression, searched
            in the name below the folder, with forward slashes.

    Raises:
        ConfigurationError: there is no such rule.
    """
    if rule == "folder":
        return lambda paths, root: numbered([_name(path.parent, root) for path in paths])
    if rule == "none":
        return lambda paths, root: np.arange(len(paths), dtype=np.int64)
    kind, colon, value = rule.partition(":")
    if colon and kind in ("number", "time"):
        try:
            gap = float(value)
        except ValueError:
            gap = -1.0
        if not 0 <= gap < float("inf"):
            raise ConfigurationError(f"--group {shortened(rule)}: give a number above 0 after the colon, as {kind}:20")
        measure = _last_number if kind == "number" else _time_taken
        return lambda paths, root: _by_gaps([measure(path, root) for path in paths], gap)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a later Python may warn about the pattern
            pattern = re.compile(rule)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigurationError(
            f"--group {shortened(rule)} is not a regular expression ({error}): give {RULES_TEXT}"
        ) from None
    return lambda paths, root: _by_pattern(paths, root, pattern)


def _by_pattern(paths: Sequence[Path], root: Path, pattern: re.Pattern[str]) -> NDArray[np.int64]:
    names = [_name(path, root) for path in paths]
    labels = _matched(pattern, names)
    missed = [name for name, label in zip(names, labels, strict=True) if label is None]
    if missed:
        raise DataError(
            f"the pattern {shortened(pattern.pattern)} for groups does not fit {len(missed)} of {len(paths)} "
            f"photographs, such as {shortened(missed[0])}: change --group"
        )
    return numbered([str(label) for label in labels])


def _matched(pattern: re.Pattern[str], names: Sequence[str]) -> list[str | None]:
    """Match the pattern in each name, in another process. Some patterns take years for one name, and only ending the
    process stops them.

    Raises:
        ConfigurationError: the pattern takes too long, or too much memory.
    """
    command = [sys.executable, "-I", "-W", "ignore", "-c", _MATCH]
    given = json.dumps([pattern.pattern, names])
    shown = f"--group {shortened(pattern.pattern)}"
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, encoding="ascii", check=False, timeout=MATCH_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise ConfigurationError(
            f"{shown} takes more than {MATCH_SECONDS} s for {len(names)} names: write it without repetitions that "
            "overlap, such as (a+)+ or .*.*"
        ) from None
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["its process was killed"])[-1]
        raise ConfigurationError(f"{shown} cannot be used: {shortened(reason)}")
    found: list[str | None] = json.loads(done.stdout)
    return found


def _by_gaps(values: Sequence[tuple[str, int]], gap: float) -> NDArray[np.int64]:
    """Start a new group whenever the next value is of another series or more than `gap` away."""
    order = sorted(range(len(values)), key=lambda row: values[row])
    labels, label = [0] * len(values), -1
    for place, row in enumerate(order):
        series, value = values[row]
        before = values[order[place - 1]] if place else None
        if before is None or before[0] != series or value - before[1] > gap:
            label += 1
        labels[row] = label
    return numbered(labels)


def _last_number(path: Path, root: Path) -> tuple[str, int]:
    """The last number in a file's name, and the rest of the name, which identifies the series."""
    stem = path.stem
    found = list(re.finditer("[0-9]+", stem))
    if not found:
        raise DataError(f"{_name(path, root)} has no number in its name: group by something other than numbers")
    last = found[-1]
    return f"{_name(path.parent, root)}/{stem[: last.start()]}|{stem[last.end() :]}", int(last[0][-_DIGITS:])


def _time_taken(path: Path, root: Path) -> tuple[str, int]:
    """The time that the camera wrote to the file, in seconds."""
    try:
        with Image.open(path) as image:
            exif = image.getexif()
            text = exif.get_ifd(_EXIF_IFD).get(_EXIF_TIME) or exif.get(_TIME)
        return "", datetime.strptime(str(text), "%Y:%m:%d %H:%M:%S").timestamp().__int__()
    except (OSError, ValueError, SyntaxError, OverflowError):
        raise DataError(
            f"{_name(path, root)} does not say when it was taken (EXIF DateTimeOriginal): use something other than time"
        ) from None


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
