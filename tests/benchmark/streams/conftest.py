"""Tasks of tiny streams: a backbone of three blocks without weights."""

from pathlib import Path

import pytest

from flawspot.benchmark.code_version import stream_version
from flawspot.benchmark.record import Cell
from flawspot.benchmark.streams.stream import CONDITIONS, Stream
from flawspot.benchmark.task import Task, keys
from flawspot.data.layouts import DataSource


@pytest.fixture
def light() -> Stream:
    """Three conditions."""
    return Stream(name="light", of=CONDITIONS, steps=("none", "brightness=2", "noise=2+shift=3"))


@pytest.fixture
def make(tmp_path: Path, product_folder: Path, light: Stream):
    """Make a task."""

    def make(strategy: str, source: DataSource | None = None, **changed) -> Task:
        plain = {"data": "parts", "category": product_folder.name, "backbone": "mobilenet_v2", "layers": "1,2"}
        plain |= {"method": "padim", "label": "PaDiM", "input_size": 64, "random_weights": True, "stream": light}
        cell = Cell(**{**plain, "strategy": strategy, **changed})
        version = stream_version()
        key, training_key = keys(cell, data_fingerprint="d", weights_sha256="", code_version=version)
        return Task(
            key=key,
            training_key=training_key,
            cell=cell,
            source=source or DataSource("parts", "folder", product_folder),
            folder=tmp_path / "runs.files",
            data_fingerprint="d",
            weights="random",
            weights_sha256="",
            code_version=version,
        )

    return make
