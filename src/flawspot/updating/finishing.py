"""The end of an update: a new threshold, the manifest, the next state, and the report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnxruntime import InferenceSession

from flawspot.data.pasted import paste_defect
from flawspot.data.reading import at_centres
from flawspot.methods.updating import Changed
from flawspot.progress import Progress
from flawspot.provenance import now
from flawspot.runtime.arena import allowed_megabytes
from flawspot.runtime.artifact import Artifact, assemble, graph_sha256
from flawspot.runtime.calibration import calibrate, outlying, without
from flawspot.runtime.manifest import CalibrationInfo, Manifest
from flawspot.runtime.reduced import read_photograph
from flawspot.runtime.seen import Mind, Seen, layers_of
from flawspot.runtime.self_test import expected_of
from flawspot.runtime.session import open_session
from flawspot.runtime.state import CALIBRATION, REPLAY, VALIDATION, VARIED, Kept, State, shared_out
from flawspot.runtime.tolerated import tolerant
from flawspot.runtime.updates import UpdateInfo
from flawspot.updating.new_photographs import NewPhotographs
from flawspot.updating.report import Report
from flawspot.updating.reservoir import joined, sampled

PASTED = 60
"""Number of new photographs with a pasted defect."""
BY_HAND = "the threshold that was set by hand is replaced by one for the false-alarm rate"
_FEW = 4
"""So few scores cannot have outliers."""


@dataclass(frozen=True)
class Old:
    """The detector to update, with its state."""

    artifact: Artifact
    state: State

    @property
    def manifest(self) -> Manifest:
        """The manifest of the artifact."""
        return self.artifact.manifest


@dataclass(frozen=True)
class Learned:
    """The result of learning.

    Attributes:
        model: the graph with the new constants.
        changed: the method's description of the change.
        fresh: features of the new photographs to keep, by role.
        scores: score of every new photograph by the old detector, by name.
    """

    model: bytes
    changed: Changed
    fresh: Mapping[str, Kept]
    scores: Mapping[str, float]


@dataclass(frozen=True)
class After:
    """The new detector.

    Attributes:
        artifact: the artifact with its state.
        scores: scores of the held-out photographs, old and new, that set the threshold; the new ones are last.
        pasted_found_before: how many of the pasted defects the old detector finds at its threshold.
    """

    artifact: Artifact
    scores: tuple[float, ...]
    pasted_found_before: int

    @property
    def state(self) -> State:
        """The state of the artifact."""
        assert self.artifact.state is not None  # `finished` sets it
        return self.artifact.state


def finished(
    old: Old,
    new: NewPhotographs,
    learned: Learned,
    false_alarm_rate: float | None,
    seed: int,
    progress: Progress,
) -> After:
    """Set the threshold, and write manifest and state.

    Args:
        old: the detector to update.
        new: the new photographs.
        learned: the result of learning from them.
        false_alarm_rate: the rate; None for the old one's.
        seed: seed of random choices.
        progress: told of the steps.
    """
    manifest = old.manifest
    held_out, model = joined(old.state.of(CALIBRATION), learned.fresh[CALIBRATION]), learned.model
    with progress.step("setting the threshold"):
        scores = _scores(model, held_out)
        session = open_session(model, megabytes=allowed_megabytes())
        before, pasted = _pasted(old, session, new, seed) if manifest.calibration.pasted else ([], [])
        calibration = _calibrated(manifest, held_out, scores, pasted, false_alarm_rate)
        if manifest.calibration.tolerated is not None:
            varied = joined(old.state.of(VARIED), learned.fresh[VARIED])
            of_varied = _calibrated(manifest, varied, _scores(model, varied), pasted, false_alarm_rate)
            tolerated = manifest.calibration.tolerated
            calibration = tolerant(calibration, of_varied, tolerated.severities, tolerated.copies)
        tested = expected_of(model, session)
    described = dataclasses.replace(_described(old, new, calibration), self_test=tested)
    artifact = assemble(model, described)
    sizes = {role: old.state.of(role).nbytes + learned.fresh[role].nbytes for role in old.state.kept}
    limits = shared_out(sizes, old.state.megabytes << 20)
    roles = {
        role: sampled(photographs, learned.fresh[role], _seen(manifest, role), limits[role], seed)
        for role, photographs in old.state.kept.items()
    }
    known = (*old.state.known, *new.hashes)
    state = State(graph_sha256(artifact.model), learned.changed.learned, roles, known, old.state.megabytes)
    limit = manifest.calibration.threshold
    found_before = sum(score > limit for score in before)
    return After(dataclasses.replace(artifact, state=state), tuple(scores), found_before)


def compared(old: Old, new: NewPhotographs, learned: Learned, after: After) -> Report:
    """The changes, measured on photographs that neither detector has learned from."""
    limit_before, limit = old.manifest.calibration.threshold, after.artifact.manifest.calibration.threshold
    held_out_before = old.state.of(CALIBRATION)
    count = len(held_out_before)
    scores_before = _earlier_scores(old, held_out_before)
    scores_before += [learned.scores[name] for name in learned.fresh[CALIBRATION].names]
    before = [score > limit_before for score in scores_before]
    now_above = [score > limit for score in after.scores]
    names, scores = list(learned.scores), list(learned.scores.values())
    odd = [names[row] for row in outlying(scores)] if len(scores) >= _FEW else []
    calibration = after.artifact.manifest.calibration
    high, threshold_without = _unusual(calibration, learned.fresh[CALIBRATION])
    return Report(
        learned=len(new.fit),
        held_out=len(new.calibration),
        validated=len(new.validation),
        known=new.known,
        not_inspected=new.skipped,
        threshold_before=limit_before,
        threshold=limit,
        promised_rate=calibration.promised_rate,
        new_alarms_before=sum(before[count:]),
        new_alarms=sum(now_above[count:]),
        old_held_out=count,
        old_alarms_before=sum(before[:count]),
        old_alarms=sum(now_above[:count]),
        told=(*learned.changed.told, *([BY_HAND] if old.manifest.calibration.rule == "value" else [])),
        anomalous_before=sum(score > limit_before for score in scores),
        suspects=tuple(dict.fromkeys((*odd, *high))),
        threshold_without=threshold_without,
        pasted=len(calibration.pasted),
        pasted_found_before=after.pasted_found_before,
        pasted_found=sum(score > limit for score in calibration.pasted),
    )


def _earlier_scores(old: Old, photographs: Kept) -> list[float]:
    """Scores of held-out photographs of earlier days by the old detector.

    Where its manifest has them, they are taken from there: the features that are kept are rounded, and by them the
    photograph that set the threshold may be a hair above it.
    """
    calibration = old.manifest.calibration
    known = dict(zip(calibration.hashes, calibration.as_taken, strict=False))
    if all(each in known for each in photographs.hashes):
        return [known[each] for each in photographs.hashes]
    return _scores(old.artifact.model, photographs)


def _unusual(calibration: CalibrationInfo, new: Kept) -> tuple[list[str], float | None]:
    """New photographs among those that set the threshold whose scores are unusually high, and the threshold without
    them; None if there are none. As they were not learned from, a bad one among them makes the threshold too high."""
    if len(calibration.scores) < _FEW or calibration.rule != "conformal":
        return [], None
    own = set(new.hashes)
    odd = [row for row in outlying(calibration.scores) if calibration.hashes[row] in own]
    return [calibration.names[row] for row in odd], without(calibration, odd).threshold if odd else None


def nothing_new(old: Old, new: NewPhotographs, seconds: float) -> Report:
    """The result if the detector already knows every photograph."""
    calibration = old.manifest.calibration
    return Report(
        known=new.known,
        not_inspected=new.skipped,
        threshold_before=calibration.threshold,
        threshold=calibration.threshold,
        promised_rate=calibration.promised_rate,
        told=("nothing is new: the artifact is not changed",),
        seconds=round(seconds, 3),
    )


def _calibrated(
    manifest: Manifest,
    photographs: Kept,
    scores: Sequence[float],
    pasted: Sequence[float],
    false_alarm_rate: float | None,
) -> CalibrationInfo:
    return calibrate(
        scores,
        manifest.calibration.false_alarm_rate if false_alarm_rate is None else false_alarm_rate,
        groups=photographs.groups,
        names=photographs.names,
        hashes=photographs.hashes,
        pasted=pasted,
        rule="pareto" if manifest.calibration.rule == "pareto" else "conformal",
    )


def _scores(model: bytes, photographs: Kept) -> list[float]:
    mind = Mind(model, layers_of(model))
    return [mind(Seen(*photographs.photograph(row))) for row in range(len(photographs))]


def _pasted(old: Old, session: InferenceSession, new: NewPhotographs, seed: int) -> tuple[list[float], list[float]]:
    """Scores of new photographs with one pasted defect each, by the old detector and by the new one in `session`;
    held-out ones first, as in training."""
    manifest, sessions = old.manifest, (open_session(old.artifact.model, megabytes=allowed_megabytes()), session)
    generator = np.random.default_rng([seed, PASTED])
    learned = np.concatenate([new.fit, new.validation])
    rows = np.concatenate([generator.permutation(new.calibration), generator.permutation(learned)])[:PASTED]
    found: tuple[list[float], list[float]] = ([], [])
    for row in rows.tolist():
        photograph = read_photograph(new.images[row], manifest.view, white=manifest.white)
        hidden = manifest.view.not_inspected(photograph.size)
        where = None if hidden is None else ~at_centres(hidden, photograph.pixels.shape[:2])
        pixels = paste_defect(photograph.pixels, row, where)
        for own, scores in zip(sessions, found, strict=True):
            scores.append(float(own.run(["score"], {"image": pixels[None]})[0][0]))
    return found


def _described(old: Old, new: NewPhotographs, calibration: CalibrationInfo) -> Manifest:
    step = UpdateInfo(
        created=now("seconds"),
        graph_sha256=graph_sha256(old.artifact.model),
        fingerprint=new.fingerprint,
        images=len(new.fit),
        validation_images=len(new.validation),
        calibration_images=len(new.calibration),
    )
    updates = (*old.manifest.updates, step)
    return dataclasses.replace(
        old.manifest, calibration=calibration, smallest=None, created=step.created, updates=updates
    )


def _seen(manifest: Manifest, role: str) -> int:
    """The number of photographs of a role, in training and in all updates. For learning and for choosing the epoch,
    their copies count too."""
    held_out = "calibration_images"
    name = {CALIBRATION: held_out, VARIED: held_out, VALIDATION: "validation_images", REPLAY: "images"}[role]
    count = sum(int(getattr(each, name)) for each in (manifest.training, *manifest.updates))
    tolerated = manifest.calibration.tolerated
    return count if tolerated is None or role in (CALIBRATION, VARIED) else count * (1 + tolerated.copies)
