"""Lines for logs and pipes: seldom, whole, and none for short work."""

import io
import sys
import threading
import time

import pytest

from flawspot.progress import lines
from flawspot.progress.lines import PlainLines
from flawspot.progress.work import Work, sentence


def wait_for(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def said(capsys):
    """The lines so far, as a function."""
    lines = []

    def read():
        lines.extend(capsys.readouterr().err.splitlines())
        return lines

    return read


def test_a_line_tells_how_far_how_long_and_how_much_longer():
    work = Work("training the student", 20, done=12, started=time.monotonic() - 36)
    assert sentence([work]) == "training the student 12/20, 36 s, about 24 s left"
    inner = Work("reading", counted=False)
    assert sentence([work, inner]) == "training the student 12/20: reading, 36 s, about 24 s left"
    assert sentence([Work("counting")]) == "counting 0, 0 s"
    assert sentence([inner]) == "reading, 0 s"


def test_short_work_says_nothing(said):
    plain = PlainLines(gap=0.2)
    for _ in range(3):
        work = Work("short")
        plain.begin(work)
        plain.end(work)
    assert said() == []


def test_long_work_speaks_even_in_the_middle_of_a_step(said):
    plain = PlainLines(gap=0.02)
    step = Work("inverting", counted=False)
    plain.begin(step)
    wait_for(lambda: len(said()) >= 2)
    plain.end(step)
    assert set(said()) == {"inverting, 0 s"}
    before = len(said())
    time.sleep(0.1)
    assert len(said()) == before


def test_phases_one_after_the_other_count_as_one_work(said):
    plain = PlainLines(gap=0.2)
    for _ in range(8):
        work = Work("a phase")
        plain.begin(work)
        time.sleep(0.05)
        plain.end(work)
    assert 1 <= len(said()) <= 3


def test_what_begins_after_a_pause_is_silent_at_first_again(said):
    plain = PlainLines(gap=0.1)
    for _ in range(2):
        work = Work("short")
        plain.begin(work)
        plain.end(work)
        time.sleep(0.25)
    assert said() == []


def test_what_begins_after_a_command_s_end_is_silent_at_first(said):
    plain = PlainLines(gap=0.2)
    for _ in range(6):
        work = Work("a command")
        plain.begin(work)
        time.sleep(0.05)
        plain.end(work)
        plain.clear()
    assert said() == []


def test_long_work_speaks_less_often_as_it_goes_on(said, monkeypatch):
    monkeypatch.setattr(lines, "GAP_SHARE", 1.0)  # the times double
    plain = PlainLines(gap=0.02)
    work = Work("long")
    plain.begin(work)
    time.sleep(0.7)
    plain.end(work)
    assert 2 <= len(said()) <= 8


def test_the_speaker_ends_with_the_work(said):
    plain = PlainLines(gap=0.01)
    work = Work("long")
    plain.begin(work)
    plain.clear()
    wait_for(lambda: all(thread.name != "flawspot progress" for thread in threading.enumerate()))
    plain.end(work)


def test_a_stream_that_cannot_be_written_does_not_end_the_work(monkeypatch):
    class Full(io.StringIO):
        def write(self, _):
            raise OSError(28, "No space left on device")

    plain = PlainLines()
    for stream in (Full(), None):
        monkeypatch.setattr(sys, "stderr", stream)
        plain.note("unheard")


def test_who_counts_by_himself_prints_his_own_lines(said):
    plain = PlainLines(gap=0.01)
    work = Work("", counted=False, line="3 done")
    plain.begin(work)
    time.sleep(0.05)
    plain.end(work)
    plain.note("a word")
    assert said() == ["note: a word"]
