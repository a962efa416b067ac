"""Compare detectors for one product by accuracy, bytes and milliseconds, and measure the chosen one once.

    python examples/compare_methods.py [--out FOLDER] [--quick]

Needs flawspot[benchmark], and once: flawspot weights pull mobilenet_v2. About two minutes on one core. Started again
in the same folder it takes what is there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import flawspot
from flawspot.data.demo_set import make_demo_set

# A table of candidates in the benchmark's format. `flawspot choose` has one of forty of its own.
CANDIDATES = """
title: three detectors
data: [{name: yours, layout: folder}]
backbones: [mobilenet_v2]
layers: [mid]
methods:
  - {name: padim, label: padim diagonal, settings: {covariance: diagonal, sigma: 2.0}}
  - {name: patchcore, label: patchcore 500, settings: {bank_size: 500, sigma: 2.0}}
  - {name: patchcore, label: patchcore 500 in int8, settings: {bank_size: 500, sigma: 2.0, precision: int8}}
"""
QUICK = """
title: three detectors, small and untrained
data: [{name: yours, layout: folder}]
backbones: [mobilenet_v2]
layers: ["1"]
input_size: 64
random_weights: true
methods:
  - {name: padim, label: padim diagonal, settings: {covariance: diagonal}}
  - {name: patchcore, label: patchcore 40, settings: {bank_size: 40}}
  - {name: stfpm, label: stfpm, settings: {epochs: 1}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out = Path("examples-out/compare_methods")
    parser.add_argument("--out", type=Path, default=out, metavar="FOLDER", help="for all files (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="small and untrained: it runs, and finds little")
    options = parser.parse_args()
    out, quick = options.out, options.quick

    (photographs,) = make_demo_set(
        out / "photographs", products=["washer"], train=24 if quick else 80, size=64 if quick else 256
    )
    table = out / "candidates.yaml"
    table.write_text(QUICK if quick else CANDIDATES, encoding="utf-8")

    # Every candidate learns from the same good photographs and holds the same fifth of them out. These judge it: as
    # they are, and with defects pasted into them. Test photographs are not looked at, so they still measure afterwards.
    choice = flawspot.choose(
        photographs,
        candidates=table,
        memory="10MB",  # what the device allows; there are more limits, see docs/choosing.md
        output=out / "best.onnx",
        workers=1,  # milliseconds are of a machine that does nothing else
        progress=sys.stderr.isatty(),
    )
    print("judged by defects pasted into held-out good photographs, best first:\n")
    print(f"{'detector':24}{'rank':>8}{'image AUROC':>14}{'pixel F1':>11}{'bytes':>12}{'milliseconds':>15}")
    for judged in choice.judged:
        row, name = judged.as_dict(), judged.name.partition(" on ")[0]
        accuracy = f"{row['rank']:8.3f}{row['image_auroc']:14.3f}{row['pixel_f1_max']:11.3f}"
        print(f"{name:24}{accuracy}{row['memory']:12,}{row['latency_ms']:15.1f}")
    for unfit in choice.unfit:
        print(f"not trained: {unfit.name}: {unfit.why_not}")
    print(f"\n{choice.about}")
    print("milliseconds: one decoded photograph on one thread of this machine")

    # Only the chosen detector meets the test photographs, once. Taking the best of several there would flatter it.
    print(f"\nchosen: {choice.best.name}, {out / 'best.onnx'}")
    evaluation = flawspot.evaluate(out / "best.onnx", photographs, progress=False)
    print(f"on the test photographs: {evaluation}")
    print("a detector can rank well and still miss defects at its threshold: see docs/threshold.md")
    print(f"look at the table above; flawspot predict {out / 'best.onnx'} PHOTOGRAPHS --out FOLDER draws what it finds")


if __name__ == "__main__":
    try:
        main()
    except flawspot.FlawspotError as error:  # one line, with the cure: for example to fetch the weights
        sys.exit(str(error))
