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
    from flawspot.evaluation import Evaluation as Evaluation
    from flawspot.evaluation import evaluate as evaluate
    from flawspot.runtime.artifact import Artifact as Artifact
    from flawspot.runtime.detector import Detector as Detector
    from flawspot.runtime.detector import load as load
    from flawspot.runtime.prediction import Prediction as Prediction
    from flawspot.runtime.regions import Region as Region
    from flawspot.runtime.table import table as table
    from flawspot.training.road import train as train

_HOMES = {
    "Artifact": "flawspot.runtime.artifact",
    "Detector": "flawspot.runtime.detector",
    "Evaluation": "flawspot.evaluation",
    "FlawspotError": "flawspot.errors",
    "Prediction": "flawspot.runtime.prediction",
    "Region": "flawspot.runtime.regions",
    "evaluate": "flawspot.evaluation",
    "load": "flawspot.runtime.detector",
    "table": "flawspot.runtime.table",
    "train": "flawspot.training.road",
}
_TRAINING_HALF = ("torch", "onnx", "onnxscript", "platformdirs")

__all__ = [
    "Artifact",
    "Detector",
    "Evaluation",
    "FlawspotError",
    "Prediction",
    "Region",
    "__version__",
    "evaluate",
    "load",
    "table",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("flawspot")
    if name not in _HOMES:
        raise AttributeError(f"module 'flawspot' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if error.name not in _TRAINING_HALF:
            raise
        raise ModuleNotFoundError(
            f"training needs {error.name}, which is not installed: run `pip install 'flawspot[train]'`", name=error.name
        ) from None


def __dir__() -> list[str]:
    return __all__
