"""What is counted, and what becomes of a run whose photographs are replaced while it is done."""

import dataclasses
import os
import shutil

import pytest

from flawspot.benchmark.record import DONE, FAILED
from flawspot.benchmark.store import Store
from flawspot.benchmark.task import listing
from flawspot.data.layouts import DataSource


def do(board, take=9, status=DONE):
    """Do some runs of a board."""
    for _ in range(take):
        task = board.take()
        if task is None:
            return
        board.finish(task.record(FAILED if task.cell.label == "wrong" else status))


def test_runs_that_failed_before_are_not_done(task, board, told):
    tasks = [task("wrong", 0), task("wrong", 1), task(seed=2), task(seed=3, missing="no weights")]
    do(board(tasks))
    assert (told.counts.done, told.counts.failed, told.counts.failed_before) == (1, 2, 0)
    do(board(tasks))
    counts = told.counts
    assert (counts.done, counts.failed, counts.missing) == (0, 0, 1)
    assert (counts.done_before, counts.failed_before, counts.stored) == (1, 2, 3)
    do(board(tasks, again=(FAILED,)))
    assert (told.counts.failed, told.counts.failed_before, told.counts.done_before) == (2, 0, 1)


def test_a_run_that_fails_elsewhere_meanwhile_is_not_done_either(task, board):
    tasks = [task("wrong", 0)]
    first, second = board(tasks), board(tasks)
    do(first)
    do(second)
    assert (second.counts.done_before, second.counts.failed_before, second.counts.elsewhere) == (0, 1, 0)


def test_what_a_limit_leaves_is_left(task, board, told):
    do(board([task(seed=seed) for seed in range(5)], limit=2))
    assert (told.counts.done, told.counts.left, told.counts.seconds_left) == (2, 3, 0)


@pytest.fixture
def on_photographs(tmp_path, product_folder, task, cell):
    """Make a task on photographs that may be changed."""
    shutil.copytree(product_folder, tmp_path / "part")
    source = DataSource("parts", "folder", tmp_path / "part")

    def make(seed, label="quick"):
        of = cell(category="part", seed=seed, label=label)
        return task(label, seed, cell=of, source=source, listings=(listing(source, "part"),), data_fingerprint="p")

    return make


@pytest.mark.parametrize("label", ["quick", "wrong"])
def test_a_run_whose_photographs_change_is_left_open(on_photographs, task, board, tmp_path, told, label):
    tasks = [on_photographs(0), on_photographs(1, label), on_photographs(2), task(seed=3)]
    made = board(tasks)
    do(made, take=1)
    running = made.take()
    artifact = running.artifact
    artifact.parent.mkdir(parents=True)
    artifact.touch()
    os.utime(tmp_path / "part" / "train" / "good" / "000.png", (1, 1))
    made.finish(running.record(FAILED if label == "wrong" else DONE))
    assert not artifact.exists()  # nobody knows what it has learned
    do(made)
    assert "photographs have changed since the start" in told.notes[0]
    assert len(told.notes) == 1
    # The one that would have had the old photographs too has not begun; the one of others has.
    assert (told.counts.done, told.counts.failed, told.counts.left, made.set_aside) == (2, 0, 2, 2)
    with Store(tmp_path / "runs.sqlite") as store:
        assert set(store.statuses()) == {tasks[0].key, tasks[3].key}
        assert store.claimed() == set()


def test_a_detector_of_an_earlier_run_stays(on_photographs, board, tmp_path):
    made = board([on_photographs(0)])
    running = made.take()
    artifact = running.artifact
    artifact.parent.mkdir(parents=True)
    artifact.touch()
    with Store(tmp_path / "runs.sqlite") as store:
        name = artifact.relative_to(running.folder).as_posix()
        store.finish(dataclasses.replace(running.record(DONE, artifact=name), key="of an earlier run"))
    shutil.rmtree(tmp_path / "part")
    made.finish(running.record(DONE, artifact=name, trained=False))
    assert artifact.exists()
