"""Checks whether ONNX Runtime computes correctly, by a small graph with a known result and an artifact's self-test."""

from __future__ import annotations

import base64
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import FlawspotError, FlawspotWarning

GRAPH = base64.b64decode(
    "CAg62gIKIgoBeAoBdxIBYyIEQ29udioRCgRwYWRzQAFAAUABQAGgAQcKDAoBYxIBeSIEUmVsdRIBZyroAQgCCAMIAwgDEAFCAXdK2AEAAEDAAAAAwA"
    "AAgL8AAAAAAACAPwAAAEAAAEBAAABAwAAAAMAAAIC/AAAAAAAAgD8AAABAAABAQAAAQMAAAADAAACAvwAAAAAAAIA/AAAAQAAAQEAAAEDAAAAAwAAA"
    "gL8AAAAAAACAPwAAAEAAAEBAAABAwAAAAMAAAIC/AAAAAAAAgD8AAABAAABAQAAAQMAAAADAAACAvwAAAAAAAIA/AAAAQAAAQEAAAEDAAAAAwAAAgL"
    "8AAAAAAACAPwAAAEAAAEBAAABAwAAAAMAAAIC/AAAAAAAAgD9aGwoBeBIWChQIARIQCgIIAQoCCAMKAggICgIICGIbCgF5EhYKFAgBEhAKAggBCgII"
    "AgoCCAgKAggIQgQKABAR"
)
"""y = relu(x * w), a convolution of 3 by 3 with `WEIGHTS` (`tests/diagnosis/test_computing.py` makes it)."""
WEIGHTS: NDArray[np.float32] = (np.arange(2 * 3 * 3 * 3) % 7 - 3).reshape(2, 3, 3, 3).astype(np.float32)
_SIDE = 8
_TOLERANCE = 1e-3
"""Relative to the largest value. All values are whole numbers, which float32 adds exactly."""


@dataclass(frozen=True)
class Tried:
    """A check and its result.

    Attributes:
        name: name of the check.
        result: in a few words.
        passed: whether it passed; None if it could not be run.
        remarks: further remarks, such as that no GPU is used.
    """

    name: str
    result: str
    passed: bool | None
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "; ".join([self.result, *self.remarks])


@dataclass(frozen=True)
class Runtime:
    """The installed ONNX Runtime.

    Attributes:
        version: its version; None if it cannot be imported.
        providers: the providers that it is built with.
        used: the provider that a detector gets by default; None if it cannot open any model.
        integers: whether this processor multiplies 8-bit integers exactly. If not, int8 detectors compute in float.
    """

    version: str | None
    providers: tuple[str, ...] = ()
    used: str | None = None
    integers: bool | None = None

    def __str__(self) -> str:
        if self.version is None:
            return "cannot be imported"
        integers = "exact" if self.integers else "computed in float, as this processor truncates their products"
        return f"{self.version}: {', '.join(self.providers)}; used: {self.used}; 8-bit integers: {integers}"


def try_runtime() -> tuple[Runtime, Tried]:
    """The properties of ONNX Runtime, and whether it computes `GRAPH` correctly with the options of detectors."""
    try:
        import onnxruntime

        from flawspot.runtime.integers import exact_in_integers
    except Exception as error:
        return Runtime(None), Tried("self-test", f"failed: {_reason(error)}", False)
    version, providers = onnxruntime.__version__, tuple(onnxruntime.get_available_providers())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", FlawspotWarning)
        try:
            used, found = _compute()
        except Exception as error:  # ONNX Runtime raises its own classes, which share no base but Exception
            return Runtime(version, providers), Tried("self-test", f"failed: {_reason(error)}", False)
    remarks = tuple(str(each.message) for each in told)
    runtime = Runtime(version, providers, used, exact_in_integers())
    want = expected()
    worst = float(np.abs(found - want).max()) if found.shape == want.shape else np.inf
    if not worst <= _TOLERANCE * float(want.max()):
        return runtime, Tried("self-test", f"failed: a small convolution is off by {worst:.3g}", False, remarks)
    return runtime, Tried("self-test", "passed: a small convolution is correct", True, remarks)


def try_artifact(path: Path) -> Tried:
    """Load an artifact as the command line does, which runs its self-test."""
    from flawspot.runtime.artifact import read
    from flawspot.runtime.detector import load

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", FlawspotWarning)
        try:
            artifact = read(path)
            detector = load(artifact, self_test=True)
        except FlawspotError as error:
            return Tried(str(path), f"failed: {error}", False)
    manifest = artifact.manifest
    passed = "passed its self-test" if manifest.self_test else "loads; it was made before self-tests"
    result = f"{passed}: {manifest.title()}, on {detector.provider}"
    return Tried(str(path), result, True if manifest.self_test else None, tuple(str(each.message) for each in told))


def given() -> NDArray[np.float32]:
    """(1, 3, 8, 8): the input for `GRAPH`, whole numbers."""
    values: NDArray[np.float32] = (np.arange(3 * _SIDE * _SIDE) % 11).astype(np.float32)
    return values.reshape(1, 3, _SIDE, _SIDE)


def expected() -> NDArray[np.float32]:
    """(1, 2, 8, 8): the result of `GRAPH` for `given`, computed without ONNX Runtime."""
    padded = np.pad(given()[0], ((0, 0), (1, 1), (1, 1)))
    sums = np.zeros((2, _SIDE, _SIDE), np.float32)
    for row, column in np.ndindex(3, 3):
        window = padded[:, row : row + _SIDE, column : column + _SIDE]
        sums += np.einsum("oc,chw->ohw", WEIGHTS[:, :, row, column], window)
    return np.maximum(sums, 0)[None]


def _compute() -> tuple[str, NDArray[np.float32]]:
    """The provider that was used, and the output."""
    from flawspot.runtime.arena import allowed_megabytes
    from flawspot.runtime.session import open_session

    session = open_session(GRAPH, megabytes=allowed_megabytes())
    return str(session.get_providers()[0]), session.run(None, {"x": given()})[0]


def _reason(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]
