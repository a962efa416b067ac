"""The one road: photographs -> features -> method -> graph -> calibrated, verified artifact."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from flawspot.backbones.block_list import BlockList
from flawspot.backbones.layer_groups import equivalent, resolve
from flawspot.backbones.macs import module_macs
from flawspot.backbones.registry import create_pretrained, create_random
from flawspot.data.folders import ImageFolder, fingerprint, open_folder
from flawspot.data.reading import readable
from flawspot.data.splits import split
from flawspot.errors import ConfigurationError, DataError, TrainingError
from flawspot.files import check_writable
from flawspot.methods.base import Method
from flawspot.methods.features import FeatureSet
from flawspot.methods.registry import create_method
from flawspot.progress import SILENT, Progress
from flawspot.runtime.artifact import Artifact, write
from flawspot.runtime.calibration import DEFAULT_FALSE_ALARM_RATE, calibrate, shortfall
from flawspot.runtime.detector import OUTPUTS, open_session
from flawspot.runtime.images import read_image
from flawspot.runtime.manifest import BackboneInfo, CalibrationInfo, Manifest, Part, TrainingInfo
from flawspot.runtime.prefetch import prefetch
from flawspot.training.feature_cache import FeatureCache, FeatureSource
from flawspot.training.graph import DetectorGraph, Preprocess, to_onnx

DEFAULT_INPUT_SIZE = 224
DEFAULT_CALIBRATION_FRACTION = 0.2
PAPER_NORMALIZATION = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""ImageNet's mean and standard deviation, which the PaSTe paper's code gives every backbone."""
AGREEMENT = 1e-3
"""How far the exported graph may be from its torch module, relative to the largest value."""


@dataclass
class _Phases:
    """Seconds by phase."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def time(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 3)


def train(
    data: str | os.PathLike[str] | ImageFolder,
    *,
    method: str | Method = "paste",
    backbone: str = "mobilenet_v2",
    layers: str | Sequence[int] | None = None,
    output: str | os.PathLike[str] | None = None,
    weights: str | None = None,
    random_weights: bool = False,
    input_size: int = DEFAULT_INPUT_SIZE,
    normalization: str = "weights",
    false_alarm_rate: float = DEFAULT_FALSE_ALARM_RATE,
    calibration_fraction: float = DEFAULT_CALIBRATION_FRACTION,
    seed: int = 0,
    strict: bool = False,
    settings: Mapping[str, Any] | None = None,
    cache: FeatureCache | None = None,
    progress: Progress = SILENT,
) -> Artifact:
    """Train a detector on photographs of good parts.

    Args:
        data: a folder in the MVTec layout (its ``train/good``), or a plain folder of photographs of good parts.
        method: a method's name, or a `Method` with its hyperparameters.
        backbone: a backbone's name.
        layers: a layer group's name or block indices; None takes the method's own group.
        output: where to write the artifact, an .onnx file; None writes nothing.
        weights: which pretrained weights; None takes the backbone's default.
        random_weights: leave the backbone untrained, where no weights can be had; the manifest says so.
        input_size: side of the square the photographs are resized to, in pixels.
        normalization: of the photographs: ``weights`` for that which the weights were trained with, ``paper`` for
            ImageNet's mean and standard deviation, which the PaSTe paper gives every backbone.
        false_alarm_rate: the share of good parts that may be called anomalous.
        calibration_fraction: the share of the good photographs held out for the threshold, and for nothing else.
        seed: of every random choice; ignored where `method` is a `Method`, which has its own, but for the splits.
        strict: fail at the first photograph that cannot be read, instead of leaving it out.
        settings: hyperparameters of the method by name.
        cache: where the features of all good photographs are kept for other methods, seeds and splits; None keeps them
            no longer than needed.
        progress: told of the phases.

    Returns:
        The artifact, verified; ``flawspot.load`` takes it, or the file.

    Raises:
        ConfigurationError: an unknown method, backbone, layer group or setting, or a value out of its range.
        DataError: no or too few photographs.
        ImageError: with `strict`, a photograph that cannot be read.
        WeightsError: the pretrained weights are not at hand.
        TrainingError: training diverged, or the exported graph disagrees with what was trained.
        FlawspotError: the artifact or the features cannot be written.
    """
    # All that can be wrong is found before the long work begins.
    if not 32 <= input_size <= 1024:
        raise ConfigurationError(f"input size {input_size} is out of range: give 32 to 1024 pixels, 224 as a rule")
    if random_weights and weights is not None:
        raise ConfigurationError(f"give either the weights {weights} or random weights, not both")
    if normalization not in ("weights", "paper"):
        raise ConfigurationError(f"unknown normalization {normalization!r}: the known ones are weights, paper")
    if not 0 < calibration_fraction < 1:
        raise ConfigurationError(f"calibration fraction {calibration_fraction:g} is not between 0 and 1: try 0.2")
    if not 0 < false_alarm_rate < 1:
        raise ConfigurationError(f"false-alarm rate {false_alarm_rate:g} is not between 0 and 1: try 0.01")
    if output is not None:
        check_writable(Path(output))
    chosen = create_method(method, settings, seed=seed) if isinstance(method, str) else method
    if not isinstance(method, str) and settings:
        raise ConfigurationError("settings go with a method's name; a Method has its own already")
    asked = chosen.default_layers if layers is None else layers
    taps = resolve(backbone, asked)
    stands_for = equivalent(backbone, asked, input_size)
    if stands_for is not None:
        progress.note(str(stands_for))
    required = chosen.required(taps, backbone)
    if random_weights:
        network, loaded = create_random(backbone, required, seed)
        progress.note(
            f"{backbone} has random weights: its features are not those of any photograph, expect poor figures"
        )
    else:
        network, loaded = create_pretrained(backbone, required, weights)
    folder = data if isinstance(data, ImageFolder) else open_folder(Path(data))

    phases = _Phases()
    with phases.time("reading"):
        images, skipped = readable(folder.train, strict=strict, progress=progress)
        for _, reason in skipped:
            progress.note(f"left out: {reason}")
        fit_on, validate_on, calibrate_on = _split(images, folder, chosen, calibration_fraction, seed)
        data_hash = fingerprint(images, folder.root)
    mean, std = PAPER_NORMALIZATION if normalization == "paper" else (loaded.mean, loaded.std)
    used = range(len(images)) if cache is not None else np.sort(np.concatenate([fit_on, validate_on]))
    source = FeatureSource(
        images=tuple(images[index] for index in used),
        root=folder.root,
        fingerprint=data_hash,
        weights=loaded.sha256 or f"random weights of seed {seed}",
        input_size=input_size,
        mean=mean,
        std=std,
    )
    with contextlib.nullcontext(cache) if cache is not None else FeatureCache() as kept:
        with phases.time("features"):
            maps = kept.maps(source, network, progress=progress)
            features = FeatureSet(network, taps, input_size, maps, np.searchsorted(used, fit_on))
            validation = dataclasses.replace(features, rows=np.searchsorted(used, validate_on))
        with phases.time("fitting"):
            chosen.fit(features, validation if len(validation) else None, progress=progress)
        del maps, features, validation
    preprocess = Preprocess(input_size, mean, std)
    with phases.time("export"), progress.step("writing the graph"):
        graph = DetectorGraph(preprocess, network, chosen.head())
        model = to_onnx(graph, OUTPUTS)
        # Not one that was learned from: PatchCore's distances to itself are nothing but rounding errors.
        _verify(graph, model, images[calibrate_on[0]])
    with phases.time("calibration"):
        calibration = _calibrate(model, [images[index] for index in calibrate_on], false_alarm_rate, progress)
    warning = shortfall(calibration)
    if warning:
        progress.note(warning)
    manifest = Manifest(
        product=folder.name,
        method=chosen.name,
        hyperparameters=chosen.hyperparameters(),
        seed=chosen.seed,
        input_size=input_size,
        backbone=BackboneInfo(
            name=backbone,
            layers=asked if isinstance(asked, str) else ",".join(map(str, asked)),
            taps=taps,
            weights=loaded.name,
            weights_sha256=loaded.sha256,
            mean=mean,
            std=std,
        ),
        training=TrainingInfo(
            fingerprint=data_hash,
            images=len(fit_on),
            validation_images=len(validate_on),
            calibration_images=len(calibrate_on),
            skipped=tuple(path.name for path, _ in skipped),
            seconds=phases.seconds,
            best_epoch=getattr(chosen, "best_epoch_", None),
        ),
        calibration=calibration,
        parts=(_backbone_part(network, input_size), *chosen.parts()),
        versions=_versions(),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    if output is not None:
        write(Path(output), model, manifest)
    return Artifact(manifest, model)


def _split(
    images: Sequence[Path], folder: ImageFolder, method: Method, calibration_fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Which of the good images to fit on, to choose the epoch by, and for the threshold; each ascending."""
    validates = method.validation_fraction > 0
    least = 3 if validates else 2
    if len(images) < least:
        raise DataError(
            f"{len(images)} readable good image{'' if len(images) == 1 else 's'} in {folder.root}: {method.name} needs "
            f"at least {least}, of which some only set the threshold; 100 or more are advisable"
        )
    fit, calibration = split(len(images), [calibration_fraction], seed)
    if not validates:
        return fit, np.empty(0, np.int64), calibration
    rest, validation = split(len(fit), [method.validation_fraction], seed + 1)
    return fit[rest], fit[validation], calibration


