"""Standard output that is full, closed or no longer read: one line, or nothing, and never a traceback."""

import os
import subprocess
import sys
from shlex import quote

import pytest

from flawspot.errors import FlawspotError

from .every_command import ARGUMENTS, SLOW, command_line, commands, groups, start

PYTHON = quote(sys.executable)
NAMES = sorted(set(ARGUMENTS) - set(SLOW))
FULL = "error: cannot write to standard output: No space left on device\n"

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110


def test_every_command_is_tried():
    assert set(commands()) == set(ARGUMENTS)


def last_line(text):
    return text.splitlines(keepends=True)[-1] if text else ""


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.usefixtures("mobilenet")
@pytest.mark.parametrize("name", NAMES)
def test_a_full_output_is_told_in_one_line(name, places):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = start(*command_line(name, places), stdout=full)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert last_line(err) == FULL
    assert "Traceback" not in err


@pytest.mark.weights
@pytest.mark.usefixtures("mobilenet")
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_reader_that_is_gone_is_no_error(name, places):
    reading, writing = os.pipe()
    os.close(reading)
    process = start(*command_line(name, places), stdout=writing)
    os.close(writing)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "error" not in err
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("name", [*groups(), *ARGUMENTS])
def test_help_on_a_full_output(name):
    """What is written is buffered, and fails when all is done."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = start(*name.split(), "--help", stdout=full, env=environment)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, FULL)


def test_a_full_output_without_a_buffer(tiny):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = start("info", tiny, stdout=full, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, FULL)


def test_head(tiny, save, tmp_path):
    for index in range(50):
        save(tmp_path / "in" / f"{index}.png", 1)
    command = f"{PYTHON} -m flawspot predict '{tiny}' '{tmp_path / 'in'}' --json"
    pipe = f"set -o pipefail; {command} | head -1"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    # Exit code 0 of --fail-on-anomaly means that all photographs were looked at.
    pipe = f"set -o pipefail; {command} --fail-on-anomaly | head -1"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "not all photographs were inspected" in done.stderr


def test_a_table_is_whole_though_its_reader_has_ended(tiny, save, tmp_path):
    for index in range(50):
        save(tmp_path / "in" / f"{index}.png", 1)
    command = f"{PYTHON} -m flawspot predict '{tiny}' '{tmp_path / 'in'}' --json --csv '{tmp_path / 'all.csv'}'"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 51


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "2> /dev/full"])
def test_closed_streams(closed, tiny, save, tmp_path):
    command = f"{PYTHON} -m flawspot predict '{tiny}' '{save(tmp_path / 'a.png', 1)}' --out '{tmp_path}/found'"
    done = subprocess.run(["bash", "-c", f"{command} {closed}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == ["a.jpg", "index.html"]


@pytest.mark.parametrize(
    ("raised", "says"),
    [
        (OSError(28, "No space left on device", "features.npy"), "features.npy: No space left on device"),
        (MemoryError(), "out of memory"),
        (FlawspotError("a name\nwith two lines"), "a name\\nwith two lines"),
    ],
)
def test_what_the_machine_lacks_is_told_in_one_line(raised, says, tiny, flawspot, save, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise raised

    monkeypatch.setattr("flawspot.runtime.detector.load", fails)
    code, _, err = flawspot("predict", tiny, save(tmp_path / "a.png", 1))
    assert code == 1
    assert err.startswith(f"error: {says}")
    assert err.count("\n") == 1


def test_a_bug_of_ours_is_not_hidden(tiny, flawspot, save, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("flawspot.runtime.detector.load", fails)
    with pytest.raises(ZeroDivisionError):
        flawspot("predict", tiny, save(tmp_path / "a.png", 1))


def test_warnings_of_libraries_are_not_shown(tiny, flawspot, save, tmp_path, monkeypatch):
    import logging
    import warnings

    def warns(*_, **__):
        warnings.warn("Corrupt EXIF data", stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.getLogger("PIL.TiffImagePlugin").error("More samples per pixel than can be decoded")
        raise FlawspotError("the end")

    monkeypatch.setattr("flawspot.runtime.detector.load", warns)
    assert flawspot("predict", tiny, save(tmp_path / "a.png", 1)) == (1, "", "error: the end\n")
