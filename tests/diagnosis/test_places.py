"""Folders: what they hold, whether they can be written into, and no word of whose they are."""

import sys
import tempfile
from pathlib import Path

import pytest

from flawspot.diagnosis import places as module
from flawspot.diagnosis.places import homely, places


def place(name):
    return next(each for each in places() if each.name == name)


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "anna"
    folder.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    return folder


def test_the_user_s_own_folder_is_not_shown(home):
    inside = str(home / "x" / "part.onnx")
    assert homely(f"cannot write {inside}: no") == f"cannot write {Path('~', 'x', 'part.onnx')}: no"
    assert homely(str(home)) == "~"
    assert homely(f"'{home}[train]' and {home}, twice") == "'~[train]' and ~, twice"
    for other in (f"{home}bel", f"{home}.old", f"/elsewhere{home}"):
        assert homely(other) == other


@pytest.mark.parametrize("root", ["/", "", "~"])
def test_a_home_that_is_everything_hides_nothing(monkeypatch, root):
    monkeypatch.setattr("os.path.expanduser", lambda path: root)
    assert homely("/tmp/x") == "/tmp/x"


def test_the_cache_with_its_sizes(home, monkeypatch):
    cache = home / "cache"
    (cache / "weights" / "deep").mkdir(parents=True)
    (cache / "weights" / "a").write_bytes(b"1" * 100)
    (cache / "weights" / "deep" / "b").write_bytes(b"1" * 11)
    (cache / "file").write_bytes(b"1")
    monkeypatch.setenv("FLAWSPOT_CACHE", str(cache))
    found = place("cache")
    assert found.holds == {"file": 1, "weights": 111}
    assert found.path == str(Path("~", "cache"))
    assert found.fault is None
    assert found.free is not None
    assert str(found).startswith(f"{Path('~', 'cache')}: file 0.0 MiB, weights 0.0 MiB; writable; ")


def test_a_cache_that_is_not_there_is_not_made(home, monkeypatch):
    monkeypatch.setenv("FLAWSPOT_CACHE", str(home / "not" / "yet"))
    found = place("cache")
    assert (found.holds, found.fault) == (None, None)
    assert list(home.iterdir()) == []


def test_a_cache_below_a_file_is_a_fault(home, monkeypatch):
    (home / "file").write_bytes(b"")
    monkeypatch.setenv("FLAWSPOT_CACHE", str(home / "file" / "cache"))
    found = place("cache")
    assert found.needed
    assert str(home) not in str(found.fault)
    assert f"{Path('~', 'file')} is not a folder" in str(found.fault)


def test_without_platformdirs_there_is_no_cache(monkeypatch):
    monkeypatch.delenv("FLAWSPOT_CACHE", raising=False)
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    found = place("cache")
    assert found.path is None
    assert not found.needed


def test_no_folder_for_temporary_files(monkeypatch):
    def none():
        raise FileNotFoundError

    monkeypatch.setattr(tempfile, "gettempdir", none)
    found = place("temporary files")
    assert found.needed
    assert "set TMPDIR" in str(found)


def test_a_present_folder_that_is_no_more(monkeypatch):
    def gone(cls):
        raise FileNotFoundError

    monkeypatch.setattr(module.Path, "cwd", classmethod(gone))
    found = place("this folder")
    assert not found.needed
    assert str(found) == "it has been removed"
