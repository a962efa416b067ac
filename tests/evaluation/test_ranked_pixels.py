"""Pixels ranked at the size of the maps, and at the masks' own."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawspot.data.folders import read_sample_mask
from flawspot.evaluation import evaluate
from flawspot.evaluation.ranked_pixels import enlarged
from flawspot.metrics import rank_pixels
from flawspot.runtime.images import read_image
from flawspot.runtime.manifest import Manifest
from flawspot.runtime.reduced import Decoded


class Coarse:
    """Stands in for a detector: sees each photograph at 64 x 64, and takes its red channel for the map."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = dataclasses.replace(manifest, input_size=64)

    def read(self, path: Path) -> Decoded:
        pixels = read_image(path)
        small = Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR)
        return Decoded(np.asarray(small), (pixels.shape[1], pixels.shape[0]))

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        anomaly_map = batch[:, :, :, 0].astype(np.float32) / 255
        return anomaly_map, anomaly_map.max(axis=(1, 2))


@pytest.fixture
def coarse(tiny_manifest: Manifest) -> Coarse:
    return Coarse(tiny_manifest)


def test_a_map_is_enlarged_between_the_centres_of_its_cells() -> None:
    row = np.array([[0.0, 4.0]], np.float32)
    np.testing.assert_allclose(enlarged(row, (1, 4)), [[0, 1, 3, 4]])
    assert enlarged(row, (1, 2)) is row


def test_figures_at_the_masks_own_size_are_those_of_maps_that_were_enlarged_by_hand(
    tmp_path: Path, product_folder: Path, coarse: Coarse
) -> None:
    folder = _enlarged_folder(product_folder, tmp_path / "large", 150)
    evaluation = evaluate(coarse, folder, keep_maps=True, mask_size=True)
    maps, masks = [], []
    assert evaluation.maps is not None
    for sample, found in zip(evaluation.samples, evaluation.maps, strict=True):
        picture = Image.fromarray(found).resize((150, 150), Image.Resampling.BILINEAR)
        maps.append(np.asarray(picture, np.float32))
        masks.append(read_sample_mask(sample, (150, 150)))
    expected = rank_pixels(np.stack(maps), np.stack(masks))
    at_masks = evaluation.at_mask_size
    assert at_masks is not None
    assert at_masks.pixels == 8 * 150 * 150
    assert at_masks.regions == expected.regions
    assert at_masks.pixel_f1_max == pytest.approx(expected.f1_max, rel=1e-6)
    assert at_masks.pixel_auroc == pytest.approx(expected.auroc, rel=1e-6)
    assert at_masks.pixel_aupro == pytest.approx(expected.aupro, rel=1e-6)
    assert at_masks.pixel_aupro_normalized == pytest.approx(at_masks.pixel_aupro / 0.3)


def test_figures_at_the_maps_size_stay_as_they_were(tmp_path: Path, product_folder: Path, coarse: Coarse) -> None:
    folder = _enlarged_folder(product_folder, tmp_path / "large", 150)
    plain, both = evaluate(coarse, folder), evaluate(coarse, folder, mask_size=True)
    assert plain.metrics == both.metrics
    assert plain.at_mask_size is None


def test_where_masks_have_the_maps_size_the_figures_are_the_same(product_folder: Path, coarse: Coarse) -> None:
    evaluation = evaluate(coarse, product_folder, mask_size=True)
    assert evaluation.at_mask_size is not None
    found = evaluation.metrics.as_dict()
    assert evaluation.at_mask_size.as_dict() == {name: found[name] for name in evaluation.at_mask_size.as_dict()}


def test_of_good_photographs_alone_no_figure_is_known(tmp_path: Path, product_folder: Path, coarse: Coarse) -> None:
    folder = _enlarged_folder(product_folder, tmp_path / "large", 100)
    for path in (folder / "test").glob("*"):
        if path.name != "good":
            for file in [*path.iterdir()]:
                file.unlink()
            path.rmdir()
    evaluation = evaluate(coarse, folder, mask_size=True)
    assert evaluation.at_mask_size is None


def _enlarged_folder(folder: Path, target: Path, size: int) -> Path:
    """A copy whose photographs and masks are larger."""
    for path in folder.rglob("*.png"):
        place = target / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).resize((size, size), Image.Resampling.NEAREST).save(place)
    return target
