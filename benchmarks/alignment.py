"""Tests whether aligning every photograph to a reference helps: trains and tests with and without.

    python benchmarks/alignment.py DATA --work FOLDER [--mode translation|rigid] [--method padim] [--seed 0]

DATA is a product in the MVTec layout. The reference is the median of the good training photographs at 128 pixels; each
photograph is moved by phase correlation with it (Kuglin and Hines, 1975), for ``rigid`` at the angle from -12 to 12
degrees that correlates best. Moved copies and masks are written to FOLDER; the border is repeated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import flawspot

SIDE = 128
ANGLES = np.arange(-12, 12.5, 1.0)
_BAND = 0.1
"""Deviation of the Gaussian over frequencies, in cycles a pixel."""
KEPT = 0.9
"""Of a photograph's own sides: what is shown of it once moved, so that no border comes in."""

Grey = NDArray[np.float64]


def main() -> None:
    """Print one row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--mode", choices=["none", "translation", "rigid"], default="none")
    parser.add_argument("--method", default="padim")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = options.work / f"{options.data.name} {options.mode}"
    if not folder.exists():
        write_moved(options.data, folder, options.mode)
    settings = {"method": options.method, "seed": options.seed, "calibration": "split", "group": "none"}
    artifact = flawspot.train(folder, progress=False, **settings)
    metrics = flawspot.evaluate(artifact, folder, progress=False).metrics
    print(
        f"| {options.data.name} | {options.method} | {options.seed} | {options.mode} | {metrics.pixel_f1_max:.3f} "
        f"| {metrics.image_auroc:.3f} | {metrics.image_false_alarm_rate:.3f} |",
        flush=True,
    )


def write_moved(data: Path, folder: Path, mode: str) -> None:
    """Copies of a product whose parts lie as in the reference; ``none`` only cuts off the border, as the others do."""
    good = sorted((data / "train" / "good").iterdir())
    reference = np.median([grey(Image.open(path)) for path in good[:60]], axis=0)
    for path in sorted(data.glob("train/*/*")) + sorted(data.glob("test/*/*")):
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        down, across, angle = (0.0, 0.0, 0.0) if mode == "none" else pose(grey(image), reference, mode)
        target = (folder / path.relative_to(data)).with_suffix(".png")
        target.parent.mkdir(parents=True, exist_ok=True)
        moved(image, down, across, angle, Image.Resampling.BILINEAR).save(target)
        truth = data / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"
        if path.parent.parent.name == "test" and truth.exists():
            mask = Image.open(truth).convert("L")
            goal = folder / "ground_truth" / path.parent.name / truth.name
            goal.parent.mkdir(parents=True, exist_ok=True)
            moved(mask, down, across, angle, Image.Resampling.NEAREST).save(goal)


def grey(image: Image.Image) -> Grey:
    """(SIDE, SIDE)."""
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float64)


def pose(image: Grey, reference: Grey, mode: str) -> tuple[float, float, float]:
    """How far the image lies below and right of the reference, as shares of its sides, and turned by how much."""
    best = (-np.inf, 0.0, 0.0, 0.0)
    for angle in [0.0] if mode == "translation" else ANGLES:
        turned = np.asarray(
            Image.fromarray(image.astype(np.float32)).rotate(-angle, Image.Resampling.BILINEAR), np.float64
        )
        peak, down, across = correlate(turned, reference)
        if peak > best[0]:
            best = (peak, down, across, float(angle))
    return best[1:]


def correlate(image: Grey, reference: Grey) -> tuple[float, float, float]:
    """Height of the peak of the phase correlation, and where it is, at most a tenth of a side away."""
    window = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    spectra = [np.fft.rfft2((each - each.mean()) * window) for each in (image, reference)]
    cross = spectra[0] * spectra[1].conj()
    rows, columns = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)
    low = np.exp(-(rows**2 + columns**2) / (2 * _BAND**2))  # noise has no phase worth the name
    surface = np.fft.irfft2(low * cross / (np.abs(cross) + 1e-9 * np.abs(cross).max()), s=(SIDE, SIDE))
    most = SIDE // 10
    near = np.roll(surface, (most, most), (0, 1))[: 2 * most + 1, : 2 * most + 1]
    row, column = np.unravel_index(int(near.argmax()), near.shape)
    return float(near.max()), (int(row) - most) / SIDE, (int(column) - most) / SIDE


def moved(image: Image.Image, down: float, across: float, angle: float, how: Image.Resampling) -> Image.Image:
    """The middle of a photograph, moved back."""
    width, height = image.size
    turned = image.rotate(-angle, how)
    cut = ((1 - KEPT) / 2 * width + across * width, (1 - KEPT) / 2 * height + down * height)
    box = (cut[0], cut[1], cut[0] + KEPT * width, cut[1] + KEPT * height)
    padded = np.pad(
        np.asarray(turned), [(height // 5,) * 2, (width // 5,) * 2] + [(0, 0)] * (turned.mode == "RGB"), "edge"
    )
    shifted = tuple(side + (width // 5, height // 5)[index % 2] for index, side in enumerate(box))
    return Image.fromarray(padded).crop(tuple(round(side) for side in shifted))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
