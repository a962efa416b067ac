"""One run, from photographs to a record: all real, but tiny."""

import dataclasses
import importlib
import shutil

import numpy as np
import pytest
import torch

from flawspot.benchmark.code_version import code_version
from flawspot.benchmark.feature_files import prune, sweep
from flawspot.benchmark.one_run import execute, metrics_of, recorded
from flawspot.benchmark.record import DONE, FAILED, MISSING, Cell, Record
from flawspot.benchmark.seen_photographs import SeenPhotographs
from flawspot.benchmark.store import Store, StoreError
from flawspot.benchmark.task import Task, in_order, keys
from flawspot.benchmark.variations import alteration, vary
from flawspot.data.folders import Sample
from flawspot.data.layouts import DataSource
from flawspot.errors import DataError
from flawspot.evaluation import evaluate
from flawspot.runtime.artifact import read
from flawspot.runtime.detector import load
from flawspot.runtime.images import read_image


@pytest.fixture
def make(tmp_path, product_folder):
    """Make the task of a tiny cell: a backbone of three blocks without weights."""

    def make(source=None, **changed):
        plain = {"data": "parts", "category": product_folder.name, "backbone": "mobilenet_v2", "layers": "1,2"}
        plain |= {"method": "padim", "label": "PaDiM", "input_size": 64, "random_weights": True}
        cell = Cell(**{**plain, **changed})
        key, training_key = keys(cell, data_fingerprint="d", weights_sha256="", code_version=code_version())
        return Task(
            key=key,
            training_key=training_key,
            cell=cell,
            source=source or DataSource("parts", "folder", product_folder),
            folder=tmp_path / "runs.files",
            data_fingerprint="d",
            weights="random",
            weights_sha256="",
            code_version=code_version(),
        )

    return make


def test_a_run_is_measured_through_its_artifact(make, tmp_path, product_folder, one_thread):
    task = make()
    record = execute(task)
    assert (record.status, record.error) == (DONE, None)
    assert record.key == task.key
    assert record.taps == (1, 2)
    artifact = tmp_path / "runs.files" / record.artifact
    assert record.artifact_bytes == artifact.stat().st_size
    assert record.parts == read(artifact).manifest.parts
    metrics = metrics_of(evaluate(load(artifact), product_folder, mask_size=True))
    assert metrics["mask_size_pixels"] == 8 * 64 * 64
    assert record.metrics == metrics
    assert {"pixel_auroc", "image_f1", "image_false_alarm_rate"} <= metrics.keys()
    measured = record.measured
    assert 0 < measured["latency_ms"] <= measured["latency_ms_p95"]
    assert 50 << 20 < measured["peak_rss_bytes"] < 8 << 30
    assert measured["training_seconds"] > 0
    assert sum(band["regions"] for band in record.defect_sizes) == 4
    assert record.paper_bytes > 0
    assert [example["kind"] for example in record.examples].count("worst") == 4
    for example in record.examples:
        assert read_image(tmp_path / "runs.files" / example["picture"]).ndim == 3
    assert record.machine["cores"] >= 1
    assert record.machine["training_threads"] == torch.get_num_threads()
    assert record.versions["torch"]
    assert record.started < record.finished
    with Store(tmp_path / "runs.sqlite") as store:  # everything can be stored
        store.finish(record)
        assert store.records() == [dataclasses.replace(record)]

    # With the features and the detector at hand, a corruption of the test photographs is all that is computed anew.
    before = artifact.stat().st_mtime_ns
    noisy = execute(make(corruption="noise", severity=5))
    assert noisy.status == DONE
    assert noisy.artifact == record.artifact
    assert (record.trained, noisy.trained) == (True, False)
    assert record.training_images == noisy.training_images == 24
    assert artifact.stat().st_mtime_ns == before
    assert noisy.metrics["pixel_auroc"] != record.metrics["pixel_auroc"]
    # Begun again, as after a kill between training and storing, it gives the same figures.
    again = execute(task)
    assert (again.metrics, again.defect_sizes) == (record.metrics, record.defect_sizes)


