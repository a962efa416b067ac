"""The end of an update: a new threshold, the manifest, and the next state."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from flawspot.data.pasted import paste_defect
from flawspot.data.reading import at_centres
from flawspot.methods.updating import Changed
from flawspot.progress import Progress
from flawspot.provenance import now
from flawspot.runtime.arena import allowed_megabytes
from flawspot.runtime.artifact import Artifact, assemble, graph_sha256
from flawspot.runtime.calibration import calibrate
from flawspot.runtime.manifest import CalibrationInfo, Manifest, SelfTest
from flawspot.runtime.reduced import read_photograph
from flawspot.runtime.seen import Mind, Seen, layers_of
from flawspot.runtime.self_test import expected_of
from flawspot.runtime.session import open_session
from flawspot.runtime.state import CALIBRATION, REPLAY, VALIDATION, VARIED, Kept, State, shared_out
from flawspot.runtime.tolerated import copies_of, tolerant
from flawspot.runtime.updates import UpdateInfo
from flawspot.updating.new_photographs import NewPhotographs
from flawspot.updating.reservoir import joined, sampled

PASTED = 60
"""Number of new photographs with a pasted defect."""


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
class Deciding:
    """The photographs that set the threshold, held out in training and in all updates.

    Attributes:
        as_taken: their features.
        varied: those of the same photographs, varied up to the tolerance; None without one.
    """

    as_taken: Kept
    varied: Kept | None

    def scores(self, model: bytes) -> tuple[list[float], list[float]]:
        """Scores by a graph, as they are and varied."""
        return scores_by(model, self.as_taken), [] if self.varied is None else scores_by(model, self.varied)

    def calibrated(
        self,
        scores: tuple[list[float], list[float]],
        was: CalibrationInfo,
        rule: str,
        false_alarm_rate: float | None,
        pasted: Sequence[float] = (),
    ) -> CalibrationInfo:
        """The calibration that they give a detector.

        Args:
            scores: their `scores` by its graph.
            was: the old detector's calibration, whose tolerance stays.
            rule: how the rate becomes a threshold.
            false_alarm_rate: the rate; None for the old detector's.
            pasted: the detector's scores of photographs with pasted defects.
        """
        rate = was.false_alarm_rate if false_alarm_rate is None else false_alarm_rate
        as_taken = _calibrated(self.as_taken, scores[0], rule, rate, pasted)
        if was.tolerated is None or self.varied is None:
            return as_taken
        varied = _calibrated(self.varied, scores[1], rule, rate, pasted)
        return tolerant(as_taken, varied, was.tolerated.severities, was.tolerated.copies)


@dataclass(frozen=True)
class Tried:
    """The scores of a new photograph by one detector.

    Attributes:
        as_taken: of the photograph.
        pasted: of the photograph with a pasted defect.
    """

    as_taken: float
    pasted: float

    def shows(self, threshold: float) -> bool:
        """Whether the defect makes it anomalous, and nothing else does."""
        return self.as_taken <= threshold < self.pasted


@dataclass(frozen=True)
class After:
    """What the new detector is found to be.

    Attributes:
        calibration: its threshold.
        self_test: what its graph must give.
        scores: scores of the held-out photographs, old and new, that set the threshold; the new ones are last.
        alike: thresholds of the old and of the new detector by these photographs, at one promised rate. The new one's
            is that of the artifact, but by the rule ``conformal``: a fitted tail differs from detector to detector.
        tried: new photographs with a pasted defect, by the old and by the new detector.
    """

    calibration: CalibrationInfo
    self_test: SelfTest
    scores: tuple[float, ...]
    alike: tuple[float, float]
    tried: tuple[tuple[Tried, Tried], ...]


def judged(
    old: Old,
    new: NewPhotographs,
    learned: Learned,
    false_alarm_rate: float | None,
    seed: int,
    progress: Progress,
) -> After:
    """Set the threshold, and try both detectors on pasted defects.

    Args:
        old: the detector to update.
        new: the new photographs.
        learned: the result of learning from them.
        false_alarm_rate: the rate; None for the old one's.
        seed: seed of random choices.
        progress: told of the steps.
    """
    model, was = learned.model, old.manifest.calibration

    def both(role: str) -> Kept:
        return joined(old.state.of(role), learned.fresh[role])

    deciding = Deciding(both(CALIBRATION), None if was.tolerated is None else both(VARIED))
    with progress.step("setting the threshold"):
        session = open_session(model, megabytes=allowed_megabytes())
        tried = _tried(old, session, new, seed) if was.pasted else []
        rule, scores = "pareto" if was.rule == "pareto" else "conformal", deciding.scores(model)
        pasted = [by_new.pasted for _, by_new in tried]
        calibration = deciding.calibrated(scores, was, rule, false_alarm_rate, pasted)
        both_scores = (deciding.scores(old.artifact.model), scores)
        alike = [deciding.calibrated(own, was, "conformal", false_alarm_rate).threshold for own in both_scores]
        tested = expected_of(model, session)
    return After(calibration, tested, tuple(scores[0]), (alike[0], alike[1]), tuple(tried))


def finished(
    old: Old, new: NewPhotographs, learned: Learned, after: After, warnings: Sequence[str], seed: int
) -> Artifact:
    """The new artifact with its state.

    Args:
        old: the detector to update.
        new: the new photographs.
        learned: the result of learning from them.
        after: what the new detector is found to be.
        warnings: what the manifest tells of this update.
        seed: seed of random choices.
    """
    artifact = assemble(learned.model, _described(old, new, after, warnings))
    sizes = {role: old.state.of(role).nbytes + learned.fresh[role].nbytes for role in old.state.kept}
    limits = shared_out(sizes, old.state.megabytes << 20)
    roles = {
        role: sampled(photographs, learned.fresh[role], _seen(old.manifest, role), limits[role], seed)
        for role, photographs in old.state.kept.items()
    }
    known = (*old.state.known, *new.hashes)
    state = State(graph_sha256(artifact.model), learned.changed.learned, roles, known, old.state.megabytes)
    return dataclasses.replace(artifact, state=state)


def _calibrated(
    photographs: Kept, scores: Sequence[float], rule: str, rate: float, pasted: Sequence[float]
) -> CalibrationInfo:
    return calibrate(
        scores,
        rate,
        groups=photographs.groups,
        names=photographs.names,
        hashes=photographs.hashes,
        pasted=pasted,
        rule=rule,
    )


def scores_by(model: bytes, photographs: Kept) -> list[float]:
    """Scores of kept photographs by a graph."""
    mind = Mind(model, layers_of(model))
    return [mind(Seen(*photographs.photograph(row))) for row in range(len(photographs))]


def _tried(old: Old, session: InferenceSession, new: NewPhotographs, seed: int) -> list[tuple[Tried, Tried]]:
    """New photographs without and with one pasted defect each, by the old detector and by the new one in `session`;
    held-out ones first, as in training."""
    manifest, before = old.manifest, open_session(old.artifact.model, megabytes=allowed_megabytes())
    generator = np.random.default_rng([seed, PASTED])
    learned = np.concatenate([new.fit, new.validation])
    rows = np.concatenate([generator.permutation(new.calibration), generator.permutation(learned)])[:PASTED]

    def score(by: InferenceSession, pixels: NDArray[np.uint8]) -> float:
        return float(by.run(["score"], {"image": pixels[None]})[0][0])

    found = []
    for row in rows.tolist():
        photograph = read_photograph(new.images[row], manifest.view, white=manifest.white)
        hidden = manifest.view.not_inspected(photograph.size)
        where = None if hidden is None else ~at_centres(hidden, photograph.pixels.shape[:2])
        pasted = paste_defect(photograph.pixels, row, where)
        by_old, by_new = (Tried(score(own, photograph.pixels), score(own, pasted)) for own in (before, session))
        found.append((by_old, by_new))
    return found


def _described(old: Old, new: NewPhotographs, after: After, warnings: Sequence[str]) -> Manifest:
    step = UpdateInfo(
        created=now("seconds"),
        graph_sha256=graph_sha256(old.artifact.model),
        fingerprint=new.fingerprint,
        images=len(new.fit),
        validation_images=len(new.validation),
        calibration_images=len(new.calibration),
        warnings=tuple(warnings),
    )
    return dataclasses.replace(
        old.manifest,
        calibration=after.calibration,
        self_test=after.self_test,
        smallest=None,
        created=step.created,
        updates=(*old.manifest.updates, step),
    )


def _seen(manifest: Manifest, role: str) -> int:
    """The number of photographs of a role, in training and in all updates. For learning and for choosing the epoch,
    their copies count too."""
    held_out = "calibration_images"
    name = {CALIBRATION: held_out, VARIED: held_out, VALIDATION: "validation_images", REPLAY: "images"}[role]
    count = sum(int(getattr(each, name)) for each in (manifest.training, *manifest.updates))
    return count if role in (CALIBRATION, VARIED) else count * (1 + copies_of(manifest.calibration.tolerated))
