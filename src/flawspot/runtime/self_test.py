"""Checks that this machine computes the values stored in training, by the score and a coarse map of a generated
picture.

Wrong runtimes give no error: integer kernels that saturate, a provider that leaves out antialiasing, bfloat16 instead
of float32. They change the map by several per cent or more. Two correct runtimes differ by a few millionths.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from flawspot.errors import ArtifactError
from flawspot.runtime.integers import has_integers
from flawspot.runtime.manifest import SelfTest
from flawspot.runtime.session import open_session

TOLERANCE = 0.01
"""Relative to the largest value. Fifty times the difference between kinds of CPUs, and a fifth of the effect of
bfloat16."""
INTEGER_MARGIN = 5.0
"""For int8 the tolerance is this many times the difference between integers and float on the training machine."""
MOST_TOLERANCE = 0.5
"""Kernels that truncate products are wrong by more than the map itself."""
SQUARES = 8
"""Squares in a row of the coarse map."""
_HEIGHT, _WIDTH = 150, 200
OUTPUTS = ["anomaly_map", "score"]

Run = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""(1, H, W, 3) uint8 -> maps (1, S, S) and scores (1,)."""


def probe() -> NDArray[np.uint8]:
    """(150, 200, 3) uint8: gradients, edges of two sizes and fine grain, made with integers and so the same
    everywhere."""
    y, x = np.mgrid[:_HEIGHT, :_WIDTH].astype(np.int64)
    gradient = (x + y) * 255 // (_HEIGHT + _WIDTH)
    coarse = ((x // 50 + y // 50) % 2) * 60
    fine = ((x // 3 + y // 5) % 2) * 25
    grain = (x * x * 7 + y * y * 13 + x * y * 5) % 17
    disc = ((x - 120) ** 2 + (y - 70) ** 2 < 40**2) * 70
    channels = [gradient + fine + grain, 255 - gradient + disc // 2, coarse + disc + fine + grain + gradient // 3]
    return np.stack([np.clip(channel, 0, 255) for channel in channels], axis=2).astype(np.uint8)


def record(run: Run, in_float: Run | None = None) -> SelfTest:
    """The detector's results on the probe, for the manifest.

    Args:
        run: runs the shipped detector.
        in_float: runs it with its integers computed in float, if it has any. Correct runtimes differ by a step here and
            there, as these two do, and a small step can have a large effect in a product of distances.
    """
    score, means, tolerance = *_answer(run), TOLERANCE
    if in_float is not None:
        other = _answer(in_float)
        apart = np.abs(np.array([score, *means]) - np.array([other[0], *other[1]])).max()
        largest = max(np.abs([score, *means]).max(), 1e-30)
        tolerance = float(np.clip(INTEGER_MARGIN * apart / largest, TOLERANCE, MOST_TOLERANCE))
    return SelfTest(score, tuple(means), tolerance)


def expected_of(model: bytes, session: InferenceSession) -> SelfTest:
    """The values that another machine must compute to be trusted with the detector.

    Args:
        model: the graph.
        session: a session on the graph.
    """

    def asked(of: InferenceSession) -> Run:
        return lambda batch: tuple(of.run(OUTPUTS, {"image": batch}))

    return record(asked(session), asked(open_session(model, integers=False)) if has_integers(model) else None)


def _answer(run: Run) -> tuple[float, list[float]]:
    """Score and coarse map of the probe, row by row."""
    anomaly_map, score = run(probe()[None])
    return float(score[0]), [float(mean) for mean in _means(anomaly_map[0])]


def check(expected: SelfTest, run: Run) -> None:
    """Run the probe and compare.

    Raises:
        ArtifactError: this machine computes different values; the message says by how much.
    """
    score, means = _answer(run)
    want = np.array([expected.score, *expected.map_means])
    got = np.array([score, *means])
    if want.shape != got.shape:
        raise ArtifactError("it fails its self-test: its map has another size than where it was made")
    worst = float(np.abs(got - want).max() / max(float(np.abs(want).max()), 1e-30))
    if not worst <= expected.tolerance:
        raise ArtifactError(
            f"it fails its self-test: ONNX Runtime on this machine computes something else than where it was made, "
            f"by {100 * worst:.3g} % (allowed: {100 * expected.tolerance:g} %). "
            "Update ONNX Runtime, or use another machine: verdicts would be wrong"
        )


def _means(anomaly_map: NDArray[np.float32]) -> NDArray[np.float64]:
    """(H, W) -> means over squares, row by row; fewer if the map is smaller."""
    sums, areas = anomaly_map.astype(np.float64), np.ones((1, 1))
    for axis, length in enumerate(anomaly_map.shape):
        edges = np.unique(np.linspace(0, length, SQUARES + 1).astype(int))
        sums = np.add.reduceat(sums, edges[:-1], axis=axis)
        areas = areas * np.expand_dims(np.diff(edges), 1 - axis)
    means: NDArray[np.float64] = (sums / areas).ravel()
    return means
