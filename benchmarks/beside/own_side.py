"""Flawspot's process: trains detectors, and looks at photographs with them. Serves `beside.talking`'s requests."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from beside.subjects import BACKBONE, LAYERS, SEED, SIZE, Subject
from beside.talking import serve
from flawspot.measuring.peak_memory import peak_resident_bytes
from flawspot.runtime.detector import Detector, load
from flawspot.runtime.images import read_image


class Own:
    """Answers requests: ``train``, ``load``, ``look``."""

    def __init__(self) -> None:
        self._detector: Detector | None = None

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["do"] == "train":
            return self._train(Subject(**request["subject"]), request["photographs"], Path(request["folder"]))
        if request["do"] == "load":
            self._detector = load(_artifact(request), threads=request["threads"])
            return {}
        return self._look(request["photograph"], request.get("keep"))

    def _train(self, subject: Subject, photographs: list[str], folder: Path) -> dict[str, Any]:
        # Only here: whoever looks at photographs needs no torch.
        from flawspot.training.road import train

        begin = time.perf_counter()
        train(
            photographs,
            method=subject.method,
            settings=subject.settings,
            backbone=BACKBONE,
            layers=LAYERS,
            input_size=SIZE,
            seed=SEED,
            output=folder / f"{subject.name}.onnx",
            progress=False,
        )
        return {"seconds": time.perf_counter() - begin, "peak": peak_resident_bytes()}

    def _look(self, photograph: str, keep: str | None) -> dict[str, Any]:
        assert self._detector is not None
        image = read_image(Path(photograph))
        begin = time.perf_counter()
        anomaly_map, score = self._detector.run(image[None])
        milliseconds = 1e3 * (time.perf_counter() - begin)
        if keep is not None:
            np.save(keep, anomaly_map[0])
        return {"ms": milliseconds, "score": float(score[0]), "size": image.shape[:2], "peak": peak_resident_bytes()}


def _artifact(request: dict[str, Any]) -> Path:
    return Path(request["folder"]) / f"{Subject(**request['subject']).name}.onnx"


if __name__ == "__main__":
    serve(Own())
