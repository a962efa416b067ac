"""Bars on a real terminal: a child process with a pseudo terminal of 80 columns, and what it wrote there."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

pty = pytest.importorskip("pty", reason="there are no pseudo terminals")

HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"


class Child:
    """A Python process whose standard error, and if asked for standard output, is a terminal."""

    def __init__(self, code: str, *, stdout=None, **environment: str) -> None:
        self.reader, writer = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=writer,
            stdout=writer if stdout is None else stdout,
            stderr=writer,
            env={**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm", **environment},
            start_new_session=True,
        )
        os.close(writer)
        self.text = ""

    def read(self, until: str | None = None) -> str:
        """Read to the end, or until `until` was written."""
        end = time.monotonic() + 60
        while until is None or until not in self.text:
            assert time.monotonic() < end, self.text
            try:
                read = os.read(self.reader, 4096)
            except OSError:  # how Linux says that the other end is closed
                read = b""
            if not read:
                break
            self.text += read.decode()
        if until is None:
            os.close(self.reader)
            self.process.wait(60)
        return self.text


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def ends_clean(text: str) -> bool:
    """Whether the cursor is shown and no bar is left."""
    return text.count(SHOWN) >= 1 and text.rindex(SHOWN) > text.rindex(HIDDEN)


NESTED = """
import time
from flawspot.progress import as_progress
show = as_progress(True)
for outer in show.track(range(2), "outer"):
    for inner in as_progress(True).track(range(3), "inner [of two]"):
        time.sleep(0.12)
        if inner == 1: show.note("a note")
    with show.step("a step"):
        time.sleep(0.15)
print("after")
"""


def test_work_within_work_is_one_display():
    child = Child(NESTED)
    text = child.read()
    assert child.process.returncode == 0, text
    assert "Traceback" not in text
    for part in ("outer", "inner [of two]", "a step", "note: a note"):
        assert part in plain(text)
    assert text.count(HIDDEN) == 1
    assert ends_clean(text)
    assert plain(text).rstrip().endswith("after")


def test_bars_leave_room_for_what_the_terminal_writes_at_ctrl_c():
    child = Child(NESTED.replace('"a step"', '"a step with a very long description"'))
    widths = [len(line) for line in re.split(r"[\r\n]+", plain(child.read()))]
    assert 70 < max(widths) <= 78


def test_an_error_leaves_no_bar_behind():
    code = """
from flawspot.progress import as_progress
for item in as_progress(True).track(range(3), "working"):
    raise ValueError("no")
"""
    child = Child(code)
    text = child.read()
    assert child.process.returncode == 1
    assert ends_clean(text)
    assert plain(text).rstrip().endswith("ValueError: no")


def test_interrupted_by_the_user():
    code = """
import time
from flawspot.progress import as_progress
for item in as_progress(True).track(range(300), "working"):
    time.sleep(0.1)
"""
    child = Child(code)
    child.read(until="working")
    time.sleep(1.5)  # not while modules are imported, where Python may lose an interrupt
    child.process.send_signal(signal.SIGINT)
    text = child.read()
    assert ends_clean(text)
    assert "KeyboardInterrupt" in text


def test_what_goes_into_a_file_is_whole_while_bars_are_drawn(tmp_path):
    code = """
import time, sys
from flawspot.cli.console import out, print_json
from flawspot.progress import as_progress
for item in as_progress(True).track(range(3), "working"):
    print("printed", item); out.print("said", item); print_json({"item": item})
    time.sleep(0.12)
"""
    with (tmp_path / "out.txt").open("wb") as file:
        child = Child(code, stdout=file)
        text = child.read()
    assert "working" in text
    assert "item" not in text
    expected = [f'printed {i}\nsaid {i}\n{{"item": {i}}}\n' for i in range(3)]
    assert (tmp_path / "out.txt").read_text() == "".join(expected)


def test_what_is_printed_on_the_same_terminal_stands_above_the_bars():
    code = """
import time
from flawspot.cli.console import out
from flawspot.progress import as_progress
for item in as_progress(True).track(range(3), "working"):
    out.print(f"[bold]said[/] {item}")
    time.sleep(0.12)
"""
    lines = [line.strip() for line in re.split(r"[\r\n]+", plain(Child(code).read()))]
    assert [line for line in lines if "said" in line] == [f"[bold]said[/] {item}" for item in range(3)]


def test_a_line_of_its_own_words_beside_bars():
    code = """
import time
from flawspot.progress.display import DISPLAY
with DISPLAY.line() as line:
    line.say("3 [done], 2 left")
    time.sleep(0.2)
    list(DISPLAY.track([1], "reading"))
    line.say("4 done")
    time.sleep(0.2)
"""
    text = plain(Child(code).read())
    assert "3 [done], 2 left" in text
    assert "4 done" in text
    assert "reading" in text


def test_a_terminal_that_cannot_draw_gets_lines():
    text = Child(NESTED, TERM="dumb").read()
    assert "\x1b" not in text
    assert text.count("note: a note") == 2


def test_a_thread_may_show_its_work():
    code = """
import threading, time
from flawspot.progress import as_progress
def work(name):
    for item in as_progress(True).track(range(20), name):
        time.sleep(0.01)
threads = [threading.Thread(target=work, args=(f"thread {i}",)) for i in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print("after")
"""
    child = Child(code)
    text = child.read()
    assert child.process.returncode == 0
    assert "Exception" not in text
    assert ends_clean(text)
    assert "after" in text
