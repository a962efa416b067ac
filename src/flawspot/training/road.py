"""From photographs of good parts to an artifact: configure, read, fit on features, export, calibrate, describe."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from flawspot.data.folders import Data
from flawspot.data.tolerances import Given, as_tolerance
from flawspot.files import check_writable
from flawspot.methods import DEFAULT_METHOD
from flawspot.methods.base import Method
from flawspot.methods.features import FeatureSet
from flawspot.progress import Progress, as_progress
from flawspot.quantization.steps import Quantization
from flawspot.runtime.artifact import Artifact, assemble
from flawspot.runtime.calibration import DEFAULT_FALSE_ALARM_RATE, outlying, remarks
from flawspot.runtime.manifest import CalibrationInfo, SelfTest
from flawspot.runtime.self_test import expected_of
from flawspot.runtime.session import open_session
from flawspot.runtime.state import DEFAULT_MEGABYTES
from flawspot.training.areas import Area
from flawspot.training.calibration import Scores, cross_scores, described, held_out_scores, pasted_scores
from flawspot.training.configuration import Configuration, configure
from flawspot.training.describing import describe
from flawspot.training.expectations import expectations
from flawspot.training.exporting import export_detector
from flawspot.training.feature_cache import FeatureCache
from flawspot.training.feature_source import feature_source
from flawspot.training.pasting import pasted_on
from flawspot.training.photographs import Division, Photographs, read_photographs
from flawspot.training.precision import quantize_backbone
from flawspot.training.stating import updatable, with_state
from flawspot.training.tiles import inside_tiles
from flawspot.training.turning import check_turns, turned
from flawspot.training.varying import varying_of
from flawspot.training.viewing import request_view

DEFAULT_INPUT_SIZE = 224
DEFAULT_CALIBRATION_FRACTION = 0.2


@dataclass
class _Phases:
    """Seconds by phase."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def time(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0) + time.perf_counter() - begin, 3)


