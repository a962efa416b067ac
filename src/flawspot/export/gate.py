"""The parity gate: a translation is written only if it computes the same as the artifact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ExportError
from flawspot.export.form import Form
from flawspot.export.photographs import Pictures
from flawspot.export.reading.onnx_graph import with_outputs
from flawspot.export.source import Source
from flawspot.progress import SILENT, Progress
from flawspot.runtime.arena import allowed_megabytes
from flawspot.runtime.artifact import Artifact
from flawspot.runtime.detector import Detector
from flawspot.runtime.session import open_session

FLOAT_TOLERANCE = 1e-5
"""Limit for map and score in float, relative to the largest value of the map."""
STEPS, SHARE = 1, 0.001
"""Limits for a layer's integers: how far one may be off, in 256ths of their range, and how many may be."""
LEAST_AGREEMENT, LEAST_RANK, MOST_ALARMS = 0.97, 0.99, 0.03
"""Limits for integers: share of equal verdicts, rank correlation of scores, and difference of the false-alarm rates."""
LEAST_MAP = 0.9
"""Limit for integers: the correlation of each picture's map with the artifact's. A step in one layer can have a large
effect in a product of small distances, so a tighter limit would reject correct translations."""
_LAYERED = 3
"""Number of pictures for which every layer is compared."""

Maps = tuple[NDArray[np.float32], NDArray[np.float32]]
Run = Callable[[NDArray[np.uint8]], Maps]


@dataclass(frozen=True)
class Bounds:
    """How far integers that follow other rounding rules may be off, where that depends on the rules.

    Attributes:
        share: share of a layer's numbers that may differ by a step, given the artifact's inputs of the layer.
        rank: least correlation of the scores' ranks.
    """

    share: float = SHARE
    rank: float = LEAST_RANK


@dataclass(frozen=True)
class Layers:
    """The comparison of the layers' integers.

    Attributes:
        compared: the number of layers.
        steps: the largest difference of a number.
        share: the share of different numbers, in the layer where it is largest.
        worst: that layer's name.
    """

    compared: int
    steps: int
    share: float
    worst: str


@dataclass(frozen=True)
class Parity:
    """The comparison of a translation with its artifact.

    Attributes:
        pictures: a description of the compared pictures.
        map_difference, score_difference: the largest differences, relative to the largest value of the map.
        layers: the comparison of integers; None for floats, and if layers cannot be inspected.
        verdicts: share of equal verdicts, at the artifact's threshold and the translation's.
        rank_correlation: of the scores (Spearman).
        map_correlation: pixelwise correlation of the maps (Pearson), for the picture where it is smallest.
        false_alarms, artifact_false_alarms: share of the good pictures that are called anomalous.
        threshold: of the translation.
    """

    pictures: str
    map_difference: float
    score_difference: float
    layers: Layers | None
    verdicts: float
    rank_correlation: float
    map_correlation: float
    false_alarms: float
    artifact_false_alarms: float
    threshold: float


