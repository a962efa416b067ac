"""Scratches of 30 to 90 pixels in photographs of 4,000 x 3,000: squashed, and cut into tiles.

    python benchmarks/small_defects.py FOLDER [--method padim] [--tiles auto:448] [--set NAME=VALUE ...]

The photographs are drawn: a brushed surface under uneven light, 40 good ones to learn from, 20 good and 30 with one
scratch each to test on. They are kept in FOLDER for the next run. Training and testing run in this process; its peak
memory is told. Nothing is chosen on the test photographs.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

import flawspot
from flawspot.measuring.peak_memory import peak_resident_bytes

WIDTH, HEIGHT = 4000, 3000
TRAIN, GOOD, SCRATCHED = 40, 20, 30
LENGTHS = (30, 90)
THICKNESS = 4
CONTRAST = 60


def main() -> None:
    """Print one row of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--method", default="padim")
    parser.add_argument("--tiles")
    parser.add_argument("--input-size", default="224")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    make(options.folder)
    settings = dict(each.split("=", 1) for each in options.set)
    begin = time.perf_counter()
    artifact = flawspot.train(
        options.folder,
        method=options.method,
        settings=settings,
        tiles=options.tiles,
        input_size=options.input_size,
        group="none",
        output=options.folder / f"{options.method}.onnx",
        progress=False,
    )
    trained = time.perf_counter() - begin
    detector = flawspot.load(artifact)
    begin = time.perf_counter()
    found = flawspot.evaluate(detector, options.folder, progress=False)
    each = (time.perf_counter() - begin) / (GOOD + SCRATCHED)
    metrics = found.metrics
    peak = (peak_resident_bytes() or 0) / 2**30
    print("| detector | recall | false alarms | image AUROC | pixel F1 | trained, s | a photograph, s | peak, GiB |")
    print(
        f"| {artifact.manifest.title()} | {metrics.image_recall:.2f} | {metrics.image_false_alarm_rate:.2f} "
        f"| {metrics.image_auroc:.3f} | {metrics.pixel_f1_max or 0:.3f} | {trained:.0f} | {each:.2f} | {peak:.1f} |"
    )


def make(folder: Path) -> None:
    """Draw what is not there yet, in the MVTec layout."""
    kinds = [("train", "good", TRAIN), ("test", "good", GOOD), ("test", "scratch", SCRATCHED)]
    for number, (subset, kind, count) in enumerate(kinds):
        for index in range(count):
            path = folder / subset / kind / f"{index:03}.png"
            if path.exists():
                continue
            generator = np.random.default_rng([number, index])
            image = surface(generator)
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind != "good":
                mask = scratch(image, generator)
                truth = folder / "ground_truth" / kind / f"{index:03}_mask.png"
                truth.parent.mkdir(parents=True, exist_ok=True)
                mask.save(truth)
            Image.fromarray(image).save(path, compress_level=1)


def surface(generator: np.random.Generator) -> NDArray[np.uint8]:
    """(H, W, 3): lines along the rows, light that falls off, noise of a sensor."""
    lines = generator.normal(0, 1, (HEIGHT, WIDTH // 40)).astype(np.float32)
    brushed = np.asarray(Image.fromarray(lines).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    rows, columns = np.linspace(-1, 1, HEIGHT)[:, None], np.linspace(-1, 1, WIDTH)
    slope = generator.uniform(-8, 8, 2)
    grey = 140 + 9 * brushed + slope[0] * rows + slope[1] * columns
    grey += generator.normal(0, 4, grey.shape).astype(np.float32)
    return np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def scratch(image: NDArray[np.uint8], generator: np.random.Generator) -> Image.Image:
    """Draw one into the photograph; returns its mask."""
    length = float(np.exp(generator.uniform(*np.log(LENGTHS))))
    side = 2 * LENGTHS[1]
    top, left = int(generator.integers(0, HEIGHT - side)), int(generator.integers(0, WIDTH - side))
    angle = generator.uniform(0, np.pi)
    dx, dy = length / 2 * np.cos(angle), length / 2 * np.sin(angle)
    drawn = Image.new("L", (side, side))
    middle = side / 2
    ImageDraw.Draw(drawn).line((middle - dx, middle - dy, middle + dx, middle + dy), fill=255, width=THICKNESS)
    cover = np.asarray(drawn.filter(ImageFilter.GaussianBlur(0.8)), np.float32)[:, :, None] / 255
    part = image[top : top + side, left : left + side]
    tone = CONTRAST * generator.choice([-1, 1])
    image[top : top + side, left : left + side] = np.clip(np.rint(part + cover * tone), 0, 255).astype(np.uint8)
    mask = Image.new("L", (WIDTH, HEIGHT))
    mask.paste(drawn.point(lambda value: 255 * (value > 127)), (left, top))
    return mask


if __name__ == "__main__":
    main()
