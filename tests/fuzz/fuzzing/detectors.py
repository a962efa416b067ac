"""The detectors that are mutated and that look at mutated photographs: a tiny one, and real ones, trained here."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

TRAINED = {"patchcore": "low", "padim": "low"}
"""Methods and layers; the backbone is random, so that nothing is fetched."""


def tiny(path: Path) -> Path:
    """Write the tiny artifact of the test suite."""
    import dataclasses

    from flawspot.runtime.artifact import assemble
    from flawspot.runtime.detector import load
    from flawspot.runtime.self_test import record

    suite = _suite()
    made = assemble(suite.make_tiny_model(), suite.make_tiny_manifest())
    tested = dataclasses.replace(made.manifest, self_test=record(load(made).run))
    assemble(made.model, tested).save(path)
    return path


def trained(folder: Path) -> list[Path]:
    """Train on synthetic photographs at an input size of 64; some seconds for each."""
    from PIL import Image

    from flawspot.training.road import train

    photographs = folder / "photographs"
    photographs.mkdir(parents=True, exist_ok=True)
    for index in range(16):
        Image.fromarray(_suite().photograph(index)).save(photographs / f"{index}.png")
    paths = []
    for method, layers in TRAINED.items():
        path = folder / f"{method}.onnx"
        train(
            photographs,
            method=method,
            layers=layers,
            input_size=64,
            random_weights=True,
            output=path,
            progress=False,
        )
        paths.append(path)
    return paths


def _suite() -> ModuleType:
    """tests/conftest.py, where the suite's tiny detector and photographs are made."""
    name = "the_suite"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[2] / "conftest.py")
        assert spec is not None and spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]
