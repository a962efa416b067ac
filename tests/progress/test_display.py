"""Which display stands where."""

import io
import sys
import types

import pytest

from flawspot.progress import display
from flawspot.progress.display import DISPLAY
from flawspot.progress.lines import PlainLines
from flawspot.progress.terminal import TerminalBars


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "term", "kind"),
    [
        (Terminal(), "xterm", TerminalBars),
        (Terminal(), "dumb", PlainLines),
        (io.StringIO(), "xterm", PlainLines),
        (None, "xterm", PlainLines),
    ],
)
def test_bars_on_a_terminal_lines_elsewhere(stream, term, kind, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # colours in a log are no reason to draw bars there
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys, "stderr", stream)
    assert isinstance(display.surface(), kind)


def ipython(monkeypatch, *, kernel):
    """An IPython that shows into a list: every drawing's HTML, and the number of areas made."""
    drawn, areas = [], []

    class Area:
        def update(self, content, raw):
            drawn.append(content["text/html"])

    def show(content, raw, display_id):
        drawn.append(content["text/html"])
        areas.append(Area())
        return areas[-1]

    shell = types.SimpleNamespace(kernel=kernel, execution_count=1)
    module = types.ModuleType("IPython")
    module.get_ipython = lambda: shell
    inner = types.ModuleType("IPython.display")
    inner.display = show
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", inner)
    display._notebook.cache_clear()
    return drawn, areas, shell


def test_a_notebook_gets_one_area_a_cell_that_is_empty_at_the_end(monkeypatch):
    drawn, areas, shell = ipython(monkeypatch, kernel=object())
    monkeypatch.setattr("flawspot.progress.notebook.SECONDS_BETWEEN", 0.0)
    for _ in DISPLAY.track(range(2), "a < b"):
        with DISPLAY.step("a step"):
            pass
    assert len(areas) == 1
    assert '<progress value="1" max="2"></progress> a &lt; b 1/2, 0 s' in "".join(drawn)
    assert any("<progress></progress> a step" in html for html in drawn)
    assert drawn[-1] == "<span></span>"
    with DISPLAY.step("later in the cell"):
        pass
    assert len(areas) == 1
    shell.execution_count += 1
    with DISPLAY.step("in the next"):
        pass
    assert len(areas) == 2


def test_an_error_in_a_notebook_leaves_no_bar(monkeypatch):
    drawn, _, _ = ipython(monkeypatch, kernel=object())
    with pytest.raises(ZeroDivisionError):
        for _ in DISPLAY.track(range(2), "working"):
            _ = 1 / 0
    assert drawn[-1] == "<span></span>"


def test_ipython_at_a_terminal_is_a_terminal(monkeypatch):
    drawn, _, _ = ipython(monkeypatch, kernel=None)
    list(DISPLAY.track([1], "working"))
    assert drawn == []


def test_items_pass_through_and_a_note_stays(capsys):
    assert list(DISPLAY.track(iter("ab"), "reading", 2)) == ["a", "b"]
    with DISPLAY.line() as line:
        line.say("unseen in a log")
    DISPLAY.note("[a note]")
    DISPLAY.clear()
    assert capsys.readouterr() == ("", "note: [a note]\n")