def train(
    data: Data,
    *,
    good: str | Sequence[str] = (),
    method: str | Method = DEFAULT_METHOD,
    settings: Mapping[str, Any] | None = None,
    backbone: str = "mobilenet_v2",
    layers: str | Sequence[int] | None = None,
    output: str | os.PathLike[str] | None = None,
    weights: str | None = None,
    random_weights: bool = False,
    input_size: int | str | tuple[int, int] = DEFAULT_INPUT_SIZE,
    fit: str = "squash",
    tiles: str | tuple[int, int] | None = None,
    tile_overlap: float | None = None,
    tile_memory: bool = False,
    roi: Area | Sequence[Area] = (),
    ignore: Area | Sequence[Area] = (),
    normalization: str = "weights",
    precision: str = "float32",
    tolerate: Given = None,
    false_alarm_rate: float = DEFAULT_FALSE_ALARM_RATE,
    calibration: str = "auto",
    calibration_fraction: float = DEFAULT_CALIBRATION_FRACTION,
    group: str | None = None,
    drop_suspects: bool = False,
    state: bool | int = False,
    seed: int | None = None,
    strict: bool = False,
    cache: FeatureCache | None = None,
    progress: Progress | bool = True,
) -> Artifact:
    """Train a detector on photographs of good parts.

        >>> artifact = flawspot.train(
        ...     "photos", method="padim", input_size=64, random_weights=True, output="new.onnx", progress=False
        ... )
        >>> len(artifact.manifest.calibration.scores)
        8
        >>> flawspot.load("new.onnx").predict("photos/test/scratch/0.png").verdict
        'anomalous'

    Args:
        data: a folder in the MVTec layout (its ``train/good``), with folders such as ``OK`` and ``NG``, or a plain one
            of photographs of good parts; a list in a file, text, CSV or JSON Lines; or paths of photographs. See
            ``docs/data.md``.
        good: names of the folders or labels of good parts; empty for the usual names.
        method: a method's name, or a `Method` with its hyperparameters.
        settings: hyperparameters of the method by name. They replace those of a given `Method`.
        backbone: a backbone's name.
        layers: a layer group's name or block indices; None takes the method's own group.
        output: path of the artifact, an .onnx file; None writes nothing.
        weights: name of the pretrained weights; None takes the backbone's default.
        random_weights: leave the backbone untrained, if no weights are available. The manifest says so.
        input_size: input size of the network in pixels: the side of a square, or (height, width), also as
            ``"256x512"``.
        fit: how a photograph is brought to the input size: ``squash`` stretches it, as the papers do; ``pad`` keeps its
            proportions and adds a border; ``crop`` keeps them and cuts off. See `flawspot.runtime.view`.
        tiles: number of tiles of a photograph as (rows, columns), also as ``"2x3"``, each of the input size; or
            ``"auto:PIXELS"`` for tiles that each show so many pixels of the photographs. See ``docs/small-defects.md``.
        tile_overlap: overlap of neighbouring tiles, 0 to 0.5 of a tile; None for a quarter.
        tile_memory: process only a few tiles at a time, which needs less memory.
        roi: the inspected area: a picture of a mask of a photograph's shape, white inside; or corners of a polygon in
            pixels of the photographs, two for a rectangle, as pairs or as ``"10,20 300,200"``; or several of these.
            The rest is not inspected.
        ignore: areas that are not inspected, in the same form.
        normalization: normalisation of the photographs: ``weights`` for that of the weights' training, ``paper`` for
            ImageNet's mean and standard deviation, which the PaSTe paper uses for every backbone.
        precision: ``float32`` or ``int8``. With ``int8``, the backbone is rounded to 8 bits first, and everything else
            is learned from the rounded backbone; see ``docs/edge.md``.
        tolerate: variations that are no defects: severities of `flawspot.data.corruptions` by name, also as
            ``"noise=2,shift=1"``, or the preset ``"line"``. Copies of the good photographs, two of each or ``copies``,
            are varied up to them, in fitting and for the threshold; see ``docs/tolerance.md``.
        false_alarm_rate: share of good parts that may be called anomalous, in (0, 1).
        calibration: ``split`` holds out a share of the good photographs for the threshold. ``cross`` learns from all,
            and scores each by a detector fitted on the other folds. ``auto`` takes ``cross`` if the method is fitted
            quickly and a split could not promise the rate. See `flawspot.runtime.calibration`.
        calibration_fraction: share of the good photographs that ``split`` holds out and that are used for nothing else,
            in (0, 1).
        group: rule for photographs of one part: ``folder``, ``number:GAP``, ``time:SECONDS``, ``none`` or a regular
            expression on names; None groups only near-duplicates. See `flawspot.data.groups`.
        drop_suspects: leave out good photographs that score unusually high, as bad parts among them do, and
            learn again; see `flawspot.runtime.calibration.outlying`. Otherwise they are only named.
        state: keep the state for updates (`flawspot.update`), in the artifact's `state` and, with `output`, in a file
            beside it, ``part.state`` beside ``part.onnx``; see ``docs/learning-on.md``. Photographs are held out for
            it, so ``auto`` is ``split`` then. A number is the budget for features of held-out photographs in 2^20
            bytes, instead of 64. A method that learns from old photographs' features again has the same budget for
            these. If not all fit, fewer are kept.
        seed: seed of every random choice, 0 by default. It replaces the seed of a given `Method`.
        strict: fail at the first photograph that cannot be read, and if there are files of unknown kinds, instead of
            leaving them out.
        cache: keeps the features of all good photographs for other methods, seeds and splits; None keeps them only for
            this run.
        progress: True shows a bar on standard error, on a terminal and in notebooks; False is silent; or a `Progress`.

    Returns:
        The verified artifact. ``flawspot.load`` accepts it, or the file.

    Raises:
        ConfigurationError: an unknown method, backbone, layer group or setting, or a value out of its range.
        DataError: no photographs or too few, or it is unclear which of them are good.
        ImageError: with `strict`, a photograph that cannot be read.
        WeightsError: the pretrained weights are not available.
        TrainingError: training diverged, or the exported graph disagrees with what was trained.
        FlawspotError: the artifact or the features cannot be written.
    """
    told = as_progress(progress)
    divided = "split" if state and calibration == "auto" else calibration
    division = Division(divided, calibration_fraction, group, false_alarm_rate)
    tolerance = as_tolerance(tolerate)
    request = request_view(input_size, fit, tiles, tile_overlap, roi, ignore)
    if output is not None:
        check_writable(Path(output))
    with told.step("loading the backbone"):
        chosen = configure(
            method=method,
            settings=settings,
            backbone=backbone,
            layers=layers,
            weights=weights,
            random_weights=random_weights,
            size=request.size,
            normalization=normalization,
            precision=precision,
            spare_memory=tile_memory,
            seed=seed,
            progress=told,
        )
    phases = _Phases()
    with phases.time("reading"):
        photographs = read_photographs(data, chosen.method, division, good=good, strict=strict, progress=told)
    chosen = dataclasses.replace(chosen, view=request.resolved(photographs.sizes), tolerance=tolerance)
    chosen = updatable(chosen, division, DEFAULT_MEGABYTES if state is True else state)
    return _saved(_detector(chosen, photographs, division, cache, drop_suspects, phases, told), output)


