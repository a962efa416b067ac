"""Photographs of a 12-bit camera in 16-bit files: the range that they use is found, kept and applied again."""

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flawspot
from flawspot.data.looking import look
from flawspot.errors import ArtifactError, FlawspotWarning
from flawspot.runtime.artifact import Artifact
from flawspot.runtime.manifest import check_values
from flawspot.runtime.reduced import read_photograph
from flawspot.runtime.value_range import other_depth

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
    with pytest.warns(FlawspotWarning, match="values up to 65520, but the detector has learned that 4095 is white"):
        detector.predict(write(tmp_path / "bright.tif", 1, 16))


def as_eight(path: Path, seed: int) -> Path:
    """The same photograph as an editor saves it in 8 bits."""
    deep = np.asarray(Image.open(write(path, seed, 1)))
    Image.fromarray((deep // 16).astype(np.uint8)).save(path)
    return path


def told(detector: flawspot.Detector, *photographs: Path | np.ndarray) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for photograph in photographs:
            detector.predict(photograph)
            detector.predict(detector.read(photograph))
    return [str(each.message) for each in caught]


def test_eight_bits_where_sixteen_were_learned_from_are_told_once(tmp_path: Path) -> None:
    artifact = trained(tmp_path / "12", 1)
    assert artifact.manifest.bits == 16
    small = as_eight(tmp_path / "small.png", 1)
    (said,) = told(flawspot.load(artifact), small, small)
    assert "small.png has 8 bits a channel, but the detector has learned from photographs of 16" in said
    assert "unless 255 is as bright here as 4095 was there" in said
    assert told(flawspot.load(artifact), write(tmp_path / "deep.tif", 1, 1)) == []


def test_an_artifact_that_does_not_say_its_bits(tmp_path: Path) -> None:
    """Those of 16 bits are known where the range is not the whole."""
    manifest = trained(tmp_path / "12", 1).manifest
    old = dataclasses.replace(manifest, bits=None)
    assert "has 8 bits" in (other_depth(old, None, "a") or "")
    assert other_depth(old, 4000, "a") is None
    for highest in (None, 4000):
        assert other_depth(dataclasses.replace(old, white=65535), highest, "a") is None
    with pytest.raises(ArtifactError, match=r"manifest\.bits has an impossible value"):
        check_values(dataclasses.replace(manifest, bits=12))


def test_sixteen_bits_where_eight_were_learned_from(tmp_path: Path) -> None:
    """A camera's 12 bits would be nearly black."""
    for index in range(12):
        as_eight(tmp_path / "good" / f"{index}.png", index)
    artifact = flawspot.train(tmp_path / "good", **OPTIONS)
    assert (artifact.manifest.bits, artifact.manifest.white) == (8, 65535)
    (said,) = told(flawspot.load(artifact), np.full((64, 64), 4000, np.uint16))
    assert "a photograph has 16 bits a channel, but the detector has learned from photographs of 8" in said
    assert "unless 65535 is as bright here as 255 was there" in said
    assert told(flawspot.load(artifact), as_eight(tmp_path / "a.png", 5)) == []


@pytest.mark.parametrize("side", [64, 1500])
def test_the_highest_value_of_an_inverted_photograph_is_the_one_seen(tmp_path: Path, side: int) -> None:
    """Small, and so large that it is gone through in strips."""
    values = np.full((side, side), 60000, np.uint16)
    values[:, : side // 2] = 40000
    paths = [tmp_path / "plain.tif", tmp_path / "inverted.tif"]
    Image.fromarray(values).save(paths[0])
    Image.fromarray(65535 - values).save(paths[1], tiffinfo={262: 0})
    plain, inverted = (look(path) for path in paths)
    assert (plain.highest, inverted.highest) == (60000, 60000)
    assert (plain.mean, plain.light) == pytest.approx((inverted.mean, inverted.light))
    assert plain.checksum == inverted.checksum
    np.testing.assert_allclose(plain.descriptor, inverted.descriptor, atol=1e-4)
    assert [read_photograph(path, 64).highest for path in paths] == [60000, 60000]
