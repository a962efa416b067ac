"""Cells and records to store."""

import hashlib
import importlib
from pathlib import Path

import pytest

from flawspot.benchmark.engines.board import Board
from flawspot.benchmark.record import DONE, Cell, Record
from flawspot.benchmark.store import Store
from flawspot.benchmark.task import Estimate, Task
from flawspot.data.layouts import DataSource
from flawspot.runtime.manifest import Part


@pytest.fixture
def cell():
    """Make a cell."""

    def make(**changed):
        plain = {
            "data": "mvtec_ad",
            "category": "bottle",
            "backbone": "mobilenet_v2",
            "layers": "equiv",
            "method": "padim",
            "label": "PaDiM",
        }
        return Cell(**{**plain, **changed})

    return make


@pytest.fixture
def record(cell):
    """Make the record of a run."""

    def make(key="k", status=DONE, **changed):
        plain = {
            "cell": cell(),
            "taps": (3, 8, 14),
            "metrics": {"image_auroc": 0.9, "pixel_f1_max": None, "images": 83},
            "parts": (Part("backbone", 100, 1000), Part("memory bank", 7, 70)),
            "measured": {"latency_ms": 4.5},
            "defect_sizes": (
                {"smallest": 0, "largest": 0.5, "regions": 3, "found": 1, "recall": None, "f1_max": None},
            ),
            "finished": "2026-01-01T00:00:00+00:00",
        }
        return Record(key=key, status=status, **{**plain, **changed})

    return make


@pytest.fixture
def fake_work(monkeypatch):
    """The module beside, importable by workers too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "work"))
    return importlib.import_module("fake_work")


@pytest.fixture
def task(tmp_path, cell):
    """Make a task that only `fake_work` can work on."""

    def make(label="quick", seed=0, **changed):
        key = hashlib.sha256(f"{label} {seed}".encode()).hexdigest()
        plain = {
            "key": key,
            "training_key": key,
            "cell": cell(label=label, seed=seed),
            "source": DataSource("mvtec_ad", "mvtec_ad"),
            "folder": tmp_path / "runs.files",
            "data_fingerprint": "d",
            "weights": "w",
            "weights_sha256": "s",
            "code_version": "c",
        }
        return Task(**{**plain, **changed})

    return make


class Told:
    """A listener that keeps what it hears."""

    def __init__(self):
        self.records, self.notes = [], []

    def changed(self, counts):
        self.counts = counts

    def ended(self, record, counts):
        self.records.append(record)

    def note(self, message):
        self.notes.append(message)


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def board(tmp_path, told):
    """Make a board on the store of the test."""
    stores = []

    def make(tasks, memory=1, **options):
        store = Store(tmp_path / "runs.sqlite", owner=options.pop("owner", None))
        stores.append(store)
        estimates = {one.key: Estimate(1.0, memory) for one in tasks}
        return Board(store, tasks, estimates, told, **options)

    yield make
    for store in stores:
        store.close()