def test_a_figure_that_is_none_fails_the_run_and_not_the_store(make):
    record = recorded(make(), lambda task: {"measured": {"training_seconds": float("inf")}})
    assert (record.status, record.error) == (FAILED, "a figure cannot be stored: it holds Infinity, which is no number")
    assert Record.from_json(record.to_json()) == record


def calls(monkeypatch, *names):
    """Count the calls of functions, by name."""
    counts = dict.fromkeys(names, 0)

    def counted(name):
        module, _, function = name.rpartition(".")
        real = getattr(importlib.import_module(module), function)

        def call(*args, **kwargs):
            counts[name] += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(name, call)

    for name in names:
        counted(name)
    return counts


@pytest.mark.parametrize(("threads", "sessions"), [("1", 1), ("2", 2)])
def test_nothing_is_loaded_read_or_planned_twice(make, monkeypatch, one_thread, threads, sessions):
    monkeypatch.setenv("FLAWSPOT_THREADS", threads)
    artifact, costs = "flawspot.runtime.detector.read_artifact", "flawspot.costs.configuration.make_plan"
    session, test_photograph = "flawspot.benchmark.one_run.load", "flawspot.evaluation.run.read_image"
    again = "flawspot.benchmark.seen_photographs.read_image"
    counts = calls(monkeypatch, artifact, costs, session, test_photograph, again)
    record = execute(make())
    assert record.error is None
    # A session has the threads that it was made with, and latency is told for one: only another number needs another.
    assert counts == {artifact: sessions - 1, costs: 1, session: sessions, test_photograph: 8, again: 0}


def test_photographs_beyond_the_bound_are_read_again(product_folder):
    wanted, other = sorted((product_folder / "test" / "good").iterdir())[:2]
    image = np.zeros((64, 64, 3), np.uint8)
    mask = np.zeros((64, 64), bool)
    roomy, tight = (SeenPhotographs([wanted], bound) for bound in (image.nbytes, image.nbytes - 1))
    for seen in (roomy, tight):
        for path in (wanted, other):
            assert seen.before(None)(Sample(path, None, None), image, mask) == (image, mask)
        assert seen.photograph(wanted) is image
    assert roomy.photograph(other) is image
    assert np.array_equal(tight.photograph(other), read_image(other))
    altered = roomy.before(lambda sample, image, mask: (image + 1, mask))(Sample(wanted, None, None), image, mask)
    assert altered[0].max() == 1
    assert roomy.photograph(wanted).max() == 0


def test_a_photograph_that_cannot_be_read_fails_the_run_and_names_it(make, tmp_path, product_folder):
    broken = tmp_path / "broken part"
    shutil.copytree(product_folder, broken)
    (broken / "train" / "good" / "003.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    record = execute(make(DataSource("parts", "folder", broken)))
    assert record.status == FAILED
    assert "003.png" in record.error
    assert "\n" not in record.error
    assert "ImageError" in record.traceback
    shutil.copy(product_folder / "train" / "good" / "003.png", broken / "train" / "good" / "003.png")
    (broken / "test" / "good" / "001.png").write_bytes(b"")
    record = execute(make(DataSource("parts", "folder", broken)))
    assert (record.status, record.artifact) == (FAILED, None)
    assert "001.png" in record.error


def test_a_full_disk_is_no_result_of_a_run(make, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("flawspot.files.os.fsync", full)
    with pytest.raises(StoreError, match=r"the disk is full \(cannot write .*start the same command again"):
        execute(make())


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 TB"),
        RuntimeError("bad allocation"),
    ],
)
def test_memory_that_runs_out_fails_the_run_with_its_cure(make, monkeypatch, error):
    def short(*args, **kwargs):
        raise error

    monkeypatch.setattr("flawspot.benchmark.one_run.train", short)
    record = execute(make())
    assert record.status == FAILED
    assert record.error.startswith("out of memory: run fewer workers")


def test_weights_that_are_not_here_make_the_run_missing(make, monkeypatch):
    task = dataclasses.replace(make(), missing="no weights: pull them")
    record = execute(task)
    assert (record.status, record.error, record.metrics) == (MISSING, "no weights: pull them", {})
    assert execute(dataclasses.replace(make(), code_version="another")).status == FAILED


