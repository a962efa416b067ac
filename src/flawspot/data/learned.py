"""Keeps photographs that a detector has learned from out of its evaluation."""

from __future__ import annotations

import dataclasses
import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path

from flawspot.data.folders import fingerprint
from flawspot.data.samples import ImageFolder, LeftOut, Taken, name_below
from flawspot.data.sorting import BOTH, LEARN, TEST_GOOD
from flawspot.errors import DataError, FlawspotWarning
from flawspot.progress import Progress
from flawspot.runtime.artifact import graph_sha256, read
from flawspot.runtime.manifest import CalibrationInfo, TrainingInfo
from flawspot.runtime.state import beside, read_state
from flawspot.texts import counted, listed

LEARNED = "the detector has learned from these very photographs"
_HASH_DIGITS = 16
_WHERE_TESTED = {BOTH: TEST_GOOD, LEARN: f"{LEARN}, not tested on"}


def as_tested(folder: ImageFolder) -> ImageFolder:
    """`folder` with a table of roles for evaluation, where nothing is learned."""
    taken = (dataclasses.replace(row, role=_WHERE_TESTED.get(row.role, row.role)) for row in folder.taken)
    return dataclasses.replace(folder, taken=tuple(taken))


def without_what_was_learned(folder: ImageFolder, training: TrainingInfo) -> ImageFolder:
    """`folder` without the good test photographs, if the detector was trained on them.

    This is only possible if the same folder is used for both. They are recognized by the fingerprint in the manifest.

    Raises:
        DataError: a photograph cannot be read.
    """
    if not folder.tested_on_what_is_learned:
        return folder
    left_out = {*training.skipped, *training.dropped}
    learned = [path for path in folder.train if name_below(path, folder.root) not in left_out]
    if not learned or fingerprint(learned, folder.root) != training.fingerprint:
        return folder
    known = set(folder.train)
    test = tuple(sample for sample in folder.test if sample.path not in known)
    taken = tuple(row for row in folder.taken if not row.role.startswith("good"))
    first = next((Taken(row.folder, row.role, row.count) for row in folder.taken if row.role.startswith("good")), None)
    left = LeftOut("." if first is None else first.folder, LEARNED, folder.train)
    return dataclasses.replace(folder, test=test, taken=taken, left_out=(*folder.left_out, left))


def content_hash(path: Path) -> str:
    """The beginning of the file's sha256, by which a manifest recognizes a photograph under any name.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:_HASH_DIGITS]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None


def resting_on(paths: Iterable[Path], calibration: CalibrationInfo) -> list[Path]:
    """Those of `paths` that set the threshold; none if the manifest does not list them.

    The detector has not learned from them, unless its threshold comes from folds.

    Raises:
        DataError: one of them cannot be read.
    """
    known = set(calibration.hashes)
    return [path for path in paths if known and content_hash(path) in known]


def known_photographs(artifact: Path) -> set[str]:
    """Content hashes of the photographs that a detector is known to have been made from.

    The manifest lists those that set the threshold: with folds all of them. The state beside the artifact, if there is
    one of this detector, lists all. Without it, nothing tells which photographs a detector with a split learned from.
    A warning tells if the state is missing then, or is that of another detector, which is not used.

    Raises:
        ArtifactError: the artifact or its state is damaged.
    """
    found = read(artifact)
    known, place = set(found.manifest.calibration.hashes), beside(artifact)
    trouble = None
    if place.exists():
        state = read_state(place)
        if state.graph_sha256 == graph_sha256(found.model):
            return known | set(state.known)
        trouble = (
            f"{place} belongs to another detector, and is not used: remove it, or put there the .state file that was "
            f"written with {artifact}"
        )
    elif not found.manifest.calibration.folds:
        trouble = f"without {place} only those photographs are recognized and left out that set the threshold"
    if trouble is not None:
        warnings.warn(trouble, FlawspotWarning, stacklevel=2)
    return known


def nothing_to_learn(folder: ImageFolder) -> str:
    """The message if there are no good photographs to learn from."""
    tested = [row.folder for row in folder.taken if row.role == TEST_GOOD]
    cure = "give the folder of good parts"
    if tested:
        place = folder.root / tested[0]
        cure = f"to learn from them give {place}" if place.is_dir() else cure
        cure = f"those of {listed(tested, 3)} are for testing; {cure}"
    return f"no good photographs to learn from in {folder.root}: {cure}"


def check_unread(folder: ImageFolder, strict: bool, progress: Progress) -> None:
    """Report files of kinds that are not read. With `strict`, refuse them.

    Raises:
        DataError: there are some, and `strict` is set.
    """
    if not folder.unread:
        return
    files = f"{counted(len(folder.unread), 'file')} of kinds that are not read"
    if strict:
        first = folder.unread[0]
        raise DataError(f"{folder.root} holds {files}, such as {first}: save as PNG or JPEG, or remove them")
    progress.note(f"left out: {files}: {listed((path.name for path in folder.unread), 5)}")
