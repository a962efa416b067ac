"""The shipped artifact over a labelled test set."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from PIL import Image

from flawspot.data.folders import read_sample_mask
from flawspot.errors import ArtifactError, DataError, ImageError
from flawspot.evaluation import evaluate
from flawspot.metrics import rank_pixels
from flawspot.progress import Silent
from flawspot.runtime.artifact import Artifact, assemble
from flawspot.runtime.detector import load
from flawspot.runtime.images import read_image
from flawspot.runtime.manifest import BackboneInfo, CalibrationInfo, Manifest, TrainingInfo
from flawspot.runtime.reduced import Decoded

T = TypeVar("T")


class Brightness:
    """Stands in for a detector: the anomaly is how bright the red channel is, on a 64 x 64 map."""

    manifest = Manifest(
        product="part",
        method="brightness",
        hyperparameters={},
        seed=0,
        input_size=64,
        backbone=BackboneInfo("none", "", (0,), "", "", (0.0,), (1.0,)),
        training=TrainingInfo("", 1, 0, 1, (), {}),
        calibration=CalibrationInfo(0.1, 0.5, 0.8, (0.8,)),
        parts=(),
        versions={},
        created="",
    )

    def read(self, path: Path) -> Decoded:
        pixels = read_image(path)
        return Decoded(pixels, (pixels.shape[1], pixels.shape[0]))

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        anomaly_map = batch[:, :, :, 0].astype(np.float32) / 255
        return anomaly_map, anomaly_map.max(axis=(1, 2))


@pytest.fixture
def folder(product_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(product_folder, tmp_path / "part"))


def test_figures_and_counts(folder: Path) -> None:
    evaluation = evaluate(Brightness(), folder)
    metrics = evaluation.metrics
    assert (metrics.images, metrics.good_images, metrics.defective_images, metrics.regions) == (8, 4, 4, 4)
    assert metrics.pixels == 8 * 64 * 64
    assert metrics.image_recall == 1.0
    assert metrics.image_auroc == 1.0
    assert metrics.pixel_auroc > 0.99
    assert len(evaluation.scores) == len(evaluation.samples) == 8
    assert evaluation.skipped == ()


def test_a_set_that_does_not_fit_gives_the_same_figures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = []

    def temporary_file(**arguments: object) -> object:
        files.append(temporary(**arguments))
        return files[-1]

    temporary = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", temporary_file)
    whole = evaluate(Brightness(), folder)
    assert not files
    spilled = evaluate(Brightness(), folder, memory=5000)
    assert len(files) == 2  # for good and for defective pixels
    assert all(file.closed for file in files)
    assert spilled.scores == whole.scores
    assert spilled.metrics.as_dict() == pytest.approx(whole.metrics.as_dict(), rel=1e-12)

    detector, maps, masks = Brightness(), [], []
    for sample in whole.samples:
        image = read_image(sample.path)
        maps.append(detector.run(image[None])[0][0])
        masks.append(read_sample_mask(sample, image.shape[:2]))
    at_once = rank_pixels(np.stack(maps), np.stack(masks))
    assert whole.metrics.pixel_aupro == pytest.approx(at_once.aupro, rel=1e-12)
    assert whole.metrics.pixel_ap == pytest.approx(at_once.average_precision, rel=1e-12)


def test_without_ground_truth_only_image_figures(folder: Path) -> None:
    shutil.rmtree(folder / "ground_truth")
    metrics = evaluate(Brightness(), folder).metrics
    assert metrics.image_auroc == 1.0
    assert metrics.pixel_auroc is None


def test_unreadable_photographs_are_skipped_and_told(folder: Path) -> None:
    broken = folder / "test" / "spot" / "001.png"
    broken.write_bytes(broken.read_bytes()[:200])
    evaluation = evaluate(Brightness(), folder)
    assert [path for path, _ in evaluation.skipped] == [broken]
    assert evaluation.metrics.images == 7
    with pytest.raises(ImageError, match=r"001\.png"):
        evaluate(Brightness(), folder, strict=True)


def test_all_unreadable(folder: Path) -> None:
    for path in (folder / "test").rglob("*.png"):
        path.write_bytes(b"nothing")
    with pytest.raises(DataError, match="none of the 8"):
        evaluate(Brightness(), folder)


def test_a_mask_of_another_size_names_both(folder: Path) -> None:
    Image.new("L", (32, 64), 255).save(folder / "ground_truth" / "spot" / "002_mask.png")
    with pytest.raises(DataError, match=r"002_mask\.png is 32 x 64 pixels.*002\.png is 64 x 64"):
        evaluate(Brightness(), folder)


def test_a_folder_without_test_images(product_folder: Path) -> None:
    with pytest.raises(DataError, match="no test images"):
        evaluate(Brightness(), product_folder / "train" / "good")


@pytest.fixture
def artifact(tiny_model: bytes, tiny_manifest: Manifest) -> Artifact:
    return assemble(tiny_model, tiny_manifest)


def test_a_file_an_artifact_and_a_detector_give_the_same(folder: Path, artifact: Artifact, tmp_path: Path) -> None:
    path = tmp_path / "part.onnx"
    artifact.save(path)
    figures = [evaluate(source, folder).metrics for source in (path, str(path), artifact, load(path))]
    assert all(one == figures[0] for one in figures)
    with pytest.raises(ArtifactError, match="there is no file"):
        evaluate(tmp_path / "missing.onnx", folder)


def test_progress_may_be_one_of_your_own_or_none(folder: Path) -> None:
    class Told(Silent):
        def __init__(self) -> None:
            self.tracked: list[str] = []

        def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
            self.tracked.append(description)
            yield from items

    told = Told()
    assert evaluate(Brightness(), folder, progress=told).scores == evaluate(Brightness(), folder, progress=False).scores
    assert told.tracked == ["evaluating"]


def test_progress_false_says_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    evaluate(Brightness(), folder, progress=False)
    assert capfd.readouterr() == ("", "")


def test_maps_and_masks_are_kept_when_asked_for(folder: Path) -> None:
    kept, plain = evaluate(Brightness(), folder, keep_maps=True), evaluate(Brightness(), folder)
    assert plain.maps is None and plain.masks is None
    assert kept.maps.shape == kept.masks.shape == (8, 64, 64)
    assert kept.maps.max(axis=(1, 2)).tolist() == list(kept.scores)
    assert kept.metrics == plain.metrics


def test_repr_is_a_line(folder: Path) -> None:
    assert repr(evaluate(Brightness(), folder, keep_maps=True)) == (
        "Evaluation(8 images: image AUROC 1.000, pixel AUROC 1.000; at the threshold: recall 1.000, false alarms 0.000)"
    )
    (folder / "test" / "spot" / "001.png").write_bytes(b"nothing")
    shutil.rmtree(folder / "ground_truth")
    assert "pixel AUROC undefined" in repr(evaluate(Brightness(), folder))
    assert repr(evaluate(Brightness(), folder)).endswith("; 1 unreadable)")
