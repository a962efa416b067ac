"""Watches how photographs look as a whole: light, contrast, sharpness and position."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.errors import ArtifactError
from flawspot.runtime.drift import Drift
from flawspot.runtime.reduced import Decoded
from flawspot.runtime.tensors import tensor_of, within

SIDE = 128
"""Photographs are measured at this size, in pixels."""
FIRST = 30
"""Number of first photographs, which later ones are compared with."""
RECENT = 20
"""Number of last photographs whose mean is reported as the present value."""

_MOST = 1e4
"""No measure reaches this."""

UNITS = {
    "brightness": "grey levels",
    "contrast": "grey levels",
    "sharpness": "grey levels",
    "shift across": "% of the width",
    "shift down": "% of the height",
}
"""Units of the measures. Brightness is the mean grey level, 0..255. Contrast is their standard deviation. Sharpness is
the mean size of the Laplacian. Shifts are relative to the mean of the first photographs, to the right and down."""


@dataclass(frozen=True)
class Change:
    """One measure that has changed.

    Attributes:
        name: name of the measure; see `UNITS`.
        before: its mean over the first photographs.
        now: its mean over the last ones.
        deviations: the size of the change, in standard deviations of the first photographs.
        evidence: see `flawspot.runtime.drift.Drift.evidence`.
    """

    name: str
    before: float
    now: float
    deviations: float
    evidence: float

    def __str__(self) -> str:
        moved = f"{self.name} {self.before:.3g} -> {self.now:.3g} {UNITS[self.name]}"
        return f"{moved}, by {self.deviations:.2g} standard deviations"


class Appearance:
    """Watches the measures of photographs. Each has its own test, see `flawspot.runtime.drift`."""

    def __init__(self) -> None:
        self._first: list[NDArray[np.float32]] = []
        self._mean: NDArray[np.float32] | None = None
        self._reference: NDArray[np.complexfloating] | None = None
        self._tests: dict[str, Drift] = {}
        self._before: dict[str, tuple[float, float]] = {}
        self._recent: dict[str, list[float]] = {name: [] for name in UNITS}

    def add(self, photograph: Decoded) -> None:
        """Measure the next photograph."""
        grey = _grey(photograph)
        if self._reference is None:
            self._first.append(grey)
            if len(self._first) == FIRST:
                self._begin()
            return
        for name, value in self._measured(grey).items():
            self._tests[name].add(value)
            recent = self._recent[name]
            recent.append(value)
            del recent[:-RECENT]

    @property
    def alarm(self) -> bool:
        """Whether a measure has changed."""
        return any(test.alarm for test in self._tests.values())

    @property
    def evidence(self) -> dict[str, float]:
        """The evidence of each measure in `UNITS`, see `flawspot.runtime.drift.Drift.evidence`; 0 at first."""
        tests = self._tests
        return {name: tests[name].evidence if name in tests else 0.0 for name in UNITS}

    @property
    def changes(self) -> list[Change]:
        """The measures that have changed, largest change first. On at most one line in 1,000 an unchanged one is
        reported."""
        found = []
        for name, test in self._tests.items():
            if test.alarm:
                (before, spread), now = self._before[name], float(np.mean(self._recent[name]))
                found.append(Change(name, before, now, abs(now - before) / max(spread, 1e-9), test.evidence))
        return sorted(found, key=lambda change: -change.deviations)

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """All that it knows, for `restored`.

        Before `FIRST` photographs these are ``first`` (N, SIDE, SIDE), float32 grey levels. Later it is their mean,
        ``mean`` (SIDE, SIDE) float32, and of each measure its test, its mean and standard deviation over the first
        photographs, ``NAME/before`` (2,), and its last values, ``NAME/recent`` (M,), all float64.
        """
        if self._mean is None:
            return {"first": np.array(self._first, np.float32).reshape(-1, SIDE, SIDE)}
        found: dict[str, NDArray[Any]] = {"mean": self._mean}
        for name, test in self._tests.items():
            found |= {f"{name}/test/{part}": array for part, array in test.as_arrays().items()}
            found[f"{name}/before"] = np.array(self._before[name], np.float64)
            found[f"{name}/recent"] = np.array(self._recent[name], np.float64)
        return found

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """One that goes on from `as_arrays`; see `flawspot.runtime.drift.Drift.restored`.

        Raises:
            ArtifactError: the arrays are damaged.
        """
        found = cls()
        if "mean" not in arrays:
            first = tensor_of(arrays, "first", "F32", (None, SIDE, SIDE))
            if len(first) >= FIRST or not _are_grey(first):
                raise ArtifactError("its first photographs are too many, or no grey levels: it is damaged")
            found._first = [grey.copy() for grey in first]
            return found
        mean = tensor_of(arrays, "mean", "F32", (SIDE, SIDE)).copy()
        if not _are_grey(mean):
            raise ArtifactError("its mean photograph has no grey levels: it is damaged")
        found._refer_to(mean)
        for seed, name in enumerate(UNITS):
            test = Drift.restored(within(arrays, f"{name}/test/"), math.inf, seed=seed)
            before = tensor_of(arrays, f"{name}/before", "F64", (2,))
            recent = tensor_of(arrays, f"{name}/recent", "F64", (None,))
            if np.abs(before).max() > _MOST or before[1] < 0 or (np.abs(recent) > _MOST).any():
                raise ArtifactError(f"its values of {name} are none that a photograph has: it is damaged")
            if len(recent) != min(test.seen, RECENT):
                raise ArtifactError(f"its values of {name} do not fit their number: it is damaged")
            found._tests[name], found._recent[name] = test, recent.tolist()
            found._before[name] = float(before[0]), float(before[1])
        if len({test.seen for test in found._tests.values()}) != 1:
            raise ArtifactError("its measures are not of the same photographs: it is damaged")
        return found

    def _refer_to(self, mean: NDArray[np.float32]) -> None:
        self._mean = mean
        self._reference = np.fft.rfft2(_windowed(mean))

    def _begin(self) -> None:
        self._refer_to(np.mean(self._first, axis=0))
        measured = [self._measured(grey) for grey in self._first]
        tests = {}
        for seed, name in enumerate(UNITS):
            values = [each[name] for each in measured]
            tests[name] = Drift(values, math.inf, seed=seed)
            self._before[name] = float(np.mean(values)), float(np.std(values))
        self._tests = tests  # in one step, because other threads ask for changes meanwhile
        self._first.clear()

    def _measured(self, grey: NDArray[np.float32]) -> dict[str, float]:
        laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
        down, across = self._shift(grey)
        return {
            "brightness": float(grey.mean()),
            "contrast": float(grey.std()),
            "sharpness": float(np.abs(laplacian).mean()),
            "shift across": across,
            "shift down": down,
        }

    def _shift(self, grey: NDArray[np.float32]) -> tuple[float, float]:
        """How far a photograph is lower and further right than the reference, in % of the sides.

        The peak of the phase correlation (Kuglin and Hines, 1975), with a parabola between pixels.
        """
        assert self._reference is not None
        product = np.fft.rfft2(_windowed(grey)) * np.conj(self._reference)
        surface = np.fft.irfft2(product / np.maximum(np.abs(product), 1e-6), (SIDE, SIDE))
        row, column = np.unravel_index(int(np.argmax(surface)), surface.shape)
        return tuple(
            100.0 / SIDE * _between(line, int(place))
            for line, place in ((surface[:, column], row), (surface[row], column))
        )  # type: ignore[return-value]  # of two


def _between(line: NDArray[np.floating], place: int) -> float:
    """The position of a peak between pixels, counted from -SIDE / 2."""
    left, peak, right = (float(line[(place + step) % SIDE]) for step in (-1, 0, 1))
    bend = left - 2 * peak + right
    exact = place + (0.5 * (left - right) / bend if bend < 0 else 0.0)
    return (exact + SIDE / 2) % SIDE - SIDE / 2


def _grey(photograph: Decoded) -> NDArray[np.float32]:
    image = Image.fromarray(photograph.drawable()).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(image, np.float32)


def _are_grey(greys: NDArray[np.float32]) -> bool:
    return bool(((greys >= 0) & (greys <= 255)).all())


def _windowed(grey: NDArray[np.floating]) -> NDArray[np.floating]:
    """Fade out the borders, which would otherwise dominate as they never move."""
    window = np.hanning(SIDE)
    faded: NDArray[np.floating] = (grey - grey.mean()) * window[:, None] * window[None, :]
    return faded
