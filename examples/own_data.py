"""Train on photographs of your own: a folder as it grew, with several photographs of each part.

    python examples/own_data.py [--out FOLDER] [--quick]

Needs flawspot[train], and once: flawspot weights pull mobilenet_v2. About a minute on one core.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import flawspot
from flawspot.data.demo_set import render

SHOTS = 3
PART = r"(part\d+)_"
"""How a path below the folder tells the part: what the brackets hold."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out = Path("examples-out/own_data")
    parser.add_argument("--out", type=Path, default=out, metavar="FOLDER", help="for all files (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="small and untrained: it runs, and finds little")
    options = parser.parse_args()
    out, quick = options.out, options.quick
    photographs = out / "photographs"
    photograph_parts(photographs, parts=24 if quick else 40, size=64 if quick else 256)

    # 1. The folders have names that only their owner understands. flawspot does not guess which parts are good.
    print(f"\nwhich photographs in {photographs} are good?")
    try:
        flawspot.check(photographs / "monday", progress=False)
    except flawspot.DataError as error:
        print(f"  refused: {error}")

    # 2. Say it, and look at what is odd before training. Of photographs of one part only those count as one that are
    # nearly the same. So this sees too many parts; step 3 says how to tell.
    print("with good=['golden']:")
    for finding in flawspot.check(photographs / "monday", good=["golden"], progress=False).findings:
        print(f"  {finding.kind}: {finding.text}")

    # 3. Train. With `group`, the photographs of one part count once, and never lie on both sides of a split. Without
    # it, a held-out photograph could show a part that was learned: its score would be too low, and so the threshold.
    artifact = flawspot.train(
        photographs / "monday",
        good=["golden"],
        group=PART,
        calibration="split",
        method=flawspot.PatchCore(bank_size=50 if quick else 500),
        output=out / "keycap.onnx",
        layers=[1] if quick else None,
        input_size=64 if quick else 224,
        random_weights=quick,
        progress=sys.stderr.isatty(),
    )
    manifest = artifact.manifest
    held_out = set(manifest.calibration.names)
    golden = {f"golden/{path.name}" for path in (photographs / "monday" / "golden").glob("*.png")}
    learned = {part_of(name) for name in golden - held_out - set(manifest.training.skipped)}
    parts = {part_of(name) for name in held_out}
    print(f"learned from {manifest.training.images} photographs of {len(learned)} parts")
    print(f"the threshold rests on {len(held_out)} photographs of {len(parts)} other parts: {', '.join(sorted(parts))}")
    print(f"parts on both sides: {len(learned & parts)}")
    print(f"so few parts can promise a false-alarm rate of {manifest.calibration.promised_rate:.2g}")
    print(f"left out, because it cannot be read: {', '.join(manifest.training.skipped)}")

    # 4. Test on parts of another day. A list says what each photograph shows: here a CSV with path and label.
    with (out / "tuesday.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split"])
        for path in sorted((photographs / "tuesday").rglob("*.png")):
            label = {"golden": "good", "bin 7": "chip"}[path.parent.name]
            rows.writerow([path.relative_to(out).as_posix(), label, "test"])
    evaluation = flawspot.evaluate(out / "keycap.onnx", out / "tuesday.csv", progress=False)
    print(f"\n{out / 'tuesday.csv'}: {evaluation}")
    worst = max(zip(evaluation.scores, evaluation.samples, strict=True), key=lambda pair: pair[0])[1]
    flawspot.load(artifact).predict(worst.path).save(out / "most_severe.png")
    print(f"look at {out / 'most_severe.png'}, and at {photographs} for how the photographs lay")


def photograph_parts(folder: Path, parts: int, size: int) -> None:
    """Two days of keycaps, three shots of each part, in folders as people make them, with what else lies there."""
    for day, first, kind, defect, count in (
        ("monday", 0, "golden", None, parts),
        ("monday", 500, "bin 7", "chip", 2),
        ("tuesday", 1000, "golden", None, parts // 4),
        ("tuesday", 1500, "bin 7", "chip", parts // 4),
    ):
        place = folder / day / kind
        place.mkdir(parents=True, exist_ok=True)
        for part in range(first, first + count):
            pixels, _ = render("keycap", part, defect, size)
            for shot in range(SHOTS):
                Image.fromarray(shot_again(pixels, seed=[part, shot])).save(place / f"part{part:04}_{shot}.png")
    half = (folder / "monday" / "golden" / "part0003_2.png").read_bytes()[: size * size // 2]
    (folder / "monday" / "golden" / "notes.txt").write_text("lamp replaced at noon", encoding="utf-8")
    (folder / "monday" / "golden" / "part0003_3.png").write_bytes(half)


def shot_again(pixels: np.ndarray, seed: list[int]) -> np.ndarray:
    """The same part a moment later: shifted by some pixels, in slightly other light, with other noise."""
    generator = np.random.default_rng(seed)
    rows, columns = generator.integers(-3, 4, 2)
    padded = np.pad(pixels, ((3, 3), (3, 3), (0, 0)), mode="edge")
    moved = padded[3 + rows : 3 + rows + len(pixels), 3 + columns : 3 + columns + len(pixels)]
    noisy = moved * generator.normal(1, 0.03) + generator.normal(0, 2, pixels.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def part_of(name: str) -> str:
    """``part0003`` of ``golden/part0003_2.png``."""
    found = re.search(PART, name)
    assert found is not None, name
    return found[1]


if __name__ == "__main__":
    try:
        main()
    except flawspot.FlawspotError as error:  # one line, with the cure: for example to fetch the weights
        sys.exit(str(error))
