"""The engine of this machine: processes that die, that are interrupted, and that share the runs with others."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from flawspot.benchmark.engines.interrupts import Interrupts
from flawspot.benchmark.engines.local import choose_workers, run_local
from flawspot.benchmark.machine import cores
from flawspot.benchmark.owner import this_process
from flawspot.benchmark.record import DONE, FAILED, MISSING
from flawspot.benchmark.store import Store, StoreError
from flawspot.benchmark.task import Estimate

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def go(board, fake_work, workers=2, **options):
    run_local(board, Interrupts(), workers=workers, threads=1, work=fake_work.work, **options)


def statuses(tmp_path):
    with Store(tmp_path / "runs.sqlite") as store:
        assert store.claimed() == set()
        return {record.cell.seed: record.status for record in store.records()}


def log(tmp_path, what):
    return [
        int(pid) for path in (tmp_path / "runs.files" / "log").glob(f"*.{what}") for pid in path.read_text().split()
    ]


def test_all_runs_end_and_the_workers_are_used_again(task, board, fake_work, tmp_path, told):
    go(board([task(seed=seed) for seed in range(6)]), fake_work)
    assert statuses(tmp_path) == dict.fromkeys(range(6), DONE)
    assert len(told.records) == 6
    assert len(set(log(tmp_path, "begin"))) <= 2
    assert os.getpid() not in log(tmp_path, "begin")
    assert (told.counts.done, told.counts.left, told.counts.running) == (6, 0, 0)


@posix
def test_a_run_whose_process_is_killed_is_tried_twice_and_the_rest_goes_on(task, board, fake_work, tmp_path, told):
    tasks = [task("killed", 0), task("killed once", 1), *(task(seed=seed) for seed in range(2, 5))]
    go(board(tasks), fake_work)
    assert statuses(tmp_path) == {0: FAILED, 1: DONE, 2: DONE, 3: DONE, 4: DONE}
    failed = next(record for record in told.records if record.status == FAILED)
    assert failed.error == "its process was ended by signal 9, as the system does when memory runs out, 2 times"
    assert len(told.notes) == 2
    assert len(log(tmp_path, "begin")) == 2 + 2 + 3


def test_memory_that_cannot_be_had_fails_one_run(task, board, fake_work, tmp_path, told):
    go(board([task("memory", 0), task(seed=1)]), fake_work, workers=1)
    assert statuses(tmp_path) == {0: FAILED, 1: DONE}
    assert told.records[0].error.startswith("out of memory: run fewer workers")
    first, second = log(tmp_path, "begin")
    assert first != second  # what it may have left behind is gone


def test_failed_runs_are_begun_again_only_on_demand(task, board, fake_work, tmp_path, told):
    tasks = [task("memory", 0), task(seed=1)]
    go(board(tasks), fake_work)
    go(board(tasks), fake_work)
    assert len(told.records) == 2
    go(board(tasks, again=(FAILED,)), fake_work)
    assert len(told.records) == 3


def test_what_is_missing_is_stored_as_such_and_not_begun(task, board, fake_work, tmp_path, told):
    go(board([task(seed=0, missing="no weights: pull them"), task(seed=1)]), fake_work)
    assert statuses(tmp_path) == {0: MISSING, 1: DONE}
    with Store(tmp_path / "runs.sqlite") as store:
        assert store.records()[0].error == "no weights: pull them"
    # It is there the next time.
    go(board([task(seed=0)]), fake_work)
    assert statuses(tmp_path) == {0: DONE, 1: DONE}


def test_no_more_runs_begin_than_are_allowed(task, board, fake_work, tmp_path, told):
    go(board([task(seed=seed) for seed in range(5)], limit=2), fake_work)
    assert len(told.records) == 2
    assert told.counts.left == 3  # for the next time
    assert told.counts.seconds_left == 0


def test_no_run_begins_after_its_time(board, task, fake_work, told):
    tasks = [task(seed=seed) for seed in range(3)]
    go(board(tasks, until=time.monotonic() - 1), fake_work)
    assert not told.records
    go(board(tasks, until=time.monotonic() + 900), fake_work)
    assert len(told.records) == 3


def test_runs_that_do_not_fit_into_memory_together_wait_for_each_other(task, board, fake_work, tmp_path, monkeypatch):
    monkeypatch.setattr("flawspot.benchmark.engines.local.memory_budget", lambda: 10.0)
    go(board([task("sleep 0.3", seed) for seed in range(3)], memory=6), fake_work, workers=3)
    assert len(set(log(tmp_path, "begin"))) == 1
    # One that never fits is tried alone.
    go(board([task(seed=9)], memory=100), fake_work)
    assert statuses(tmp_path)[9] == DONE


def test_runs_that_share_features_go_to_one_worker(task, board, cell):
    tasks = [task(seed=seed, cell=cell(category="abc"[seed % 3], seed=seed)) for seed in range(9)]
    made = board(tasks)
    first, second = made.take(), made.take()
    assert (first.cell.category, second.cell.category) == ("a", "b")
    assert [made.take(first.group).cell.category for _ in range(2)] == ["a", "a"]
    assert made.take(first.group).cell.category == "c"  # nobody works on it
    assert made.take(first.group).cell.category == "b"  # rather together than not at all


def test_an_interruption_lets_running_runs_end(task, board, fake_work, tmp_path, told):
    with Interrupts() as interrupts:
        threading.Timer(2.5, lambda: signal.raise_signal(signal.SIGINT)).start()
        tasks = [task("sleep 4", 0), *(task(seed=seed) for seed in range(1, 3))]
        run_local(board(tasks), interrupts, workers=1, threads=1, work=fake_work.work, grace=30)
        assert interrupts.count == 1
    assert statuses(tmp_path) == {0: DONE}
    assert "press Ctrl-C again" in told.notes[0]


def test_an_interruption_ends_long_runs_and_gives_them_back(task, board, fake_work, tmp_path, told):
    begin = time.monotonic()
    with Interrupts() as interrupts:
        threading.Timer(2.5, lambda: signal.raise_signal(signal.SIGINT)).start()
        tasks = [task("sleep 60", 0), task(seed=1)]
        run_local(board(tasks), interrupts, workers=1, threads=1, work=fake_work.work, grace=0.5)
    assert time.monotonic() - begin < 30
    assert statuses(tmp_path) == {}
    with Store(tmp_path / "runs.sqlite", owner=this_process()) as store:
        assert store.claim(task("sleep 60", 0).key)


def test_a_second_interruption_ends_at_once(task, board, fake_work, tmp_path):
    begin = time.monotonic()
    with Interrupts() as interrupts:
        for seconds in (2.5, 3):
            threading.Timer(seconds, lambda: signal.raise_signal(signal.SIGINT)).start()
        run_local(board([task("sleep 60", 0)]), interrupts, workers=1, threads=1, work=fake_work.work, grace=60)
        assert interrupts.count == 2
    assert time.monotonic() - begin < 30
    assert statuses(tmp_path) == {}


def test_a_store_that_cannot_be_written_ends_the_work_with_its_cure(task, board, fake_work, tmp_path, monkeypatch):
    def full(self, record):
        raise StoreError("the disk is full. Free some space and run the same command again")

    monkeypatch.setattr(Store, "finish", full)
    with pytest.raises(StoreError, match="Free some space"):
        go(board([task(seed=seed) for seed in range(3)]), fake_work)
    monkeypatch.undo()


def test_a_full_disk_ends_the_work_and_leaves_its_runs_open(task, board, fake_work, tmp_path, told):
    tasks = [task(seed=0), task("full disk", 1), *(task(seed=seed) for seed in range(2, 4))]
    with pytest.raises(StoreError, match=r"the disk is full .*free some space and start the same command again"):
        go(board(tasks), fake_work, workers=1)
    assert statuses(tmp_path) == {0: DONE}
    assert len(log(tmp_path, "begin")) == 2
    assert not [pid for pid in log(tmp_path, "begin") if psutil.pid_exists(pid)]


def test_a_run_that_cannot_be_given_back_does_not_keep_the_workers_alive(task, board, fake_work, tmp_path, monkeypatch):
    def full(*args):
        raise StoreError("the disk is full")

    monkeypatch.setattr(Store, "release", full)
    with Interrupts() as interrupts:
        threading.Timer(2.5, lambda: interrupts._note(2, None)).start()
        tasks = [task("sleep 60", seed) for seed in range(2)]
        run_local(board(tasks), interrupts, workers=2, threads=1, work=fake_work.work, grace=0.5)
    assert len(log(tmp_path, "begin")) == 2
    assert not [pid for pid in log(tmp_path, "begin") if psutil.pid_exists(pid)]
    monkeypatch.undo()


def test_the_number_of_workers_follows_cores_and_memory(monkeypatch):
    monkeypatch.setattr("flawspot.benchmark.engines.local.cores", lambda: 8)
    monkeypatch.setattr("flawspot.benchmark.engines.local.memory_budget", lambda: 10e9)
    small, large = [Estimate(1, 10**9)] * 20, [Estimate(1, 4 * 10**9)] * 20
    assert choose_workers(small) == (8, 1)
    assert choose_workers(large) == (2, 4)
    assert choose_workers([Estimate(1, 10**12)]) == (1, 8)
    assert choose_workers(small[:3]) == (3, 1)  # the last runs of many have no more threads than the first
    assert choose_workers(large, 8) == (8, 1)
    assert choose_workers([]) == (8, 1)
    assert cores() >= 1


DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, {work!r})
import fake_work
from flawspot.benchmark.engines.board import Board
from flawspot.benchmark.engines.interrupts import Interrupts
from flawspot.benchmark.engines.local import run_local
from flawspot.benchmark.record import Cell
from flawspot.benchmark.store import Store
from flawspot.benchmark.task import Estimate, Task
from flawspot.data.layouts import DataSource

class Quiet:
    def changed(self, counts): pass
    def note(self, message): pass
    def ended(self, record, counts): print(record.key, flush=True)

def main():
    root = Path(sys.argv[1])
    tasks = []
    for n in range(24):
        cell = Cell(data="d", category="c", backbone="b", layers="l", method="m", label="sleep 0.1", seed=n)
        key = f"{{n:06x}}" + "0" * 58
        tasks.append(Task(key=key, training_key=key, cell=cell, source=DataSource("d", "mvtec_ad"),
            folder=root / "runs.files", data_fingerprint="", weights="", weights_sha256="", code_version=""))
    with Store(root / "runs.sqlite") as store, Interrupts() as interrupts:
        board = Board(store, tasks, {{t.key: Estimate(1.0, 1) for t in tasks}}, Quiet())
        run_local(board, interrupts, workers=2, threads=1, work=fake_work.work)

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def driver(tmp_path):
    """Start a benchmark of 24 runs in a process of its own."""
    script = tmp_path / "driver.py"
    script.write_text(DRIVER.format(work=str(Path(__file__).parent / "work")))

    def start():
        return subprocess.Popen([sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True)

    return start


@posix
@pytest.mark.slow
def test_killed_at_any_moment_it_loses_no_finished_run_and_repeats_none(driver, tmp_path):
    told = []
    for wait in (0.0, 0.25, 0.6):
        process = driver()
        first = process.stdout.readline()
        time.sleep(wait)
        process.kill()
        told += [key for key in [first.strip(), *process.stdout.read().split()] if len(key) == 64]
        process.wait()
        with Store(tmp_path / "runs.sqlite") as store:
            assert set(told) <= set(store.statuses())
    last = driver()
    told += last.stdout.read().split()
    assert last.wait() == 0
    assert statuses(tmp_path) == dict.fromkeys(range(24), DONE)
    # Whatever was told as finished was told once: nothing that is stored was begun again.
    assert len(told) == len(set(told))
    assert len(log(tmp_path, "end")) <= 24 + 3 * 2  # at most what was under way at each kill
    # The workers of the killed processes are dead too.
    begun = {path.stem: path.read_text().split() for path in (tmp_path / "runs.files" / "log").glob("*.begin")}
    assert len(begun) == 24


@posix
def test_two_processes_on_one_store_share_the_runs(driver, tmp_path):
    both = [driver(), driver()]
    told = [process.stdout.read().split() for process in both]
    assert [process.wait() for process in both] == [0, 0]
    assert statuses(tmp_path) == dict.fromkeys(range(24), DONE)
    assert not set(told[0]) & set(told[1])
    assert len(log(tmp_path, "begin")) == 24