class Translation(Protocol):
    """A running translation."""

    def run(self, photographs: NDArray[np.uint8]) -> Maps:
        """(N, S, S, 3) -> maps (N, S, S), scores (N,)."""
        ...

    def trace(self, photograph: NDArray[np.uint8], expected: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """For each operation, its index in the form and its tensor; see `compiling.CompiledC.trace`."""
        ...


def compare(
    source: Source,
    detector: Detector,
    translation: Translation,
    pictures: Pictures,
    *,
    own_integers: bool,
    bounds: Bounds,
    progress: Progress = SILENT,
) -> Parity:
    """Run both on the pictures, and refuse a translation that differs.

    Args:
        source: the source of the translation.
        detector: runs the artifact.
        translation: the running translation.
        pictures: good and defective ones.
        own_integers: the translation computes an int8 detector's integers by its own rules. Then verdicts are compared,
            and layers if there is a form. Otherwise maps are compared as for floats.
        bounds: the allowed differences in that case.
        progress: is told of each picture.

    Raises:
        ExportError: they differ; the message says where and by how much.
    """
    everything = np.concatenate([pictures.good, pictures.defective])
    pairs = [
        (*detector.run(picture[None]), *translation.run(picture[None]))
        for picture in progress.track(everything, "comparing with the artifact", len(everything))
    ]
    wanted_maps, wanted, maps, scores = (np.concatenate(each) for each in zip(*pairs, strict=True))
    if not (np.isfinite(maps).all() and np.isfinite(scores).all()):
        raise ExportError("the translation gives a score or a map that is not finite: nothing was written")
    form = source.form
    in_integers = source.artifact.manifest.precision == "int8" if form is None else form.quantized
    quantized = own_integers and in_integers
    layers = None
    if quantized and form is not None:
        with progress.step("comparing the layers"):
            layers = _layers(source.artifact, form, translation, everything)
    good, threshold = len(pictures.good), source.facts.threshold
    own = _threshold(wanted[:good], scores[:good], threshold) if quantized and pictures.held_out else threshold
    scale = max(float(np.abs(wanted_maps).max()), 1e-30)
    parity = Parity(
        f"{pictures.told}, and as many with pasted defects",
        float(np.abs(maps - wanted_maps).max()) / scale,
        float(np.abs(scores - wanted).max()) / scale,
        layers,
        float(np.mean((scores > own) == (wanted > threshold))),
        rank_correlation(scores, wanted),
        min(map_correlation(got, want) for got, want in zip(maps, wanted_maps, strict=True)),
        float(np.mean(scores[:good] > own)),
        float(np.mean(wanted[:good] > threshold)),
        own,
    )
    _check(parity, bounds, quantized)
    return parity


def _check(parity: Parity, bounds: Bounds, quantized: bool) -> None:
    if not quantized:
        worst = max(parity.map_difference, parity.score_difference)
        if not worst <= FLOAT_TOLERANCE:
            raise ExportError(
                f"the translation differs from the artifact by {worst:.2g} of the map: nothing was written"
            )
        return
    layers = parity.layers
    if layers is not None and (layers.steps > STEPS or layers.share > bounds.share):
        raise ExportError(
            f"the translation differs from the artifact in layer {layers.worst}: {100 * layers.share:.2g} % of its "
            f"numbers, by up to {layers.steps}: nothing was written"
        )
    difference = abs(parity.false_alarms - parity.artifact_false_alarms)
    if not parity.map_correlation >= LEAST_MAP:
        raise ExportError(
            f"the translation's map of a picture correlates with the artifact's by {parity.map_correlation:.3f}: "
            "nothing was written"
        )
    close = parity.verdicts >= LEAST_AGREEMENT and parity.rank_correlation >= bounds.rank
    if not close or difference > MOST_ALARMS:
        raise ExportError(
            f"the translation's verdicts agree with the artifact's on {100 * parity.verdicts:.3g} % of the pictures "
            f"(at least {100 * LEAST_AGREEMENT:g}), its scores rank with {parity.rank_correlation:.4f} (at least "
            f"{bounds.rank:g}), its false alarms differ by {difference:.3f} (at most {MOST_ALARMS:g}): nothing was "
            "written; with few or similar pictures, give more photographs"
        )


def _layers(artifact: Artifact, form: Form, translation: Translation, everything: NDArray[np.uint8]) -> Layers:
    """Compare the integers of every layer with ONNX Runtime's, for a few pictures.

    Each layer gets the artifact's inputs. Otherwise a number rounded to its neighbour would change many later ones,
    which would then look wrong.
    """
    steps = {
        step: operation.y
        for step, operation in enumerate(form.operations)
        if operation.y.quantization is not None and not operation.y.name.endswith(":floats")
    }
    bits = {y.name: y.quantization.bits for y in steps.values() if y.quantization is not None}
    session = open_session(with_outputs(artifact.model, bits), device="cpu", megabytes=allowed_megabytes())
    different: dict[str, int] = dict.fromkeys(bits, 0)
    furthest: dict[str, int] = dict.fromkeys(bits, 0)
    chosen = everything[:: max(len(everything) // _LAYERED, 1)][:_LAYERED]
    for picture in chosen:
        found = zip(bits, session.run(list(bits), {"image": picture[None]}), strict=True)
        wanted = {name: np.ascontiguousarray(codes[0].transpose(1, 2, 0)) for name, codes in found}
        names = [operation.y.name for operation in form.operations[:-1]]
        expected = [wanted[name].tobytes() if name in wanted else b"" for name in names]
        for step, data in translation.trace(picture, expected):
            if step not in steps:
                continue
            y = steps[step]
            codes = np.frombuffer(data, wanted[y.name].dtype).astype(np.int64)
            off = np.abs(codes - wanted[y.name].ravel().astype(np.int64))
            if bits[y.name] == 16:  # its steps are as fine as the rounding of the floats behind it
                off = (off + 128) // 257
            different[y.name] += int(np.count_nonzero(off))
            furthest[y.name] = max(furthest[y.name], int(off.max()))
    shares = {y.name: different[y.name] / (y.numbers * len(chosen)) for y in steps.values()}
    worst = max(shares, key=lambda name: (furthest[name] > STEPS, shares[name]))
    return Layers(len(shares), max(furthest.values()), shares[worst], worst)


def in_turn(run: Run, pictures: NDArray[np.uint8]) -> Maps:
    """Run pictures one by one, as a device would."""
    found = [run(picture[None]) for picture in pictures]
    return np.concatenate([maps for maps, _ in found]), np.concatenate([scores for _, scores in found])


def _threshold(wanted: NDArray[np.float32], scores: NDArray[np.float32], threshold: float) -> float:
    """A threshold with as many good scores above it as the artifact's has. The artifact's own is kept if it is one."""
    above = int(np.count_nonzero(wanted > threshold))
    if np.count_nonzero(scores > threshold) == above:
        return threshold
    ordered = np.sort(scores.astype(np.float64))[::-1]
    if above == 0:
        return float(np.float32(ordered[0]))
    lower = ordered[above] if above < len(ordered) else ordered[-1] - abs(ordered[-1])
    return float(np.float32((ordered[above - 1] + lower) / 2))


def map_correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Pearson's correlation of two maps; 1 if they are equal, 0 if only one is constant."""
    a, b = (each.astype(np.float64) - each.mean(dtype=np.float64) for each in (first, second))
    spread = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / spread if spread > 0 else float(np.array_equal(first, second))


def rank_correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Spearman's correlation, with mean ranks for ties; 1 if either is constant and they are equal."""
    a, b = _ranks(first), _ranks(second)
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / spread if spread > 0 else float(np.array_equal(a, b))


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2).astype(np.float64)[inverse]
