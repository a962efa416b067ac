"""The benchmarks one after the other: what is run, and where it is written."""

import subprocess
from pathlib import Path

import pytest
import run


def test_the_output_lies_in_the_work_folder(tmp_path) -> None:
    assert run.parsed(["--data", "photographs"]).out == Path("bench") / "performance.md"
    assert run.parsed(["--data", "photographs", "--work", str(tmp_path)]).out == tmp_path / "performance.md"


def test_the_document_is_never_written(capsys) -> None:
    with pytest.raises(SystemExit) as error:
        run.parsed(["--data", "photographs", "--out", str(run.DOCUMENT)])
    assert error.value.code == 2
    assert "written by hand and is not overwritten" in capsys.readouterr().err
    assert run.DOCUMENT.exists()


def test_every_script_is_there_and_what_takes_long_is_asked_for() -> None:
    assert all((run.HERE / script).exists() for script, *_ in run.SECTIONS.values())
    options = run.parsed(["--data", "photographs"])
    assert set(run.SECTIONS) - set(options.only) == run.ASKED_FOR == {"recipes", "peer"}


def test_each_section_has_its_heading_and_its_command(tmp_path, monkeypatch) -> None:
    def printed(command, **_):
        name = Path(command[1]).name
        said = "| a | b |\n" if name == "waiting.py" else f"## What {name} prints\n\nfigures\n"
        return subprocess.CompletedProcess(command, 0, said)

    monkeypatch.setattr(subprocess, "run", printed)
    monkeypatch.setattr(run.sys, "argv", ["run.py", "--data", "folder-of-mine", "--work", str(tmp_path)])
    run.main()
    written = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert written.count("\n## ") == len(run.SECTIONS) - len(run.ASKED_FOR)
    assert "## What search.py prints\n\n    python benchmarks/search.py --data DATA --accuracy\n\nfigures" in written
    told = "## Threads that wait in training\n\n    python benchmarks/waiting.py --epochs 3 --most 40\n\n| a | b |"
    assert told in written
    assert "folder-of-mine" not in written
