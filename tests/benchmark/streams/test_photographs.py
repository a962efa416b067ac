"""What arrives at each step of a stream, and what is tested on."""

import shutil

import numpy as np
import pytest

from flawspot.benchmark.streams.photographs import steps_of, together
from flawspot.benchmark.streams.stream import CATEGORIES, CONDITIONS, Stream
from flawspot.data.corruptions import corrupt_all, corrupt_mask_all, image_seed
from flawspot.data.layouts import DataSource
from flawspot.errors import DataError
from flawspot.runtime.images import read_image


@pytest.fixture
def steps(make):
    """The steps of a task."""

    def of(**changed):
        task = make("anew", **changed)
        return steps_of(task.cell, task.cell.stream, task.source)

    return of


def test_every_good_photograph_arrives_once_by_the_seed(steps, product_folder):
    found = steps()
    assert [step.name for step in found] == ["none", "brightness=2", "noise=2+shift=3"]
    arrived = [path for step in found for path in step.folder.train]
    assert [len(step.folder.train) for step in found] == [8, 8, 8]
    assert sorted(arrived) == sorted(path for path in (product_folder / "train" / "good").iterdir())
    assert [step.folder.train for step in steps()] == [step.folder.train for step in found]
    assert [step.folder.train for step in steps(seed=1)] != [step.folder.train for step in found]
    assert {len(step.folder.test) for step in found} == {8}, "the whole test set comes with every condition"


def test_photographs_have_the_condition_of_their_step(steps, product_folder, tmp_path):
    plain, _, both = steps()
    assert plain.arrived(tmp_path) == plain.folder.train
    assert plain.alteration() is None
    written = both.arrived(tmp_path / "new")
    for path, file in zip(both.folder.train, written, strict=True):
        seed = image_seed(0, path.relative_to(product_folder).as_posix())
        assert np.array_equal(read_image(file), corrupt_all(read_image(path), {"noise": 2, "shift": 3}, seed))
    sample = both.folder.test[-1]
    image, mask = read_image(sample.path), np.zeros((64, 64), np.bool_)
    mask[32:42, 21:31] = True
    altered, moved = both.alteration()(sample, image, mask)
    seed = image_seed(0, sample.path.relative_to(product_folder).as_posix())
    assert np.array_equal(altered, corrupt_all(image, {"noise": 2, "shift": 3}, seed))
    assert np.array_equal(moved, corrupt_mask_all(mask, {"shift": 3}, seed))
    assert not np.array_equal(moved, mask)


def test_categories_arrive_as_they_are(steps, product_folder, tmp_path):
    shutil.copytree(product_folder, tmp_path / "a")
    shutil.copytree(product_folder, tmp_path / "b")
    stream = Stream(name="products", of=CATEGORIES, steps=("b", "a"))
    first, second = steps(source=DataSource("parts", "mvtec_ad", tmp_path), stream=stream, category="b then a")
    assert [step.folder.root for step in (first, second)] == [tmp_path / "b", tmp_path / "a"]
    assert len(first.folder.train) == len(second.folder.train) == 24
    assert together([*first.folder.train, *second.folder.train]).root == tmp_path


def test_too_few_photographs_for_the_steps(steps):
    with pytest.raises(DataError, match="has 24 good photographs: too few for 13 steps"):
        steps(stream=Stream(name="long", of=CONDITIONS, steps=("none",) * 13))
