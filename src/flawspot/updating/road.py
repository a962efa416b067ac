"""Updates a detector: from an artifact, its state and new good photographs to a new artifact and its state.

It needs torch only if the method does. Features come from the artifact's own graph, and the learned values are written
to the graph's constants. The old photographs are not needed. The threshold is set again by held-out photographs of old
and new days, all scored by the new detector.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flawspot.data.folders import Data
from flawspot.errors import ArtifactError, ConfigurationError, FlawspotError
from flawspot.files import check_writable
from flawspot.methods.updating import Before, Updater, updating_of
from flawspot.progress import Progress, as_progress
from flawspot.runtime.artifact import Artifact, graph_sha256
from flawspot.runtime.calibration import check_rate
from flawspot.runtime.onnx_checks import check_model
from flawspot.runtime.prefetch import prefetch
from flawspot.runtime.reduced import Decoded, read_photograph
from flawspot.runtime.seen import Eye, Mind, Seen, kept, layers_of
from flawspot.runtime.signature import Key, read_trusted
from flawspot.runtime.state import REPLAY, ROLES, VALIDATION, Kept, State, beside, read_state, stacked
from flawspot.runtime.stores import with_stores
from flawspot.seeds import check_seed
from flawspot.texts import shortened
from flawspot.updating.comparing import compared, nothing_new
from flawspot.updating.finishing import Learned, Old, finished, judged
from flawspot.updating.new_photographs import NewPhotographs, read_new
from flawspot.updating.report import Report
from flawspot.updating.uses import Use, uses_of, varying_within

DEFAULT_FRACTION = 0.2


@dataclass(frozen=True)
class Updated:
    """The result of `update`.

    Attributes:
        artifact: the new artifact with its state; the old one if nothing was new.
        report: the changes.
    """

    artifact: Artifact
    report: Report


def update(
    artifact: Artifact | str | os.PathLike[str],
    data: Data,
    *,
    state: State | str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    good: str | Sequence[str] = (),
    group: str | None = None,
    calibration_fraction: float = DEFAULT_FRACTION,
    false_alarm_rate: float | None = None,
    seed: int = 0,
    strict: bool = False,
    trusted_keys: Sequence[Key] | None = None,
    progress: Progress | bool = True,
) -> Updated:
    """Make a new artifact that has also learned from new good photographs.

        >>> options = {"method": "padim", "input_size": 64, "random_weights": True, "progress": False}
        >>> old = flawspot.train("photos", **options, state=True, output="old.onnx")
        >>> updated = flawspot.update("old.onnx", "more", output="updated.onnx", progress=False)
        >>> updated.report.learned, updated.report.held_out, updated.report.known
        (10, 2, 0)
        >>> flawspot.update("updated.onnx", "more", progress=False).report.known
        12

    Photographs that the detector knows are left out, so giving the same ones twice changes nothing. The old artifact
    and its state are not changed.

    Args:
        artifact: an artifact that was trained with ``state=True``, or its file.
        data: new good photographs, as for `flawspot.train`.
        state: the artifact's state, or its file; None takes the state in the artifact, or the file beside it.
        output: where to write the new artifact, an .onnx file, with its state beside it; None writes nothing.
        good: names of the folders or labels that are good; empty for the usual ones.
        group: which photographs show one part, as for `flawspot.train`.
        calibration_fraction: the share of the new photographs that is held out for the threshold, in (0, 1).
        false_alarm_rate: the rate; None keeps the one of training.
        seed: of every random choice.
        strict: fail at the first photograph that cannot be read.
        trusted_keys: public keys. One of them must have signed the artifact's file. None takes the keys in
            FLAWSPOT_TRUSTED_KEYS. The new artifact is not signed; the person who approves it signs it.
        progress: as for `flawspot.train`.

    Raises:
        ArtifactError: the artifact was not trained to be updated, or the state belongs to another one.
        ConfigurationError: a value is out of its range, or the method cannot be updated.
        DataError: there are no good photographs.
        SignatureError: the artifact is not signed by a trusted key.
        MissingPackageError: the method needs torch, which is not installed.
    """
    begin, told = time.perf_counter(), as_progress(progress)
    if not 0 < calibration_fraction < 1:
        raise ConfigurationError(f"calibration fraction {calibration_fraction:g} is not between 0 and 1: try 0.2")
    check_seed(seed)
    if false_alarm_rate is not None:
        check_rate(false_alarm_rate)
    old = _opened(artifact, state, trusted_keys)
    if output is not None:
        _check_output(output, artifact, state)
    updater = updating_of(old.manifest.method)
    new = read_new(
        data,
        old.state.known,
        good=good,
        group=group,
        fraction=calibration_fraction,
        validating=calibration_fraction if len(old.state.of(VALIDATION)) else 0.0,
        seed=seed,
        strict=strict,
        progress=told,
    )
    if not new.images:
        return Updated(old.artifact, nothing_new(old, new, time.perf_counter() - begin))
    learned = _learned(old, new, updater, seed, told)
    after = judged(old, new, learned, false_alarm_rate, seed, told)
    report = compared(old, new, learned, after)
    made = finished(old, new, learned, after, report.warnings, seed)
    if output is not None:
        made.save(output)
    return Updated(made, dataclasses.replace(report, seconds=round(time.perf_counter() - begin, 3)))


def _opened(
    artifact: Artifact | str | os.PathLike[str],
    state: State | str | os.PathLike[str] | None,
    trusted_keys: Sequence[Key] | None,
) -> Old:
    found = artifact if isinstance(artifact, Artifact) else read_trusted(Path(artifact), trusted_keys)
    if state is None and found.state is None and isinstance(artifact, Artifact):
        raise ConfigurationError("this artifact has no state with it: give `state`, the file that training kept")
    if not isinstance(state, State):
        given = beside(artifact) if state is None and not isinstance(artifact, Artifact) else state
        state = found.state if given is None else read_state(given)
    assert state is not None  # one of the above was given
    if state.graph_sha256 != graph_sha256(found.model):
        raise ArtifactError(
            "the state belongs to another detector: give the .state file that was written with this one"
        )
    return Old(found, state)


def _check_output(
    output: str | os.PathLike[str],
    artifact: Artifact | str | os.PathLike[str],
    state: State | str | os.PathLike[str] | None,
) -> None:
    path = Path(output)
    if path.suffix != ".onnx":
        raise ConfigurationError(f"the output {path} must be an .onnx file; its state is written beside it")
    if not isinstance(artifact, Artifact):
        if _same(path, artifact):
            raise ConfigurationError(f"{path} is the artifact to update: give another name for the new one")
        state = beside(artifact) if state is None else state
    if state is not None and not isinstance(state, State) and _same(beside(path), state):
        raise ConfigurationError(
            f"{beside(path)}, where the state of {path} goes, is the old artifact's state: give another name"
        )
    check_writable(path)
    check_writable(beside(path))


def _same(one: Path, other: str | os.PathLike[str]) -> bool:
    """Whether both are one file under different names: by links, or on a disk that ignores case."""
    with contextlib.suppress(OSError):
        return one.samefile(other)
    return one.resolve() == Path(other).resolve()


def _learned(old: Old, new: NewPhotographs, updater: type[Updater], seed: int, progress: Progress) -> Learned:
    """Score the photographs one by one."""
    manifest, state = old.manifest, old.state
    layers = layers_of(old.artifact.model)
    eye, mind = Eye(old.artifact.model, layers), Mind(old.artifact.model, layers)
    before = Before(
        old.artifact.model, manifest, state.learned, state.of(REPLAY), state.of(VALIDATION), progress=progress
    )
    with _fitting():
        learner = updater(before)
    varying = varying_within(manifest, new.root, seed)
    uses = uses_of(new, varying)

    def read(use: Use) -> Decoded:
        if varying is not None and use.copy:
            return varying.read(new.images[use.row], use.copy)
        return read_photograph(new.images[use.row], manifest.view, white=manifest.white)

    found: dict[str, list[Kept]] = {role: [] for role in ROLES}
    scores: dict[str, float] = {}
    for use, photograph in progress.track(prefetch(uses, read), "learning from new photographs", len(uses)):
        if isinstance(photograph, Exception):
            raise photograph
        seen, row, role = eye(photograph.pixels), use.row, use.role
        if not scores:
            _check_kept(state, seen)
        if not use.copy:
            scores[new.name(row)] = mind(seen)
        if role == REPLAY:
            with _fitting():
                learner.add(seen.maps, seen.inside)
        if role != REPLAY or REPLAY in state.kept:
            found[role].append(kept(new.name(row), new.hashes[row], int(new.groups[row]), seen))
    fresh = {role: stacked(parts) for role, parts in found.items()}
    with _fitting():
        changed = learner.finish(fresh[VALIDATION])
        model = with_stores(old.artifact.model, changed.stores)
        if changed.then is not None:
            model = with_stores(model, changed.then(model))
    check_model(model)
    return Learned(model, changed, fresh, scores)


@contextlib.contextmanager
def _fitting() -> Iterator[None]:
    """Call the method with the state. A state from a file may hold numbers of any shape, which must give an error of
    one line."""
    try:
        yield
    except (ValueError, IndexError, KeyError, TypeError, AssertionError, RuntimeError, ArithmeticError) as error:
        if isinstance(error, FlawspotError):
            raise
        if isinstance(error, RuntimeError) and "allocate memory" in str(error):  # torch has no other error for it
            raise MemoryError from error
        told = shortened(" ".join(str(error).split()), 120)
        raise ArtifactError(f"the state does not fit the detector ({type(error).__name__}: {told})") from error


def _check_kept(state: State, seen: Seen) -> None:
    """Check that the kept features have the shape of new ones.

    Raises:
        ArtifactError: they have not.
    """
    tiles = len(next(iter(seen.maps.values())))
    for role, kept_ones in state.kept.items():
        if not len(kept_ones):
            continue
        shapes = {layer: maps.shape[1:] for layer, maps in kept_ones.maps.items()}
        inside = None if kept_ones.inside is None else kept_ones.inside.shape[1:]
        now = None if seen.inside is None else seen.inside.shape[1:]
        if (
            kept_ones.tiles != tiles
            or shapes != {layer: maps.shape[1:] for layer, maps in seen.maps.items()}
            or inside != now
        ):
            raise ArtifactError(f"the state's photographs of {role} are not those of this detector: it is damaged")
