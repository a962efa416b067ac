"""The store: nothing is lost, nothing done twice, whatever is killed."""

import dataclasses
import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from flawspot.benchmark.owner import STALE_SECONDS, Owner, host_name, this_process
from flawspot.benchmark.record import DONE, FAILED, MISSING, Record
from flawspot.benchmark.store import Heartbeat, Store, StoreError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a folder" / "runs.sqlite"


def test_a_record_comes_back_as_it_was(path, record):
    with Store(path) as store:
        assert store.claim("k")
        assert store.finish(record())
    with Store(path, create=False) as store:
        assert store.records() == [record()]
        assert store.record("k") == record()
        assert store.statuses() == {"k": DONE}
        assert store.claimed() == set()


def test_a_record_of_a_newer_flawspot_is_read(record):
    text = record().to_json()[:-1] + ', "invented_later": 1}'
    assert Record.from_json(text) == record()


def test_a_record_of_an_older_flawspot_is_read(record):
    values = json.loads(record(trained=True, training_images=9, grid="a title").to_json())
    for name in ("trained", "training_images", "grid"):
        del values[name]
    assert Record.from_json(json.dumps(values)) == record()


def test_a_claimed_run_cannot_be_claimed_again(path):
    # Two owners, one process: what another living process would find.
    with Store(path) as one, Store(path, owner=this_process()) as other:
        assert one.claim("k")
        assert not other.claim("k")
        assert other.claimed() == {"k"}
        other.release()  # of its own claims only
        assert not other.claim("k")
        one.release("k")
        assert other.claim("k")


def test_a_finished_run_is_claimed_only_on_demand(path, record):
    with Store(path) as store:
        store.claim("k")
        store.finish(record(status=FAILED, error="the disk was full"))
        assert not store.claim("k")
        assert not store.claim("k", again=(MISSING,))
        assert store.claim("k", again=(FAILED,))
        store.finish(record())
        assert not store.claim("k", again=(FAILED, MISSING))


def test_the_claim_of_a_dead_process_is_free(path):
    code = "import sys; from pathlib import Path; from flawspot.benchmark.store import Store\n"
    code += "assert Store(Path(sys.argv[1])).claim('k'); print('claimed', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "claimed\n"
    with Store(path) as store:
        assert not store.claim("k")
        process.kill()
        process.wait()
        assert store.claimed() == set()
        assert store.claim("k")


def test_the_number_of_a_dead_process_may_be_given_to_another(path):
    me = this_process()
    with Store(path, owner=dataclasses.replace(me, started=me.started - 1000, token="dead")) as store:
        assert store.claim("k")
    with Store(path) as store:
        assert store.claim("k")


def test_an_owner_elsewhere_is_alive_while_it_is_heard_of():
    elsewhere = Owner("another machine", os.getpid(), 0.0)
    assert elsewhere.is_alive(time.time() - STALE_SECONDS / 2, host_name())
    assert not elsewhere.is_alive(time.time() - 2 * STALE_SECONDS, host_name())


def test_the_heart_beats(path, monkeypatch):
    monkeypatch.setattr("flawspot.benchmark.owner.STALE_SECONDS", 1.0)
    with Store(path, owner=Owner("another machine", 1, 0.0)) as store, Store(path) as other:
        store.claim("k")
        with Heartbeat(store, seconds=0.1):
            time.sleep(1.5)
            assert not other.claim("k")
        time.sleep(1.2)
        assert other.claim("k")


def test_of_two_results_the_first_stays(path, record):
    with Store(path) as one, Store(path, owner=this_process()) as other:
        one.claim("k")
        assert other.finish(record(measured={"latency_ms": 1.0}))
        assert not one.finish(record(measured={"latency_ms": 2.0}))
        assert one.records()[0].measured == {"latency_ms": 1.0}
        assert one.claimed() == set()


def test_of_a_cell_the_newest_done_run_counts(path, record, cell):
    times = [f"2026-01-0{day}T00:00:00+00:00" for day in range(1, 5)]
    with Store(path) as store:
        store.finish(record("a", finished=times[0], code_version="1"))
        store.finish(record("b", finished=times[1], code_version="2"))
        store.finish(record("c", FAILED, finished=times[2], code_version="3"))
        store.finish(record("d", MISSING, cell=cell(seed=1), finished=times[2]))
        store.finish(record("e", FAILED, cell=cell(seed=1), finished=times[3]))
        assert [r.key for r in store.records()] == ["b", "e"]
        assert [r.key for r in store.records(every=True)] == ["a", "b", "c", "d", "e"]
        assert store.record("x") is None


def test_a_database_of_another_program_is_refused(tmp_path):
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE things (a)")
    db.close()
    with pytest.raises(StoreError, match="another program"):
        Store(other)
    text = tmp_path / "text.sqlite"
    text.write_text("not a database" * 100)
    with pytest.raises(StoreError, match="choose another file"):
        Store(text)
    with pytest.raises(StoreError, match="there is no store"):
        Store(tmp_path / "none.sqlite", create=False)


def test_a_store_of_a_newer_flawspot_is_refused(path):
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="newer flawspot"):
        Store(path)


def test_a_full_disk_is_told_and_harms_nothing(path, record):
    with Store(path) as store:
        store.finish(record("a"))
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own words for a disk without space
        store.claim("b")
        with pytest.raises(StoreError, match=r"full.*Free some space and run the same command again"):
            store.finish(record("b", traceback="x" * 100_000))
        assert [r.key for r in store.records()] == ["a"]
        assert store.claimed() == {"b"}  # neither half of it happened
        store._db.execute("PRAGMA max_page_count = 1000000")
        assert store.finish(record("b", traceback="x" * 100_000))


def take(path, keys, queue):
    """Claim and finish what can be had."""
    from pathlib import Path

    from flawspot.benchmark.record import Cell

    cell = Cell(data="d", category="c", backbone="b", layers="l", method="m", label="m")
    with Store(Path(path)) as store:
        for key in keys:
            if store.claim(key):
                store.finish(Record(key=key, cell=cell, status=DONE))
                queue.put(key)
    queue.put(None)


def test_processes_that_race_share_the_runs(path):
    spawn = multiprocessing.get_context("spawn")
    queue = spawn.Queue()
    keys = [f"run {n}" for n in range(40)]
    processes = [spawn.Process(target=take, args=(str(path), keys, queue)) for _ in range(3)]
    for process in processes:
        process.start()
    done, ended = [], 0
    while ended < len(processes):
        key = queue.get(timeout=60)
        if key is None:
            ended += 1
        else:
            done.append(key)
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert sorted(done) == sorted(keys)


WRITER = """
import sys
from pathlib import Path
from flawspot.benchmark.record import DONE, Cell, Record
from flawspot.benchmark.store import Store
with Store(Path(sys.argv[1])) as store:
    for n in range(10**6):
        cell = Cell(data="d", category="c", backbone="b", layers="l", method="m", label="m", seed=n)
        if store.claim(str(n)):
            store.finish(Record(key=str(n), cell=cell, status=DONE, traceback="x" * 5000))
            print(n, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_writer_killed_at_any_moment_loses_nothing(path):
    told = []
    for wait in (0.05, 0.13, 0.31, 0.02):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        told.append(int(process.stdout.readline()))
        time.sleep(wait)
        os.kill(process.pid, signal.SIGKILL)
        told += [int(line) for line in process.stdout if line.endswith("\n")]
        process.wait()
        with Store(path) as store:
            assert store._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            stored = [record.cell.seed for record in store.records()]
            assert set(told) <= set(stored)
            assert len(stored) <= len(told) + 1
            told = stored
    assert len(set(told)) == len(told)
