"""A station that is killed in the middle of its work, again and again."""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from flawspot.serve.record import Record

from .conftest import grey, wait_for

KILLS = 20


def rows(path):
    """How many results there are, read as another program would."""
    if not path.is_file():
        return 0
    try:
        with sqlite3.connect(f"file:{path.as_posix()}?mode=ro", uri=True) as other:
            return other.execute("SELECT COUNT(*) FROM rows WHERE kind = 'result'").fetchone()[0]
    except sqlite3.Error:  # not made yet
        return 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.slow
def test_killed_twenty_times_it_loses_nothing_and_judges_nothing_twice(tiny, tmp_path):
    folder, line, out = tmp_path / "station", tmp_path / "line", tmp_path / "out"
    line.mkdir()
    record, chance, made = folder / "record.sqlite", random.Random(0), 0
    command = [sys.executable, "-m", "flawspot", "serve", str(tiny), "--folder", str(folder), "--watch", str(line)]
    command += ["--results", str(out), "--port", "0"]
    for _ in range(KILLS):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        before = rows(record)
        for _ in range(12):
            content = grey(made % 200, 16 + made // 200)
            (line / f"{made:04}.png").write_bytes(content)
            made += 1
        wanted = min(before + chance.randrange(1, 12), made)
        wait_for(lambda wanted=wanted, process=process: rows(record) >= wanted or process.poll() is not None, 30)
        assert process.poll() is None, process.stderr.read().decode()
        time.sleep(chance.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert b"http" in process.stdout.readline()  # nothing may be left to judge: it must run before it is ended
    wait_for(lambda: rows(record) >= made, 30)
    wait_for(lambda: len(list(out.glob("*.json"))) >= made, 30)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 143, told.decode()
    with Record(record) as found:
        results = found.results(limit=10_000)
        names = [row.content["name"] for row in results]
        assert sorted(names) == [f"{number:04}.png" for number in range(made)]
        assert all((row.content["score"] > 100) == (row.content["verdict"] == "anomalous") for row in results)
        assert not list(found.verify())
    assert {int(path.stem) for path in out.glob("*.json")} == {row.number for row in results}
    audit = [sys.executable, "-m", "flawspot", "audit", "verify", str(folder), "--pictures"]
    assert subprocess.run(audit, capture_output=True, check=False).returncode == 0
    shutil.rmtree(folder)
