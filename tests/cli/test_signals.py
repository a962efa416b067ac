"""Ctrl-C and SIGTERM, at any time: one line, 130 and 143, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from .every_command import ARGUMENTS, command_line, start

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc, and sends signals")

SAYS = {
    signal.SIGINT: ("error: interrupted", "error: interrupted; nothing half-written was left"),
    signal.SIGTERM: ("error: terminated", "error: terminated; nothing half-written was left"),
}
NUMBERS = pytest.mark.parametrize("number", list(SAYS), ids=["SIGINT", "SIGTERM"])


def wait_until_caught(process):
    """Until our handler is there, which Python has for no SIGTERM of its own: milliseconds after its own start."""
    while process.poll() is None:
        with open(f"/proc/{process.pid}/status") as status:  # noqa: PTH123
            mask = next(int(line.split()[1], 16) for line in status if line.startswith("SigCgt"))
        if mask >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.0005)


def ended_by(process, number):
    """Whether it has told in one line that it was ended; False where it was done before."""
    _, err = process.communicate(timeout=120)
    if process.returncode == 0:
        return False
    assert process.returncode == 128 + number, err
    assert "Traceback" not in err
    assert [line for line in err.splitlines() if line.startswith("error")] == [err.splitlines()[-1]]
    assert err.splitlines()[-1] in SAYS[number]
    return True


@NUMBERS
@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.grid(24)
def test_from_the_first_moment(name, number, places):
    process = start(*command_line(name, places))
    wait_until_caught(process)
    process.send_signal(number)
    assert ended_by(process, number)


@pytest.mark.weights
@pytest.mark.usefixtures("mobilenet")
@pytest.mark.parametrize(
    ("delay", "number"),
    [(0.1, signal.SIGINT), (0.3, signal.SIGTERM), (1.0, signal.SIGINT), (2.5, signal.SIGTERM), (5.0, signal.SIGINT)],
)
def test_while_it_trains(delay, number, product_folder, tmp_path):
    """In the middle of imports, of reading, of fitting, of the export."""
    output = tmp_path / "out" / "part.onnx"
    options = ["--method", "paste", "--set", "epochs=30", "--cache", tmp_path / "kept"]
    process = start("train", product_folder, "-o", output, *options, env={**os.environ, "TMPDIR": str(tmp_path)})
    wait_until_caught(process)
    time.sleep(delay)
    process.send_signal(number)
    if ended_by(process, number):
        assert not output.exists()
        left = [path for path in tmp_path.rglob("*") if path.is_file() and ".part" in path.name]
        assert not left


@NUMBERS
def test_while_it_predicts(number, tiny, save, tmp_path):
    for index in range(200):
        save(tmp_path / "in" / f"{index}.png", 200, (800, 600))
    process = start("predict", tiny, tmp_path / "in", "--out", tmp_path / "found", "--json")
    for _ in range(3):
        process.stdout.readline()
    process.send_signal(number)
    assert ended_by(process, number)
    assert not [path for path in (tmp_path / "found").iterdir() if ".part" in path.name]


def test_a_second_one_ends_what_hangs_while_it_cleans_up(tmp_path):
    code = """
import sys, time
import flawspot.cli, flawspot.cli.running
def hangs(interruption):
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("cleaning", flush=True)
        time.sleep(60)
flawspot.cli.running.run = hangs
flawspot.cli.main()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)  # the same one, told twice
        assert process.stdout.readline() == "cleaning\n"
        time.sleep(1.2)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == "error: interrupted\n"


def test_one_that_python_swallows_is_not_lost():
    """What is raised in a destructor, and what ends an import in the middle, come to nothing; it is answered later."""
    code = """
import signal, sys, time
import flawspot.cli, flawspot.cli.running
class Swallows:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)
def deletes(interruption):
    Swallows()
    time.sleep(30)
flawspot.cli.running.run = deletes
flawspot.cli.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (143, "error: terminated; nothing half-written was left\n")


def test_ignored_signals_stay_ignored(tiny, save, tmp_path):
    """As `nohup` and background jobs want it."""
    for index in range(100):
        save(tmp_path / "in" / f"{index}.png", 1, (800, 600))
    process = start(
        *("predict", tiny, tmp_path / "in", "--json"),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(("delay", "number"), [(0.0, signal.SIGINT), (1.0, signal.SIGINT), (2.0, signal.SIGTERM)])
def test_a_benchmark_ends_with_its_workers(number, delay, grid, tmp_path):
    """A terminal's Ctrl-C reaches the workers too, even while they start; SIGTERM reaches the first process alone."""
    process = start(
        *("benchmark", "run", grid, "--store", tmp_path / "runs.sqlite", "--workers", "1"), start_new_session=True
    )
    family = []
    while process.poll() is None and len(family) < 2:  # the worker, and what keeps track of its resources
        family = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.01)
    time.sleep(delay)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode in (0, 128 + number), err
    assert "Traceback" not in err
    if process.returncode:
        assert err.splitlines()[-1] == "error: interrupted; finished runs are stored, and the same command continues"
    assert not psutil.wait_procs(family, timeout=10)[1]


LONG_FAREWELL = """
import os, sys, time
class Late:
    def __del__(self):
        os.write(1, b"down\\n")
        time.sleep(0.5)
late = Late()
sys.argv = ["flawspot", "--version"]
from flawspot.cli import main
main()
"""


@NUMBERS
def test_one_while_python_takes_itself_down_changes_nothing(number):
    """The work is done and told by then, and Python has let go of whoever answered signals."""
    process = subprocess.Popen([sys.executable, "-c", LONG_FAREWELL], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while process.stdout.readline() not in (b"down\n", b""):
        pass
    process.send_signal(number)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 0
