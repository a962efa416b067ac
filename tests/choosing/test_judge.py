"""The judge: a detector that sees defects is above one that sees nothing of them."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from flawspot.choosing.judge import judge, looked_at, pasted, rank_of
from flawspot.data.judged_defects import KINDS
from flawspot.errors import DataError
from flawspot.runtime.detector import Detector
from flawspot.runtime.view import View

SIDE = 64


class Seeing(Detector):
    """Its map is how far the photograph is from a flat one, or noise."""

    def __init__(self, manifest, sees):
        super().__init__(manifest, None)
        self._sees, self._generator = sees, np.random.default_rng(0)

    def run(self, batch):
        seen = np.abs(batch.astype(np.float32) - 120).max(axis=3)
        maps = seen if self._sees else self._generator.random(seen.shape, np.float32)
        return maps, maps.max(axis=(1, 2))


@pytest.fixture
def detector(tiny_manifest):
    return lambda sees: Seeing(dataclasses.replace(tiny_manifest, input_size=SIDE), sees)


@pytest.fixture
def good(tmp_path):
    paths = []
    for index in range(3):
        noise = np.random.default_rng(index).integers(-2, 3, (SIDE, SIDE, 3))
        paths.append(tmp_path / f"{index}.png")
        Image.fromarray((120 + noise).astype(np.uint8)).save(paths[-1])
    return paths


def test_who_sees_is_above_who_does_not(detector, good):
    seeing, blind = judge(detector(True), good, defects=42), judge(detector(False), good, defects=42)
    assert seeing.metrics.image_auroc == 1.0
    assert seeing.metrics.pixel_f1_max > 0.85
    assert seeing.rank > 0.9
    assert blind.metrics.image_auroc == pytest.approx(0.5, abs=0.2)
    assert blind.rank < 0.5
    assert set(seeing.recall) <= set(KINDS)
    assert (seeing.photographs, seeing.defects) == (3, 42)
    assert seeing.rank == rank_of(seeing.metrics.as_dict()) == seeing.as_dict()["rank"]


def test_every_detector_gets_the_same_defects(detector, good):
    first, second = (list(looked_at(detector(sees), good, seed=3, defects=9)) for sees in (True, False))
    assert [one.kind for one in first] == [one.kind for one in second]
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(first, second, strict=True))
    other = list(looked_at(detector(True), good, seed=4, defects=9))
    assert not all(np.array_equal(a.mask, b.mask) for a, b in zip(first, other, strict=True))


def test_each_kind_as_often_as_the_others(good):
    for path in good:  # stripes, of which a piece from elsewhere can be told
        pixels = np.array(Image.open(path))
        pixels[::7] = pixels[:, ::9] = 40
        Image.fromarray(pixels).save(path)
    kinds = [kind for _, _, kind in pasted(good, seed=0, defects=21)]
    assert kinds.count(None) == 3
    assert {kinds.count(kind) for kind in KINDS} == {3}


def test_photographs_that_cannot_be_read_are_left_out(detector, good):
    good[0].write_bytes(b"no photograph")
    assert judge(detector(True), good, defects=14).photographs == 2
    good[1].write_bytes(b"no photograph")
    with pytest.raises(DataError, match="1 of 3 held-out good photographs can be read"):
        judge(detector(True), good, defects=14)


def test_no_defect_lies_where_the_detector_does_not_look(tiny_manifest, good):
    crop = View(SIDE, SIDE // 2, fit="crop")
    manifest = dataclasses.replace(tiny_manifest, input_size=SIDE, geometry=crop)
    for image, mask, kind in pasted(good, seed=0, defects=30, view_of=Seeing(manifest, True)):
        if kind is not None:
            columns = np.nonzero(mask)[1]
            assert 8 < columns.mean() < image.shape[1] - 8
