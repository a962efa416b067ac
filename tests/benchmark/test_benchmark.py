"""The whole benchmark through the command line, tiny and real: planned, killed, resumed, exported, reported."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flawspot.benchmark.record import DONE, FAILED, MISSING
from flawspot.benchmark.store import Store

GRID = """\
title: tiny
data:
  - name: demo
    layout: synthetic
    categories: [washer]
    settings: {train: 12, test_good: 3, test_per_defect: 1, size: 64}
backbones: [mobilenet_v2]
layers: ["1,2"]
methods:
  - padim
  - {name: patchcore, settings: {bank_size: 50}}
  - {name: paste, settings: {epochs: 1}, layers: ["2,3"]}
seeds: [0, 1]
input_size: 64
random_weights: true
"""
NOTHING = dict.fromkeys(("done", "failed", "missing", "done_before", "failed_before", "elsewhere", "left"), 0) | {
    "store": ""
}
"""What `run --json` counts before anything is done."""
RUNS = 6


def start(*arguments, **options):
    command = [sys.executable, "-m", "flawspot", "benchmark", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options
    )


def flawspot(*arguments, code=0):
    process = start(*arguments)
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    return out, err


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    path = tmp_path_factory.mktemp("a grid") / "tiny.yaml"
    path.write_text(GRID, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def finished(grid):
    """A store that nothing has interrupted."""
    store = grid.with_name("runs.sqlite")
    out, err = flawspot("run", grid, "--store", store, "--json")
    assert json.loads(out)["done"] == RUNS
    assert f"{RUNS} done, 0 running, 0 left" in err
    return store


def records(store):
    with Store(store, create=False) as opened:
        assert opened.claimed() == set()
        return {record.key: record for record in opened.records(every=True)}


@pytest.mark.slow
def test_what_is_done_is_not_done_again(grid, finished):
    before = records(finished)
    out, _ = flawspot("run", grid, "--store", finished)
    assert f"0, and {RUNS} before" in out
    assert records(finished) == before
    planned = json.loads(flawspot("plan", grid, "--store", finished, "--json")[0])
    assert (planned["runs"], planned["done"], planned["open"]) == (RUNS, RUNS, 0)
    assert [method["label"] for method in planned["methods"]] == ["padim", "patchcore", "paste"]


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
@pytest.mark.slow
def test_killed_several_times_it_ends_with_the_same_figures(grid, finished, tmp_path):
    store = tmp_path / "runs.sqlite"
    chance = random.Random()
    seen = {}
    for _ in range(3):
        process = start("run", grid, "--store", store, "--workers", 2)
        # After a run has ended, at a random moment.
        for line in process.stderr:
            if " done, " in line and " 0 running, " not in line:
                break
        time.sleep(chance.uniform(0, 2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with Store(store) as opened:
            now = {record.key: record for record in opened.records()}
        assert len(now) >= 1
        assert {key: now[key] for key in seen} == seen  # nothing is lost, nothing repeated
        seen = now
    flawspot("run", grid, "--store", store)
    resumed, straight = records(store), records(finished)
    assert {key: resumed[key] for key in seen} == seen
    assert resumed.keys() == straight.keys()
    for key, record in straight.items():
        assert record.status == resumed[key].status == DONE
        assert resumed[key].metrics == record.metrics
        assert resumed[key].defect_sizes == record.defect_sizes
        assert resumed[key].parts == record.parts


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C of another process is POSIX")
@pytest.mark.slow
def test_interrupted_it_says_how_to_go_on(grid, tmp_path):
    store = tmp_path / "runs.sqlite"
    process = start("run", grid, "--store", store, "--workers", 1, start_new_session=True)
    for line in process.stderr:
        if " done, " in line:
            break
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "finished runs are stored, and the same command continues" in err
    assert 1 <= len(records(store)) < RUNS


@pytest.mark.slow
def test_the_runs_are_listed_shown_exported_and_reported(finished, tmp_path):
    out, _ = flawspot("list", finished)
    assert out.count("demo/washer") == RUNS
    key = out.splitlines()[1].split()[0]
    shown = json.loads(flawspot("show", finished, key, "--json")[0])
    assert shown["key"].startswith(key)
    assert "image_auroc" in flawspot("show", finished, key)[0]
    assert "begins with 'zz'" in flawspot("show", finished, "zz", code=1)[1]
    flawspot("export", finished, "--out", tmp_path / "runs.csv")
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == RUNS + 1
    page = flawspot("report", finished, "--out", tmp_path / "report")[0].strip()
    text = Path(page).read_text(encoding="utf-8")
    assert "washer" in text
    assert "<h1>tiny</h1>" in text


def test_the_report_has_the_runs_that_newer_ones_replace(tmp_path, record):
    store = tmp_path / "runs.sqlite"
    with Store(store) as opened:
        for day, version in enumerate(("1", "2", "3"), 1):
            opened.finish(
                record(version, code_version=version, grid="Ours", defect_sizes=(), finished=f"2026-01-0{day}")
            )
    flawspot("report", store, "--out", tmp_path / "report")
    for page in ("report.html", "tables.md"):
        text = (tmp_path / "report" / page).read_text(encoding="utf-8")
        assert "Older runs, which are in no other table or figure" in text
        assert text.count("other code") == 2
    html = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "2 older runs of the same cells" in html
    assert "<h1>Ours</h1>" in html


@pytest.mark.slow
def test_what_cannot_be_run_does_not_stop_the_rest(grid, tmp_path):
    """A product that is not there, weights that are not, and a photograph that cannot be read."""
    from flawspot.data.demo_set import make_demo_set

    make_demo_set(tmp_path / "data", products=("fabric", "keycap"), train=8, test_good=2, test_per_defect=1, size=64)
    (tmp_path / "data" / "fabric" / "test" / "good" / "000.png").write_bytes(b"not a photograph")
    text = GRID.replace("synthetic", "mvtec_ad").replace("[washer]", "[fabric, washer, keycap]")
    text = "\n".join(line for line in text.splitlines() if not line.startswith(("    settings", "  - {name", "seeds")))
    few = tmp_path / "few.yaml"
    few.write_text(text)
    store = tmp_path / "runs.sqlite"
    out, err = flawspot("run", few, "--store", store, "--data", f"demo={tmp_path / 'data'}", "--json")
    assert json.loads(out) | {"store": ""} == NOTHING | {"done": 1, "failed": 1, "missing": 1}
    status = {record.cell.category: record for record in records(store).values()}
    assert {name: record.status for name, record in status.items()} == {
        "fabric": FAILED,
        "washer": MISSING,
        "keycap": DONE,
    }
    assert "000.png" in status["fabric"].error
    assert "fetch washer" in status["washer"].error
    assert status["washer"].metrics == {}
    assert "000.png" in err
    # What has failed is not taken for done the next time.
    again, _ = flawspot("run", few, "--store", store, "--data", f"demo={tmp_path / 'data'}", "--json")
    assert json.loads(again) | {"store": ""} == NOTHING | {"missing": 1, "done_before": 1, "failed_before": 1}
    assert "--retry-failed" in flawspot("plan", few, "--store", store, "--data", f"demo={tmp_path / 'data'}")[0]
