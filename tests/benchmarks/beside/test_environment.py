"""The peer's environment: what is installed, what is said where that fails, and what its processes are told."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from beside import environment
from beside.talking import SideError


def test_all_that_is_installed_by_name_is_pinned() -> None:
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", environment.PINNED.read_text(encoding="utf-8"), re.MULTILINE))
    assert {**environment.VERSIONS, **environment.ALONE}.items() <= pins.items()
    assert not [name for name in pins if "telemetry" in name]


def test_what_pip_says_is_shown_and_its_error_told_in_one_line(tmp_path, monkeypatch, capsys) -> None:
    """A program that says what pip would is started in place of it."""
    said = "Collecting anomalib\nWARNING: hm\nERROR: No matching distribution found for anomalib==2.7.0\n\nnotice\n"
    started = subprocess.Popen

    def run(command, **kept):
        program = f"print({said!r}); raise SystemExit(1)" if "pip" in command else ""
        return started([sys.executable, "-c", program], **kept)

    monkeypatch.setattr(subprocess, "Popen", run)
    with pytest.raises(SideError, match=r"ERROR: No matching distribution found for anomalib==2\.7\.0; see") as error:
        environment.make(tmp_path / "peer-venv")
    assert "\n" not in str(error.value)
    assert "--peer-venv" in str(error.value)
    told = capsys.readouterr()
    first, second, *shown = told.err.splitlines()
    assert re.search(r"making .*peer-venv with anomalib==2.7.0, .*GB to fetch .*docs/installing.md", first)
    assert "takes minutes" in second
    assert shown == [line for line in said.splitlines() if line]
    assert not told.out  # which is the section alone


def test_a_folder_that_cannot_be_made(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SideError, match=r"file.peer-venv cannot be made: "):
        environment.make(tmp_path / "file" / "peer-venv")


def test_an_environment_that_is_finished_is_taken_as_it_is(tmp_path, monkeypatch) -> None:
    python = environment.python_of(tmp_path)
    python.parent.mkdir()
    python.touch()
    (tmp_path / environment.FINISHED).write_text("{}")
    monkeypatch.setattr(subprocess, "Popen", None)
    assert environment.make(tmp_path) == python


def test_an_environment_without_the_peer_is_refused(monkeypatch) -> None:
    with pytest.raises(SideError, match=r"lacks anomalib 2\.7\.0, .*: install that there, or"):
        environment.check(Path(sys.executable))
    with pytest.raises(SideError, match=r"cannot be started: .*give another by --peer-venv"):
        environment.check(Path("no such python"))


def test_an_environment_of_another_version_is_refused(monkeypatch) -> None:
    found = '{"anomalib": "1.0", "torch": "2", "torchvision": "3", "openvino": "4"}'
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, found, ""))
    with pytest.raises(SideError, match=r"has anomalib 1\.0, and 2\.7\.0 is what is compared: install that"):
        environment.check(Path("python"))


def test_processes_tell_nobody_and_see_no_other_packages(monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")  # the user's own word
    for name in (*environment.SILENT, "ORT_DISABLE_TELEMETRY"):
        monkeypatch.delenv(name, raising=False)
    found = environment.variables(2)
    assert found["HF_HUB_OFFLINE"] == found["DO_NOT_TRACK"] == found["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert found["ORT_DISABLE_TELEMETRY"] == found["RAY_USAGE_STATS_ENABLED"] == "1"
    assert {found[name] for name in environment.THREADS} == {"2"}
    assert "elsewhere" not in found["PYTHONPATH"]
