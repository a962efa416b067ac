"""The record of a station, as an auditor at a terminal reads it."""

import json
import subprocess
import sys

import pytest

from flawspot.extras import EXTRAS

from ..serve.written import keep, picture, station, tamper


def test_a_whole_record(tmp_path, flawspot):
    station(tmp_path)
    number, head = (tmp_path / "head").read_text().split()
    for place in (tmp_path, tmp_path / "record.sqlite"):
        code, out, err = flawspot("audit", "verify", place, "--pictures", "--head", f"{number}:{head}")
        assert (code, err) == (0, "")
        assert f"{number}:{head}" in out
        assert "held against row 9, 9" in out
        assert "6 read; 0 are missing" in out
    code, out, _ = flawspot("audit", "verify", tmp_path, "--pictures", "--json")
    assert code == 0
    assert json.loads(out) == {
        "record": str(tmp_path / "record.sqlite"),
        "whole": True,
        "rows": 9,
        "head": {"number": 9, "hash": head},
        "anchors": 1,
        "pictures": {"checked": 6, "missing": 0, "removed": 0},
        "breaks": [],
    }


def test_a_broken_record(tmp_path, flawspot):
    tamper(
        station(tmp_path),
        "UPDATE rows SET body = replace(body, 'anomalous', 'good') WHERE number = 3",
        "DELETE FROM rows WHERE number = 9",
    )
    keep(tmp_path, picture(3)).write_bytes(b"x")
    code, out, err = flawspot("audit", "verify", tmp_path, "--pictures")
    assert code == 1
    assert len([line for line in out.splitlines() if line.startswith("broken")]) == 3
    assert err.startswith("error: ")
    assert err.endswith("is not whole: 3 things are broken\n")
    code, out, _ = flawspot("audit", "verify", tmp_path, "--json")
    assert code == 1
    assert [each["row"] for each in json.loads(out)["breaks"]] == [3, 9]


def test_without_an_anchor_that_is_said(tmp_path, flawspot):
    station(tmp_path)
    (tmp_path / "head").unlink()
    code, out, _ = flawspot("audit", "verify", tmp_path)
    assert code == 0
    assert "a cut-off end would not be seen" in out


def test_mistakes(tmp_path, flawspot):
    station(tmp_path)
    for arguments, says in (
        (["verify", tmp_path, "--head", "12"], "is not NUMBER:HASH"),
        (["verify", tmp_path / "none"], "there is no record"),
        (["export", tmp_path, "-o", tmp_path / "x.txt"], "give it the suffix .csv or .jsonl"),
        (["export", tmp_path, "-o", tmp_path / "x.csv", "--since", "soon"], "is not a time"),
    ):
        code, out, err = flawspot("audit", *arguments)
        assert (code, out) == (1, "")
        assert says in err
        assert err.count("\n") == 1
    assert flawspot("audit", "export", tmp_path, "-o", tmp_path / "x.csv", "--verdict", "bad")[0] == 2


def test_export(tmp_path, flawspot):
    station(tmp_path)
    code, out, _ = flawspot("audit", "export", tmp_path, "-o", tmp_path / "x.csv", "--verdict", "not inspected")
    assert (code, out) == (0, f"2 results in {tmp_path / 'x.csv'}\n")
    code, out, _ = flawspot("audit", "export", tmp_path, "-o", tmp_path / "x.jsonl", "--until", "2020-01-01")
    assert (code, out) == (0, f"0 results in {tmp_path / 'x.jsonl'}\n")
    assert (tmp_path / "x.jsonl").read_bytes() == b""


@pytest.mark.parametrize("command", ["audit verify . --pictures", "audit export . -o x.csv", "tokens list ."])
def test_no_extra_is_needed(command, tmp_path):
    station(tmp_path)
    code = f"""
import sys; sys.argv = ["flawspot", *{command.split()!r}]
from flawspot.cli import main
try: main()
except SystemExit as end: assert not end.code
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    modules = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "flawspot" in modules
    assert modules.isdisjoint({*sum(EXTRAS.values(), ()), "onnxruntime"})
