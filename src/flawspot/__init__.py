"""flawspot finds defects in photographs of products, on small devices, having seen only good parts.

    artifact = flawspot.train("photos/good", output="part.onnx")   # needs flawspot[train]
    prediction = flawspot.load("part.onnx").predict("new.png")
    prediction.is_anomalous, prediction.score, prediction.p_value, prediction.map, prediction.boxes

Everything is imported when first used: ``import flawspot`` is quick, and ``load`` never imports torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flawspot.errors import FlawspotError as FlawspotError
    from flawspot.evaluation import evaluate as evaluate
    from flawspot.runtime.artifact import Artifact as Artifact
    from flawspot.runtime.detector import Detector as Detector
    from flawspot.runtime.detector import load as load
    from flawspot.runtime.prediction import Prediction as Prediction
    from flawspot.training.road import train as train

_HOMES = {
    "Artifact": "flawspot.runtime.artifact",
    "Detector": "flawspot.runtime.detector",
    "FlawspotError": "flawspot.errors",
    "Prediction": "flawspot.runtime.prediction",
    "evaluate": "flawspot.evaluation",
    "load": "flawspot.runtime.detector",
    "train": "flawspot.training.road",
}

__all__ = ["Artifact", "Detector", "FlawspotError", "Prediction", "__version__", "evaluate", "load", "train"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("flawspot")
    if name not in _HOMES:
        raise AttributeError(f"module 'flawspot' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        from flawspot.extras import missing_package

        raise missing_package(error, f"flawspot.{name}") or error from None


def __dir__() -> list[str]:
    return __all__
