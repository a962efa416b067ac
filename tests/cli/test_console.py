"""What goes to which stream, and what a line looks like."""

import io
import json
import sys

import pytest

from flawspot.cli import console
from flawspot.progress.display import DISPLAY


def test_results_go_to_standard_output_and_notes_beside_it(capsys):
    console.out.print("a result")
    console.print_json({"path": "ä [b].png", "score": 1.5})
    console.print_pairs([("name", "[value]"), ("longer name", "other")])
    console.note("a [word]")
    captured = capsys.readouterr()
    first, second, *pairs = captured.out.splitlines()
    assert first == "a result"
    assert json.loads(second) == {"path": "ä [b].png", "score": 1.5}
    assert pairs == ["name         [value]", "longer name  other"]
    assert captured.err == "note: a [word]\n"


def test_standard_output_is_the_one_of_the_moment(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    console.out.print("caught")
    assert stream.getvalue() == "caught\n"


def test_a_long_line_is_kept_whole(capsys):
    console.out.print("x " * 300)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_failure_ends_whatever_is_shown(capsys):
    def work():
        for _ in DISPLAY.track(range(3), "working"):
            console.fail("it [went] wrong", 7)

    with pytest.raises(SystemExit) as caught:
        work()
    assert caught.value.code == 7
    assert capsys.readouterr() == ("", "error: it [went] wrong\n")


def test_a_proxy_that_denies_being_a_terminal_is_looked_through(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    class Proxy(io.StringIO):  # as of rich 13.7, while bars are drawn
        rich_proxied_file = Terminal()

    monkeypatch.setattr(sys, "stdout", Proxy())
    assert console.out.file.isatty()
    console.out.print("above the bars")
    assert sys.stdout.getvalue() == "above the bars\n"
    assert sys.stdout.rich_proxied_file.getvalue() == ""
