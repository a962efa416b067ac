"""Hold one detector's figures on labelled photographs against those of its translations.

    python benchmarks/runtimes.py part.onnx --data FOLDER

FOLDER is a product as `flawspot evaluate` takes it. Photographs are resized and rounded alike for all, so that only the
arithmetic differs; the first row is ONNX Runtime's where the graph resizes them. Seconds are of one photograph on one
core of this machine, where TFLite-Micro runs its reference kernels.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import flawspot
from flawspot.evaluation import evaluate
from flawspot.export.c.target import CTarget
from flawspot.export.gate import Maps
from flawspot.export.reading.from_onnx import read_form
from flawspot.export.source import Facts, Source
from flawspot.export.tflite.target import TfliteTarget
from flawspot.export.translate import TranslatedDetector
from flawspot.runtime.artifact import graph_sha256
from flawspot.runtime.detector import load
from flawspot.runtime.signature import read_trusted


class Timed:
    """A translation whose photographs are counted, and the seconds that they take."""

    def __init__(self, run: Any) -> None:
        self._run, self.seconds, self.photographs = run, 0.0, 0

    def run(self, photographs: NDArray[np.uint8]) -> Maps:
        """(N, S, S, 3) -> maps (N, S, S), scores (N,)."""
        begin = time.perf_counter()
        found: Maps = self._run(photographs)
        self.seconds += time.perf_counter() - begin
        self.photographs += len(photographs)
        return found

    def trace(self, photograph: NDArray[np.uint8], expected: Any) -> Iterator[tuple[int, bytes]]:
        """Of no layer."""
        return iter(())


class InLiteRT:
    """A TFLite file run by LiteRT, with the kernels that it takes by itself."""

    def __init__(self, data: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_content=data, num_threads=1)
        self._interpreter.allocate_tensors()
        self._image = self._interpreter.get_input_details()[0]["index"]
        names = {each["name"]: each["index"] for each in self._interpreter.get_output_details()}
        self._outputs = (names["anomaly_map"], names["score"])

    def run(self, photographs: NDArray[np.uint8]) -> Maps:
        """(N, S, S, 3) -> maps (N, S, S), scores (N,)."""
        maps, scores = [], []
        for photograph in photographs:
            self._interpreter.set_tensor(self._image, photograph[None])
            self._interpreter.invoke()
            found = [self._interpreter.get_tensor(index)[0] for index in self._outputs]
            maps.append(found[0])
            scores.append(found[1])
        return np.stack(maps), np.array(scores, np.float32)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    artifact = read_trusted(options.artifact, None)
    manifest, detector = artifact.manifest, load(artifact, device="cpu", threads=1)
    form = read_form(artifact.model, manifest.input_size)
    told = (flawspot.__version__, graph_sha256(artifact.model), form.macs)
    threshold = manifest.calibration.threshold
    facts = Facts("part", manifest.title(), manifest.input_size, threshold, manifest.product, *told)
    source = Source(artifact, form, facts)
    print(f"{manifest.title()}, on {options.data.name}\n")
    print("| runtime | pixel F1 | image AUROC | seconds |\n|:--|--:|--:|--:|")
    spread = []
    with ExitStack() as stack:
        in_c, tflite = CTarget(), TfliteTarget()
        written = in_c.write(source, Path("part.c"))
        lite = tflite.write(source, Path("part.tflite"))
        runs = {
            "ONNX Runtime": detector.run,
            "C": stack.enter_context(in_c.at_work(source, written)).run,
            "TFLite-Micro": stack.enter_context(tflite.at_work(source, lite)).run,
            "LiteRT": InLiteRT(next(iter(lite.files.values()))).run,
        }
        in_the_graph = evaluate(detector, options.data).metrics.as_dict()
        row = (in_the_graph["pixel_f1_max"], in_the_graph["image_auroc"])
        print("| ONNX Runtime, resized in the graph |", " | ".join(map(_shown, row)), "| |")
        for name, run in runs.items():
            timed = Timed(run)
            values = evaluate(TranslatedDetector(detector, timed), options.data).metrics.as_dict()
            spread.append(values["pixel_f1_max"] or 0.0)
            figures = [_shown(values[figure]) for figure in ("pixel_f1_max", "image_auroc")]
            print(f"| {name} |", " | ".join(figures), f"| {timed.seconds / timed.photographs:.3f} |", flush=True)
    print(f"\nSpread of pixel F1 over the four: {max(spread) - min(spread):.4f}")


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    main()
