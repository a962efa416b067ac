"""Time how graphs are written: by torch's exporter, and recorded from one run of their module.

    python benchmarks/writing.py [--runs 3]

The backbone of a feature pass (MobileNetV2 [6, 7, 10, 14] at 224 x 224) and the detectors of PaSTe and
STFPM with untrained students. The first run of each way has its own column, because it imports what that way needs.
"""

from __future__ import annotations

import argparse
import time

from pipeline import METHODS, make_module
from torch import nn

from flawspot.runtime.detector import OUTPUTS
from flawspot.training.graph import FeatureGraph, to_onnx


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    detectors = {name: make_module(kind) for name, kind in METHODS.items()}
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
