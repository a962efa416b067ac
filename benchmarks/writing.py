"""Time how graphs are written: by torch's exporter, and recorded from one run of their module.

    python benchmarks/writing.py [--runs 3]

The backbone of a feature pass (MobileNetV2 [6, 7, 10, 14] at 224 x 224), the detectors of PaSTe and STFPM with
untrained students, and those of PaDiM, PatchCore and CFA fitted to 24 random photographs. The first run of each way has
its own column, because it imports what that way needs.
"""

from __future__ import annotations

import argparse
import time

import torch
from pipeline import BACKBONE, METHODS, SIZE, make_module
from torch import nn

from flawspot.backbones.layer_groups import resolve
from flawspot.backbones.registry import create_pretrained
from flawspot.methods.features import FeatureSet
from flawspot.methods.registry import create_method, methods
from flawspot.runtime.detector import OUTPUTS
from flawspot.training.graph import DetectorGraph, FeatureGraph, Preprocess, to_onnx

PHOTOGRAPHS = 24
OTHERS = {"PaDiM": "padim", "PatchCore": "patchcore", "CFA": "cfa"}


def fitted(name: str) -> DetectorGraph:
    """The detector of a method without students, fitted as shortly as it can be."""
    method = create_method(name, dict(methods()[name].shortest_fit))
    taps = resolve(BACKBONE, method.default_layers)
    network, weights = create_pretrained(BACKBONE, method.required(taps, BACKBONE), None)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        maps = network(torch.rand(PHOTOGRAPHS, 3, SIZE, SIZE, generator=generator))
    features = {layer: each.numpy() for layer, each in maps.items()}
    method.fit(FeatureSet(network, taps, (SIZE, SIZE), features), None)
    return DetectorGraph(Preprocess(SIZE, weights.mean, weights.std), network, method.head())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    detectors = {name: make_module(kind) for name, kind in METHODS.items()}
    detectors |= {name: fitted(method) for name, method in OTHERS.items()}
    paste = detectors["PaSTe"]
    names = [f"layer_{tap}" for tap in paste.backbone.taps]
    graphs: dict[str, tuple[nn.Module, list[str]]] = {
        "backbone": (FeatureGraph(paste.preprocess, paste.backbone), names)
    }
    graphs |= {name: (module, list(OUTPUTS)) for name, module in detectors.items()}
    print("## Writing the graph\n")
    print(f"Processor seconds of the first run, and the least of {options.runs} further runs.\n")
    print("| graph | recorded, first | recorded | exporter, first | exporter |\n|:--|--:|--:|--:|--:|")
    for name, (graph, outputs) in graphs.items():
        cells = []
        for plain in (False, True):
            taken = []
            for _ in range(1 + options.runs):
                begin = time.process_time()
                to_onnx(graph, outputs, plain=plain)
                taken.append(time.process_time() - begin)
            cells += [f"{taken[0]:.2f}", f"{min(taken[1:]):.2f}"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
