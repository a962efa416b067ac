"""Watches how photographs look as a whole: light, contrast, sharpness and position."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawspot.runtime.drift import Drift
from flawspot.runtime.reduced import Decoded

SIDE = 128
"""Photographs are measured at this size, in pixels."""
FIRST = 30
"""Number of first photographs, which later ones are compared with."""
RECENT = 20
"""Number of last photographs whose mean is reported as the present value."""

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
    def changes(self) -> list[Change]:
        """The measures that have changed, largest change first. On at most one line in 1,000 an unchanged one is
        reported."""
        found = []
        for name, test in self._tests.items():
            if test.alarm:
                (before, spread), now = self._before[name], float(np.mean(self._recent[name]))
                found.append(Change(name, before, now, abs(now - before) / max(spread, 1e-9), test.evidence))
        return sorted(found, key=lambda change: -change.deviations)

    def _begin(self) -> None:
        self._reference = np.fft.rfft2(_windowed(np.mean(self._first, axis=0)))
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


def _windowed(grey: NDArray[np.floating]) -> NDArray[np.floating]:
    """Fade out the borders, which would otherwise dominate as they never move."""
    window = np.hanning(SIDE)
    faded: NDArray[np.floating] = (grey - grey.mean()) * window[:, None] * window[None, :]
    return faded
