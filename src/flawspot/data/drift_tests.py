"""The three drift tests of one detector together: the scores of good parts, their looks, and the verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from numpy.typing import NDArray

from flawspot.data.appearance import Appearance
from flawspot.runtime.drift import Drift, Share
from flawspot.runtime.manifest import CalibrationInfo
from flawspot.runtime.reduced import Decoded
from flawspot.runtime.tensors import within


@dataclass(frozen=True)
class DriftTests:
    """Tests whether parts still are as they were.

    Attributes:
        scores: the test on the scores of good parts.
        looks: the tests on how photographs of good parts look.
        share: the test on the verdicts.
    """

    scores: Drift
    looks: Appearance = field(default_factory=Appearance)
    share: Share = field(default_factory=Share)

    @classmethod
    def against(cls, calibration: CalibrationInfo) -> Self:
        """New tests for a detector."""
        return cls(Drift(calibration.as_taken, calibration.threshold))

    def add(self, photograph: Decoded, score: float, anomalous: bool) -> None:
        """Bet on the next part that was inspected. Anomalous ones enter the test on the verdicts only."""
        self.share.add(anomalous)
        if not anomalous:
            self.scores.add(score)
            self.looks.add(photograph)

    @property
    def alarms(self) -> dict[str, bool]:
        """Which of ``scores``, ``looks`` and ``verdicts`` have changed."""
        return {"scores": self.scores.alarm, "looks": self.looks.alarm, "verdicts": self.share.alarm}

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """All that they know, for `restored`."""
        scores, looks, share = self.scores.as_arrays(), self.looks.as_arrays(), self.share.as_arrays()
        parts = {"scores": scores, "looks": looks, "share": share}
        return {f"{name}/{key}": array for name, arrays in parts.items() for key, array in arrays.items()}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]], threshold: float) -> Self:
        """Tests that go on from `as_arrays`.

        Raises:
            ArtifactError: the arrays are damaged.
        """
        scores = Drift.restored(within(arrays, "scores/"), threshold)
        return cls(scores, Appearance.restored(within(arrays, "looks/")), Share.restored(within(arrays, "share/")))
