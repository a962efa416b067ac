"""What is done with a case in the child: all that a user would do with such a file."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

import flawspot
from flawspot.runtime.artifact import read
from flawspot.runtime.detector import Detector
from flawspot.runtime.manifest import Manifest
from flawspot.runtime.prediction import Prediction
from flawspot.runtime.signature import signature_of


class NotFiniteError(Exception):
    """A score or a map was returned that is no finite number."""


def artifact(path: Path, _: str) -> None:
    """Load, with the self-test, and look at two photographs."""
    found = read(path)
    found.manifest.title()
    signature_of(found)
    detector = flawspot.load(found, threads=1)
    for photograph in _photographs():
        _look(detector.predict(photograph), draw=False)
    flawspot.load(found, threads=1, self_test=True)


@functools.cache
def _photographs() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, size, dtype=np.uint8) for size in ((64, 64, 3), (240, 180, 3))]


def photograph(path: Path, detector: str) -> None:
    """Predict, and draw what was found."""
    _look(_detector(detector).predict(path), draw=path.stat().st_size < 1 << 20)


@functools.lru_cache(maxsize=1)
def _detector(path: str) -> Detector:
    return flawspot.load(path, threads=1)


def _look(prediction: Prediction, *, draw: bool) -> None:
    if not (math.isfinite(prediction.score) and np.isfinite(prediction.map).all()):
        raise NotFiniteError(f"score {prediction.score}")
    json.dumps(prediction.to_dict(), allow_nan=False)
    repr(prediction)
    if draw:
        prediction.plot()


def manifest(path: Path, _: str) -> None:
    """Read the text, and write it again."""
    found = Manifest.from_json(path.read_bytes().decode(errors="replace"))
    found.title()
    Manifest.from_json(found.to_json())


def grid(path: Path, _: str) -> None:
    """Read and check the grid."""
    from flawspot.benchmark.grid_file import read_grid
    from fuzzing.grids import VOCABULARY

    read_grid(path, VOCABULARY).cells(VOCABULARY)


TARGETS: dict[str, Callable[[Path, str], None]] = {
    "artifact": artifact,
    "photograph": photograph,
    "manifest": manifest,
    "grid": grid,
}