def test_fewer_photographs_are_a_part_of_more(make, product_folder):
    folder = make().source.open("")
    ten, five = (vary(folder, make(shots=shots).cell) for shots in (10, 5))
    assert (len(ten.train), len(five.train)) == (10, 5)
    assert set(five.train) < set(ten.train) < set(folder.train)
    assert five.test == folder.test
    assert set(vary(folder, make(shots=5, seed=1).cell).train) != set(five.train)
    with pytest.raises(DataError, match="has 24 good photographs, not the 100"):
        vary(folder, make(shots=100).cell)


def test_contaminating_photographs_are_never_tested_on(make):
    folder = make().source.open("")
    some, more = (vary(folder, make(contamination=share).cell) for share in (0.04, 0.1))
    moved = [set(varied.train) - set(folder.train) for varied in (some, more)]
    assert [len(paths) for paths in moved] == [1, 3]  # of 25 and of 27
    assert moved[0] < moved[1]
    for varied, paths in zip((some, more), moved, strict=True):
        assert not {sample.path for sample in varied.test} & paths
        assert all("spot" in path.parts for path in paths)
        assert len(varied.test) + len(paths) == len(folder.test)
    with pytest.raises(DataError, match="some must be left to test on"):
        vary(folder, make(contamination=0.2).cell)


def test_a_corruption_moves_the_mask_with_the_photograph(make):
    folder = make().source.open("")
    sample = next(sample for sample in folder.test if sample.is_defective)
    image, mask = read_image(sample.path), np.zeros((64, 64), bool)
    mask[32:42, 21:31] = True
    alter = alteration(folder, make(corruption="shift", severity=3).cell)
    moved, moved_mask = alter(sample, image, mask)
    assert not np.array_equal(moved, image)
    assert not np.array_equal(moved_mask, mask)
    bright = moved[:, :, 0] == 250
    assert np.array_equal(bright & moved_mask, moved_mask)
    assert alteration(folder, make().cell) is None


def test_what_is_tolerated_is_learned_and_has_a_detector_of_its_own(make, tmp_path):
    plain, tolerant = make(), make(tolerate="noise=1")
    corrupted = make(tolerate="noise=1", corruption="blur", severity=1)
    record = execute(tolerant)
    assert (record.status, record.error) == (DONE, None)
    manifest = read(tmp_path / "runs.files" / record.artifact).manifest
    assert manifest.calibration.tolerated.severities == {"noise": 1}
    assert tolerant.training_key == corrupted.training_key != plain.training_key
    assert tolerant.group == corrupted.group != plain.group
    assert make(tolerate="noise=1", seed=1).group != tolerant.group  # copies depend on it
    assert execute(corrupted).trained is False


def test_what_shares_features_or_a_detector_comes_together(make):
    cells = [
        make(backbone=backbone, seed=seed, corruption=corruption, severity=1 if corruption else 0, random_weights=False)
        for corruption in (None, "blur")
        for seed in (0, 1)
        for backbone in ("mobilenet_v2", "mcunet_in3")
    ]
    ordered = in_order(cells)
    assert [task.cell.backbone for task in ordered] == ["mobilenet_v2"] * 4 + ["mcunet_in3"] * 4
    assert [(task.cell.seed, task.cell.corruption) for task in ordered[:4]] == [
        (0, None),
        (0, "blur"),
        (1, None),
        (1, "blur"),
    ]
    assert len({task.group for task in cells}) == 2
    assert make(shots=5, seed=1).group != make(shots=5, seed=2).group


def test_features_on_disk_keep_within_their_bound(tmp_path):
    import os

    for age, name in enumerate("abcd"):
        path = tmp_path / f"{name}.npy"
        path.write_bytes(b"x" * 100)
        os.utime(path, (1000 - age, 1000 - age))
    assert prune(tmp_path, 250) == 200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "b.npy"]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".flawspot-a.npy.abcdefgh.part.npy").write_bytes(b"")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*.npy")) == ["a.npy", "b.npy"]
