"""Draw a product, train a detector on its good parts, find defects in new photographs, and measure how many.

    python examples/train_and_predict.py [--out FOLDER] [--quick]

Needs flawspot[train], and once: flawspot weights pull mobilenet_v2. About a minute on one core.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import flawspot
from flawspot.data.demo_set import make_demo_set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out = Path("examples-out/train_and_predict")
    parser.add_argument("--out", type=Path, default=out, metavar="FOLDER", help="for all files (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="small and untrained: it runs, and finds little")
    options = parser.parse_args()
    out, quick = options.out, options.quick

    # 1. Photographs. flawspot draws them: good parts to learn from, and good and defective ones to test on. With parts
    # of your own this step is a folder of photographs of good ones; see own_data.py.
    (photographs,) = make_demo_set(
        out / "photographs",
        products=["washer"],
        train=24 if quick else 80,
        test_good=4 if quick else 20,
        test_per_defect=2 if quick else 8,
        size=64 if quick else 256,
    )
    print(f"drawn: {photographs}")

    # 2. Train. Only the photographs in train/good are learned from. PatchCore keeps patches of them in a memory bank; a
    # small bank makes a small, fast detector. Leave `method` out for the default, which finds more and takes longer.
    artifact = flawspot.train(
        photographs,
        method=flawspot.PatchCore(bank_size=50 if quick else 500),
        output=out / "washer.onnx",
        layers=[1] if quick else None,
        input_size=64 if quick else 224,
        random_weights=quick,
        progress=sys.stderr.isatty(),
    )
    calibration = artifact.manifest.calibration
    print(f"trained: {out / 'washer.onnx'}, {(out / 'washer.onnx').stat().st_size / 1e6:.1f} MB")
    print(f"threshold {calibration.threshold:.3g}: at most {calibration.promised_rate:.1%} of good parts exceed it")

    # 3. Predict. A device needs no more than these two lines, and no torch.
    detector = flawspot.load(out / "washer.onnx")
    prediction = detector.predict(photographs / "test" / "scratch" / "000.png")
    print(f"one photograph: {prediction.verdict}, severity {prediction.severity_text}")  # above 1 is anomalous
    for region in prediction.regions:
        print(f"  a region at {region.box} (left, top, right, bottom), {region.area} pixels")

    # 4. Evaluate. The folders below test say what each photograph shows.
    evaluation = flawspot.evaluate(detector, photographs, progress=False)
    print(evaluation)
    called = defaultdict(list)
    for sample, score in zip(evaluation.samples, evaluation.scores, strict=True):
        called[sample.defect or "good"].append(score > evaluation.threshold)
    for kind, verdicts in called.items():
        print(f"  {kind:8} {sum(verdicts):2} of {len(verdicts)} are called anomalous")

    # 5. Pictures: the photograph, its heat map, and boxes around what was found.
    pictures = out / "pictures"
    for kind in called:
        for path in sorted((photographs / "test" / kind).glob("*.png"))[:2]:
            detector.predict(path).save(pictures / f"{kind}_{path.name}")
    print(f"look at {pictures}: two photographs of each kind, and what was found in them")


if __name__ == "__main__":
    try:
        main()
    except flawspot.FlawspotError as error:  # one line, with the cure: for example to fetch the weights
        sys.exit(str(error))