def _verify(graph: DetectorGraph, model: bytes, image: Path) -> None:
    """Hold the exported graph against the module it came from, on one photograph."""
    pixels = read_image(image)[None]
    with torch.no_grad():
        expected = [output.numpy() for output in graph(torch.from_numpy(pixels))]
    for name, want, got in zip(OUTPUTS, expected, open_session(model).run(OUTPUTS, {"image": pixels}), strict=True):
        if not np.isfinite(got).all():
            raise TrainingError(f"the {name} of a good photograph is not finite: training failed, try another seed")
        scale = max(float(np.abs(want).max()), 1e-12)
        if float(np.abs(want - got).max()) > AGREEMENT * scale:
            raise TrainingError(f"the exported graph disagrees with its torch module in {name}: please report this")


def _calibrate(model: bytes, images: Sequence[Path], false_alarm_rate: float, progress: Progress) -> CalibrationInfo:
    """Scores of held-out good images by the graph that is shipped."""
    session = open_session(model)
    scores, map_maxima = [], []
    for _, image in progress.track(prefetch(images, read_image), "setting the threshold", len(images)):
        if isinstance(image, Exception):
            raise image
        anomaly_map, score = session.run(OUTPUTS, {"image": image[None]})
        scores.append(float(score[0]))
        map_maxima.append(float(anomaly_map.max()))
    return calibrate(scores, map_maxima, false_alarm_rate)


def _backbone_part(network: BlockList, input_size: int) -> Part:
    """The trimmed backbone; its batch norms' statistics count, as in the PaSTe paper's memory figures."""
    size = sum(t.numel() * t.element_size() for t in network.state_dict().values() if t.is_floating_point())
    return Part("backbone", size, module_macs(network, torch.zeros(1, 3, input_size, input_size)))


def _versions() -> dict[str, str]:
    packages = {
        name: metadata.version(name) for name in ("flawspot", "torch", "onnx", "onnxruntime", "numpy", "pillow")
    }
    return {"python": platform.python_version(), **packages}
