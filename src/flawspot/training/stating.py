"""Makes the state for updates when a detector is trained: features of held-out photographs from its own graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flawspot.data.learned import content_hash
from flawspot.data.varying import Varying
from flawspot.errors import ArtifactError, ConfigurationError, TrainingError
from flawspot.methods.updating import Before, updating_of
from flawspot.progress import SILENT, Progress
from flawspot.runtime.artifact import Artifact, graph_sha256
from flawspot.runtime.prefetch import prefetch
from flawspot.runtime.reduced import Decoded, read_photograph
from flawspot.runtime.seen import Eye, Mind, kept, layers_of
from flawspot.runtime.session import open_session
from flawspot.runtime.state import (
    CALIBRATION,
    MOST_MEGABYTES,
    REPLAY,
    VALIDATION,
    VARIED,
    Kept,
    State,
    shared_out,
    stacked,
)
from flawspot.training.configuration import Configuration
from flawspot.training.exporting import AGREEMENT
from flawspot.training.photographs import Division, Photographs
from flawspot.training.varying import varying_of

Rows = NDArray[np.int64]


def updatable(chosen: Configuration, division: Division, megabytes: int) -> Configuration:
    """The configuration of an updatable detector. Impossible requests are refused before the long work.

    Args:
        chosen: the configuration.
        division: the division of the photographs.
        megabytes: most megabytes of features to keep; False if the detector need not be updatable.

    Raises:
        ConfigurationError: the detector could not be updated; says why.
    """
    if megabytes is False:
        return chosen
    updating_of(chosen.method.name)
    if division.calibration == "cross":
        raise ConfigurationError("an update needs photographs that were held out: leave out --calibration cross")
    if chosen.at_once < chosen.view.tiles:
        raise ConfigurationError(
            "a detector whose tiles are looked at a few at a time cannot be updated: take fewer tiles, at most 16, "
            "and no --tile-memory"
        )
    if not 1 <= megabytes <= MOST_MEGABYTES:
        raise ConfigurationError(f"a state may take 1 to {MOST_MEGABYTES:,} megabytes for features, not {megabytes}")
    if chosen.precision == "int8" and not chosen.method.updates_in_int8():
        raise ConfigurationError(
            f"a network of {chosen.method.name} that is rounded to 8 bits cannot go on learning: leave out --precision "
            "int8 or --state"
        )
    chosen.method.leave_room()
    return dataclasses.replace(chosen, updatable=megabytes)


def with_state(
    artifact: Artifact, chosen: Configuration, photographs: Photographs, *, progress: Progress = SILENT
) -> Artifact:
    """A newly trained detector with its state, which is tested.

    Raises:
        TrainingError: the graph cannot be cut where an update must cut it.
    """
    learned = chosen.method.learned()
    if learned is None:
        raise ConfigurationError(f"detectors of {chosen.method.name} cannot be updated: leave out --state")
    try:
        eye = _tried(artifact.model, photographs, chosen)
        found, roles, varying = {}, {CALIBRATION: photographs.calibration}, varying_of(chosen, photographs)
        if chosen.method.validates():
            roles[VALIDATION] = photographs.validation
        if chosen.method.replays():
            roles[REPLAY] = photographs.fit
        # Features for further training and for choosing the epoch are varied as in training.
        uses = {role: list(range(1 + (0 if role == CALIBRATION else chosen.copies))) for role in roles}
        if varying is not None:
            roles[VARIED], uses[VARIED] = photographs.calibration, [varying.farthest]
        limits = shared_out({role: len(rows) * len(uses[role]) for role, rows in roles.items()}, chosen.updatable << 20)
        for number, (role, rows) in enumerate(roles.items()):
            # The same photographs with and without variations.
            seed = [chosen.method.seed, 0 if role == VARIED else number]
            found[role] = _seen(eye, photographs, chosen, rows, seed, progress, varying, uses[role], limits[role])
        before = Before(artifact.model, artifact.manifest, learned)
        updating_of(chosen.method.name)(before)
    except ArtifactError as error:
        raise TrainingError(f"this detector cannot be updated: {error}") from None
    hashes = tuple(content_hash(path) for path in photographs.images)
    state = State(graph_sha256(artifact.model), learned, found, hashes, chosen.updatable)
    return dataclasses.replace(artifact, state=state)


def _tried(model: bytes, photographs: Photographs, chosen: Configuration) -> Eye:
    """The first part of a graph, after comparing both parts with the whole graph on one photograph."""
    layers = layers_of(model)
    eye, mind = Eye(model, layers), Mind(model, layers)
    path = (photographs.held_out() or photographs.images)[0]
    pixels = read_photograph(path, chosen.view, white=photographs.white).pixels
    want = float(open_session(model).run(["score"], {"image": pixels[None]})[0][0])
    if abs(mind(eye(pixels)) - want) > AGREEMENT * max(abs(want), 1e-12):
        raise TrainingError("this detector cannot be updated: its graph in two parts says another score")
    return eye


def _seen(
    eye: Eye,
    photographs: Photographs,
    chosen: Configuration,
    rows: Rows,
    seed: list[int],
    progress: Progress,
    varying: Varying | None,
    copies: Sequence[int],
    limit: int,
) -> Kept:
    """Features of all given photographs, or of a random sample that fits into `limit` bytes, at least one.

    Copy 0 is the photograph as taken; `varying` makes the others.
    """
    order = [(row, copy) for row in np.random.default_rng(seed).permutation(rows).tolist() for copy in copies]

    def read(use: tuple[int, int]) -> Decoded:
        row, copy = use
        if varying is not None and copy:
            return varying.read(photographs.images[row], copy)
        return read_photograph(photographs.images[row], chosen.view, white=photographs.white)

    found: list[tuple[int, Kept]] = []
    taken = 0
    for (row, _), photograph in progress.track(prefetch(order, read), "keeping features", len(order)):
        if isinstance(photograph, Exception):
            raise photograph
        path = photographs.images[row]
        seen = eye(photograph.pixels)
        one = kept(photographs.names(np.array([row]))[0], content_hash(path), int(photographs.groups[row]), seen)
        taken += one.nbytes
        if found and taken > limit:
            progress.note(f"{len(found)} of {len(order)} photographs are kept for updates: no more fit the budget")
            break
        found.append((row, one))
    return stacked([one for _, one in sorted(found, key=lambda each: each[0])])
