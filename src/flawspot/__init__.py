"""flawspot finds defects in photographs of products, on small devices, having seen only good parts.

    flawspot.train("photos/good", output="part.onnx")              # needs flawspot[train]
    prediction = flawspot.load("part.onnx").predict("new.png")
    prediction.is_anomalous, prediction.severity, prediction.regions
    prediction.plot()                                              # a picture; notebooks show it by themselves

``flawspot.methods()`` and ``flawspot.backbones()`` list what a detector can be made of; ``flawspot.PatchCore(...)`` and
the other methods' classes take their hyperparameters. Everything is imported when first used: ``import flawspot`` is
quick, and ``load`` never imports torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from flawspot.telemetry import switch_off

switch_off()

if TYPE_CHECKING:
    from flawspot.backbones.registry import families as backbones
    from flawspot.checking import Check as Check
    from flawspot.checking import check as check
    from flawspot.choosing import Choice as Choice
    from flawspot.choosing import choose as choose
    from flawspot.errors import ArtifactError as ArtifactError
    from flawspot.errors import ConfigurationError as ConfigurationError
    from flawspot.errors import DataError as DataError
    from flawspot.errors import FlawspotError as FlawspotError
    from flawspot.errors import FlawspotWarning as FlawspotWarning
    from flawspot.errors import ImageError as ImageError
    from flawspot.errors import InspectionError as InspectionError
    from flawspot.errors import SignatureError as SignatureError
    from flawspot.errors import TrainingError as TrainingError
    from flawspot.errors import WeightsError as WeightsError
    from flawspot.evaluation import Evaluation as Evaluation
    from flawspot.evaluation import evaluate as evaluate
    from flawspot.methods import CFA as CFA
    from flawspot.methods import STFPM as STFPM
    from flawspot.methods import Jury as Jury
    from flawspot.methods import Method as Method
    from flawspot.methods import PaDiM as PaDiM
    from flawspot.methods import PaSTe as PaSTe
    from flawspot.methods import Pasted as Pasted
    from flawspot.methods import PatchCore as PatchCore
    from flawspot.methods.registry import methods as methods
    from flawspot.runtime.artifact import Artifact as Artifact
    from flawspot.runtime.detector import Detector as Detector
    from flawspot.runtime.detector import load as load
    from flawspot.runtime.not_inspected import NotInspected as NotInspected
    from flawspot.runtime.prediction import Prediction as Prediction
    from flawspot.runtime.regions import Region as Region
    from flawspot.runtime.table import table as table
    from flawspot.smallest import SmallestDefect as SmallestDefect
    from flawspot.smallest import smallest_defect as smallest_defect
    from flawspot.training.feature_cache import FeatureCache as FeatureCache
    from flawspot.training.road import train as train
    from flawspot.updating import Updated as Updated
    from flawspot.updating import update as update

_HOMES = {
    "Artifact": "flawspot.runtime.artifact",
    "Check": "flawspot.checking",
    "Choice": "flawspot.choosing",
    "Detector": "flawspot.runtime.detector",
    "Evaluation": "flawspot.evaluation",
    "FeatureCache": "flawspot.training.feature_cache",
    "NotInspected": "flawspot.runtime.not_inspected",
    "Prediction": "flawspot.runtime.prediction",
    "Region": "flawspot.runtime.regions",
    "SmallestDefect": "flawspot.smallest",
    "check": "flawspot.checking",
    "choose": "flawspot.choosing",
    "evaluate": "flawspot.evaluation",
    "load": "flawspot.runtime.detector",
    "smallest_defect": "flawspot.smallest",
    "table": "flawspot.runtime.table",
    "Updated": "flawspot.updating",
    "train": "flawspot.training.road",
    "update": "flawspot.updating",
    **dict.fromkeys(("CFA", "Jury", "Method", "PaDiM", "PaSTe", "Pasted", "PatchCore", "STFPM"), "flawspot.methods"),
    **dict.fromkeys(
        (
            "ArtifactError",
            "ConfigurationError",
            "DataError",
            "FlawspotError",
            "FlawspotWarning",
            "ImageError",
            "InspectionError",
            "SignatureError",
            "TrainingError",
            "WeightsError",
        ),
        "flawspot.errors",
    ),
}
_CALLABLE_PACKAGES = ("backbones", "methods")

__all__ = ["__version__", "backbones", "methods", *_HOMES]  # strings all of them


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("flawspot")
    if name in _CALLABLE_PACKAGES:
        return importlib.import_module(f"flawspot.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'flawspot' has no attribute {name!r}")
    from flawspot.extras import import_module

    return getattr(import_module(_HOMES[name], f"flawspot.{name}"), name)


def __dir__() -> list[str]:
    return __all__
