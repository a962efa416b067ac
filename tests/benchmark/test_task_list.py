"""The photographs of a run: read once, and looked at again without being read."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from flawspot.benchmark.store import Store
from flawspot.benchmark.task import listing
from flawspot.benchmark.task_list import data_fingerprint
from flawspot.data.layouts import DataSource


@pytest.fixture
def source(tmp_path, product_folder):
    """A product whose photographs may be changed."""
    shutil.copytree(product_folder, tmp_path / "part")
    return DataSource("parts", "folder", tmp_path / "part")


def test_photographs_are_read_again_only_if_they_have_changed(source, tmp_path, monkeypatch):
    def fingerprint():
        return data_fingerprint(source, "part", listing(source, "part"), store)

    with Store(tmp_path / "runs.sqlite") as store:
        first = fingerprint()
        with monkeypatch.context() as patch:
            patch.setattr(DataSource, "fingerprint", lambda *_: pytest.fail("read again"))
            assert fingerprint() == first
        Image.fromarray(np.zeros((64, 64), np.uint8)).save(source.path / "test" / "good" / "000.png")
        assert fingerprint() != first


def test_a_run_knows_whether_its_photographs_have_changed(source, task, cell):
    made = task(cell=cell(category="part"), source=source, listings=(listing(source, "part"),))
    assert not made.photographs_have_changed()
    photograph = source.path / "test" / "good" / "000.png"
    os.utime(photograph, (1, 1))
    assert made.photographs_have_changed()
    again = task(cell=cell(category="part"), source=source, listings=(listing(source, "part"),))
    assert not again.photographs_have_changed()
    photograph.unlink()
    assert again.photographs_have_changed()
    shutil.rmtree(source.path)
    assert again.photographs_have_changed()
    assert not task(source=source).photographs_have_changed()  # nobody has looked at them


def test_photographs_that_are_made_need_no_look():
    assert listing(DataSource("demo", "synthetic"), "washer") == ""
