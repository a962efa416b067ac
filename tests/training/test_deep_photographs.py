"""Photographs of a 12-bit camera in 16-bit files: the range that they use is found, kept and applied again."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flawspot
from flawspot.errors import FlawspotWarning
from flawspot.runtime.artifact import Artifact

OPTIONS = {"method": "padim", "input_size": 64, "random_weights": True, "progress": False}


def write(path: Path, seed: int, scale: int, spot: bool = False) -> Path:
    """A photograph of 12 bits, its values times `scale`."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:64, :64]
    values = 800 + 2500 * (np.hypot(rows - 32, columns - 32) < 24) + generator.integers(0, 500, (64, 64))
    if spot:
        values[20:34, 20:34] = 100
    values[0, 0] = 4095
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((values * scale).astype(np.uint16)).save(path)
    return path


def trained(folder: Path, scale: int) -> Artifact:
    for index in range(12):
        write(folder / f"{index}.tif", index, scale)
    return flawspot.train(folder, **OPTIONS)


def test_twelve_bits_are_as_good_as_sixteen(tmp_path: Path) -> None:
    narrow, wide = trained(tmp_path / "12", 1), trained(tmp_path / "16", 16)
    assert (narrow.manifest.white, wide.manifest.white) == (4095, 65535)
    scores = [
        flawspot.load(artifact).predict(write(tmp_path / f"new{scale}.tif", 99, scale, spot=True)).score
        for artifact, scale in ((narrow, 1), (wide, 16))
    ]
    # 16 x 4095 is a little less than 65535.
    assert scores[0] == pytest.approx(scores[1], rel=0.05)
    assert narrow.manifest.calibration.threshold == pytest.approx(wide.manifest.calibration.threshold, rel=0.05)
    drawn = flawspot.load(narrow).predict(tmp_path / "new1.tif").photograph
    assert drawn is not None
    assert int(drawn.drawable().max()) == 255


def test_another_range_is_warned_of(tmp_path: Path) -> None:
    detector = flawspot.load(trained(tmp_path / "12", 1))
    with pytest.warns(FlawspotWarning, match="values up to 65520, and the detector has learned that 4095 is white"):
        detector.predict(write(tmp_path / "bright.tif", 1, 16))
