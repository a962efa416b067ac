"""Runs a script of ``examples`` in this process, in an empty folder, as a person would call it."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
sys.path[:0] = [str(ROOT / "docs" / "tools")]


@pytest.fixture
def run_script(tmp_path, monkeypatch, capfd):
    """A function that runs a script by name with options and returns what it has printed, that of its children too."""
    monkeypatch.chdir(tmp_path)
    # What it starts with `python -m flawspot` looks at the same sources.
    paths = [path for path in sys.path if Path(path, "flawspot").is_dir()]
    monkeypatch.setenv("PYTHONPATH", ":".join(paths) if sys.platform != "win32" else ";".join(paths))

    def run(name, *options):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *options])
        capfd.readouterr()
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capfd.readouterr().out

    return run
