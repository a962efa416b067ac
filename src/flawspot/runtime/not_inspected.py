"""The result for a photograph that could not be inspected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from flawspot.errors import ImageError, InspectionError


@dataclass(frozen=True, eq=False, repr=False)
class NotInspected:
    """One of several photographs that could not be read, or that the detector failed on. It is neither good nor bad.

        >>> broken = detector.predict(["new.png", "missing.png"])[1]
        >>> broken
        NotInspected(cannot read missing.png: there is no such file)
        >>> broken.verdict
        'not inspected'

    Attributes that only a prediction has (``score``, ``is_anomalous``, ``regions``, ...) raise its `error`, so that
    code cannot take it for good.

    Attributes:
        error: the reason, an ImageError or InspectionError.
        path: the file; None if the photograph came from memory.
    """

    error: ImageError | InspectionError
    path: Path | None = None

    def __repr__(self) -> str:
        return f"NotInspected({self.reason})"

    def __getattr__(self, name: str) -> NoReturn:
        from flawspot.runtime.prediction import Prediction

        if name in Prediction.__dataclass_fields__ or (not name.startswith("_") and hasattr(Prediction, name)):
            raise self.error
        raise AttributeError(name)

    @property
    def verdict(self) -> Literal["not inspected"]:
        """Always ``not inspected``."""
        return "not inspected"

    @property
    def reason(self) -> str:
        """The reason, in one line."""
        return str(self.error).removeprefix("not inspected: ")

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values for JSON, with the keys of `Prediction.to_dict`."""
        path = None if self.path is None else str(self.path)
        return {"path": path, "verdict": self.verdict, "is_anomalous": None, "error": self.reason}