def _saved(artifact: Artifact, output: str | os.PathLike[str] | None) -> Artifact:
    if output is not None:
        artifact.save(output)
    return artifact


def _detector(
    chosen: Configuration,
    photographs: Photographs,
    division: Division,
    cache: FeatureCache | None,
    drop_suspects: bool,
    phases: _Phases,
    told: Progress,
) -> Artifact:
    """Fit, perhaps again without suspects, and make the artifact, with the state for updates if it is wanted."""
    for remark in expectations(chosen, photographs):
        told.note(remark)
    check_turns(chosen.method, chosen.view, photographs.sizes)
    model, scores, calibrated, tested = _learn(chosen, photographs, division, cache, phases, told)
    if drop_suspects and (suspects := outlying(scores.as_taken)):
        photographs = photographs.without(photographs.scored()[suspects], division, chosen.method)
        told.note(
            f"left out, because they score unusually high for good photographs: {', '.join(photographs.dropped)}; the "
            "false-alarm rate is promised only if these are bad parts"
        )
        model, scores, calibrated, tested = _learn(chosen, photographs, division, cache, phases, told)
    for remark in remarks(calibrated, updatable=chosen.updatable > 0):
        told.note(remark)
    with told.step("writing the artifact"):
        artifact = assemble(model, describe(chosen, photographs, calibrated, tested, phases.seconds))
    return with_state(artifact, chosen, photographs, progress=told) if chosen.updatable else artifact


def _learn(
    chosen: Configuration,
    photographs: Photographs,
    division: Division,
    cache: FeatureCache | None,
    phases: _Phases,
    told: Progress,
) -> tuple[bytes, Scores, CalibrationInfo, SelfTest]:
    """Fit, export and calibrate."""
    quantization = None
    if chosen.precision == "int8":
        with phases.time("quantization"):
            quantization = quantize_backbone(chosen, photographs, progress=told)
    scores = _fit(chosen, photographs, quantization, cache, phases, told)
    with phases.time("export"), told.step("writing the graph"):
        model = export_detector(chosen, photographs, quantization, watched=chosen.updatable > 0)
    with phases.time("calibration"):
        session = open_session(model)
        if scores is None:
            varying = varying_of(chosen, photographs)
            as_taken = held_out_scores(session, photographs, chosen.view, progress=told)
            with_varying = functools.partial(held_out_scores, session, photographs, chosen.view, varying=varying)
            scores = Scores(as_taken, [] if varying is None else with_varying(progress=told))
        pasted = pasted_scores(session, photographs, chosen.view, chosen.method.seed, progress=told)
        with told.step("setting the threshold"):
            calibrated = described(photographs, scores, pasted, division.false_alarm_rate, chosen.tolerance)
            return model, scores, calibrated, expected_of(model, session)


def _fit(
    chosen: Configuration,
    photographs: Photographs,
    quantization: Quantization | None,
    cache: FeatureCache | None,
    phases: _Phases,
    progress: Progress,
) -> Scores | None:
    """Extract the features once, and fit the method on them. Returns the scores fold by fold, if there are folds."""
    everything = cache is not None and cache.shared
    used = np.arange(len(photographs.images)) if everything else photographs.learned_from()
    source = feature_source(chosen, photographs, used, quantization, varying_of(chosen, photographs))
    with contextlib.nullcontext(cache) if cache is not None else FeatureCache() as kept:
        with phases.time("features"):
            maps = kept.maps(source, chosen.network, progress=progress)
            sizes = [photographs.sizes[row] for row in used] * (len(source.images) // len(used))
            inside = inside_tiles(chosen.view, sizes)
            everyone = FeatureSet(chosen.network, chosen.taps, chosen.view.size, maps, None, chosen.view.tiles, inside)
            everyone = dataclasses.replace(everyone, copies=chosen.copies)
            fit_on, chosen_by = (np.searchsorted(used, rows) for rows in (photographs.fit, photographs.validation))
            validation = everyone.of_photographs(source.with_copies(chosen_by))
            everyone = dataclasses.replace(
                everyone,
                pasted=pasted_on(everyone, fit_on, source, chosen.method, kept, progress, photographs.folds),
                turned=turned(everyone, source, sizes, chosen.method, kept, progress),
            )
            features = everyone.of_photographs(source.with_copies(fit_on))
        with phases.time("fitting"):
            chosen.method.fit(features, validation if len(validation) else None, progress=progress)
        if not len(photographs.folds):
            return None
        with phases.time("folds"):
            return cross_scores(chosen.method, everyone, photographs, chosen.view, source=source, progress=progress)
