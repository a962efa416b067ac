"""A benchmark from its tasks to its store, with work that trains nothing."""

import shutil

import pytest

from flawspot.benchmark import run_grid
from flawspot.benchmark.engines.interrupts import Interrupts
from flawspot.benchmark.run_grid import run
from flawspot.benchmark.store import Store
from flawspot.benchmark.task import listing
from flawspot.data.layouts import DataSource
from flawspot.errors import ConfigurationError


def test_nothing_of_replaced_photographs_is_used_later(task, fake_work, tmp_path, product_folder, told):
    shutil.copytree(product_folder, tmp_path / "part")
    source = DataSource("parts", "folder", tmp_path / "part")
    features = tmp_path / "runs.files" / "features" / "of some layer.npy"
    features.parent.mkdir(parents=True)

    def done(label):
        features.write_bytes(b"of the photographs")
        made = task(label, source=source, listings=(listing(source, ""),))
        with Store(tmp_path / "runs.sqlite") as store:
            return run([made], store, told, Interrupts(), workers=1, work=fake_work.work)

    counts = done("quick")
    assert (counts.done, counts.left) == (1, 0)
    assert features.exists()
    counts = done("replaced")
    assert (counts.done, counts.failed, counts.left) == (0, 0, 1)
    assert not features.exists()
    assert "start the same command again" in told.notes[0]


def test_the_threads_of_a_run_may_be_chosen(task, tmp_path, told, monkeypatch):
    seen = []
    monkeypatch.setattr(run_grid, "run_local", lambda *_, **given: seen.append((given["workers"], given["threads"])))
    with Store(tmp_path / "runs.sqlite") as store, Interrupts() as interrupts:
        run_grid.run([task("quick")], store, told, interrupts, workers=1, threads=3)
        assert seen == [(1, 3)]
        with pytest.raises(ConfigurationError, match="threads are those of local runs"):
            run_grid.run([task("quick")], store, told, interrupts, engine="ray", threads=3)
        with pytest.raises(ConfigurationError, match="threads must be at least 1, not 0"):
            run_grid.run([task("quick")], store, told, interrupts, threads=0)
