"""Reading a store from the command line: it is never written over, and a broken run is told in one line."""

import json
import os
import sqlite3

import pytest

from flawspot.benchmark.record import DONE, FAILED, Cell, Record
from flawspot.benchmark.store import Store


@pytest.fixture
def make():
    """Make a store of one run at a path."""

    def stored(path):
        cell = Cell(data="d", category="c", backbone="mobilenet_v2", layers="equiv", method="padim", label="padim")
        with Store(path) as store:
            store.finish(Record(key="abc", status=DONE, cell=cell, metrics={"pixel_f1_max": 0.5}))
        return path

    return stored


def refused(flawspot, *arguments):
    code, out, err = flawspot("benchmark", *arguments)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_export_does_not_replace_the_store(make, flawspot, tmp_path, monkeypatch):
    store = make(tmp_path / "s.csv")
    before = store.read_bytes()
    (tmp_path / "link.csv").symlink_to(store)
    (tmp_path / "log.csv").symlink_to(f"{store}-wal")
    os.link(store, tmp_path / "hard.csv")
    monkeypatch.chdir(tmp_path)
    outputs = ["s.csv", tmp_path / "x" / ".." / "s.csv", "link.csv", "log.csv", "hard.csv"]
    for given, output in [*((store, output) for output in outputs), ("link.csv", "s.csv"), ("link.csv", "link.csv")]:
        assert "it is the store that is read" in refused(flawspot, "export", given, "--out", output)
    assert store.read_bytes() == before
    assert flawspot("benchmark", "export", store, "--out", "other.csv")[0] == 0


@pytest.mark.parametrize("name", ["report.html", "tables.md", "figures/figure-1-d.svg", "figures/figure-1-d.png"])
def test_a_report_does_not_replace_the_store(make, flawspot, tmp_path, name):
    store = make(tmp_path / name)
    before = store.read_bytes()
    linked = tmp_path / "linked"
    (linked / name).parent.mkdir(parents=True)
    (linked / name).symlink_to(store)
    for output in (tmp_path, linked):
        assert "it is the store that is read" in refused(flawspot, "report", store, "--out", output)
    assert store.read_bytes() == before
    assert not (tmp_path / "report.html").exists() or name == "report.html"


COMMANDS = [["list"], ["list", "--json"], ["show", "abc"], ["show", "abc", "--json"]]
COMMANDS += [["export", "--out", "t.csv"], ["export", "--out", "t.parquet"], ["report", "--out", "r"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_broken_run_is_told_in_one_line(make, flawspot, tmp_path, monkeypatch, command):
    store = make(tmp_path / "runs.sqlite")
    monkeypatch.chdir(tmp_path)
    for place, value in ((("metrics", "pixel_f1_max"), "NaN"), (("measured", "latency_ms"), '"x"'), (("cell",), "[]")):
        with sqlite3.connect(store) as db:
            (text,) = db.execute("SELECT record FROM runs").fetchone()
            changed = json.loads(text)
            at = changed
            for part in place[:-1]:
                at = at[part]
            at[place[-1]] = "HERE"
            db.execute("UPDATE runs SET record = ?", (json.dumps(changed).replace('"HERE"', value),))
        db.close()
        err = refused(flawspot, command[0], store, *command[1:])
        assert "the run abc in " in err
        with sqlite3.connect(store) as db:
            db.execute("UPDATE runs SET record = ?", (text,))
        db.close()
    assert [path.name for path in tmp_path.iterdir()] == ["runs.sqlite"]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_file_that_is_no_store_stays_as_it_is(flawspot, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.sqlite").touch()
    assert "empty.sqlite is empty" in refused(flawspot, command[0], "empty.sqlite", *command[1:])
    assert [(path.name, path.stat().st_size) for path in tmp_path.iterdir()] == [("empty.sqlite", 0)]


def test_the_list_tells_what_sets_runs_apart(flawspot, tmp_path):
    common = {"data": "d", "category": "c", "backbone": "mobilenet_v2", "layers": "equiv", "method": "padim"}
    changes = [
        {},
        {"precision": "int8"},
        {"settings": {"channels": 9}, "corruption": "noise", "severity": 3},
        {"shots": 5},
    ]
    with Store(tmp_path / "s.sqlite") as store:
        for number, changed in enumerate(changes):
            failed = {"status": FAILED, "error": "no memory"} if "shots" in changed else {"status": DONE}
            store.finish(Record(key=f"k{number}", cell=Cell(**common, label="padim", **changed), **failed))
    _, out, _ = flawspot("benchmark", "list", tmp_path / "s.sqlite")
    said = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert said["k0"].split()[-2:] == ["padim", "0"]
    assert said["k1"].rstrip().endswith("int8")
    assert said["k2"].rstrip().endswith("channels=9, noise 3")
    assert said["k3"].rstrip().endswith("5 good photographs, no memory")
