"""Paths that are no files, places that cannot be written to: refused at once, in one line, before any work."""

import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from .every_command import ARGUMENTS, command_line, commands, later, parameters

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there are no pipes and devices elsewhere")


TEXTS = ("images", "grid")
"""Places that are given as texts, for they may be patterns or names."""
PATHS = [*parameters(Path), *((name, option) for name, option in parameters(str) if option.name in TEXTS)]


def with_path(name, option, path, places):
    """The command line with one path for that parameter."""
    line = command_line(name, places)
    if option.param_type_name == "argument":
        arguments = [known.name for known in commands()[name].params if known.param_type_name == "argument"]
        at = len(name.split()) + arguments.index(option.name)
        given = not line[at].startswith("-")
        return [*line[:at], str(path), *line[at + given :]]
    for flag in option.opts:
        if flag in line:
            line[line.index(flag) + 1] = str(path)
            return line
    extra = {"data": ["--measure"]}.get(option.name, []) if name == "costs" else []
    return [*line, *extra, option.opts[0], str(path)]


@pytest.fixture
def special(request, tmp_path):
    """A pipe with a name, or a device without end."""
    if request.param == "pipe":
        os.mkfifo(tmp_path / "pipe.png")
        return tmp_path / "pipe.png"
    return request.param


@pytest.fixture
def at_once():
    """Interrupts what waits for the other end of a pipe, or reads a device without end."""

    waited = []

    def give_up(number, frame):
        waited.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    assert not waited


@pytest.mark.parametrize("special", ["pipe", *later("/dev/zero", "/dev/null")], indirect=True)
@pytest.mark.parametrize(("name", "option"), PATHS, ids=[f"{n} {o.name}" for n, o in PATHS])
def test_what_is_no_file_is_refused_at_once(name, option, special, places, flawspot, at_once):
    code, _, err = flawspot(*with_path(name, option, special, places))
    assert code == {"images": 3}.get(option.name, 1), err
    assert "Traceback" not in err
    assert code == 3 or [line for line in err.splitlines() if line.startswith("error: ")]
    mode = os.stat(special).st_mode  # noqa: PTH116
    assert stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)  # and not replaced by a file


WRITES = [(name, option) for name, option in PATHS if option.name in ("output", "store", "cache")]
REPLACE = (
    "train output", "choose output", "threshold output", "smallest output", "benchmark export output",
    "audit export output", "reproduce claims output",
)  # fmt: skip
PLACES = [
    (name, option, where)
    for name, option in WRITES
    for where in ("a file", "below a file", "read-only")
    if "{store}" not in ARGUMENTS[name] or option.name != "store"
    if where != "a file" or f"{name} {option.name}" not in REPLACE
]


@pytest.mark.parametrize(("name", "option", "where"), PLACES, ids=[f"{n} {o.name} {w}" for n, o, w in PLACES])
def test_where_nothing_can_be_written_is_told_before_the_work(name, option, where, places, tmp_path, flawspot):
    (tmp_path / "file").write_bytes(b"precious")
    path = {"a file": tmp_path / "file", "below a file": tmp_path / "file" / "x.csv", "read-only": "/proc/1/x.csv"}
    code, out, err = flawspot(*with_path(name, option, path[where], places))
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert (tmp_path / "file").read_bytes() == b"precious"


def test_pipes_among_the_photographs(tiny, flawspot, save, tmp_path):
    save(tmp_path / "in" / "a.png", 50)
    os.mkfifo(tmp_path / "in" / "b.png")
    code, out, err = flawspot("predict", tiny, tmp_path / "in", "--out", tmp_path / "in")
    assert code == 3
    assert "b.png: it is not a regular file" in out
    assert "2 photographs: 0 anomalous, 1 good, 1 not inspected" in err


def test_a_file_in_the_place_of_a_subfolder(tiny, flawspot, save, tmp_path):
    save(tmp_path / "in" / "a.png", 50)
    save(tmp_path / "in" / "sub" / "b.png", 50)
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "sub").write_bytes(b"precious")
    code, out, err = flawspot("predict", tiny, tmp_path / "in", "--out", tmp_path / "found")
    assert (code, out) == (1, "")
    assert "found/sub is not a folder" in err
    assert [path.name for path in (tmp_path / "found").iterdir()] == ["sub"]
