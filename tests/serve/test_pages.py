"""The pages as files: small, without anything inline or from elsewhere, and nothing they ask for is missing."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.routing import Match, Route

import flawspot.serve.pages
from flawspot.serve.api.app import routes
from flawspot.serve.api.pages import STATIC
from flawspot.serve.pages.markup import Markup, joined, page, tag
from flawspot.serve.pages.results import result_list

FOLDER = Path(flawspot.serve.pages.__file__).parent
SCRIPTS = sorted(FOLDER.glob("*.js"))
PAGES = sorted(FOLDER.glob("*.html"))
LINES, WIDTH = 200, 120


class Elements(HTMLParser):
    """All elements of a page: their names and attributes; `texts` of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.found, self.texts, self.inside = [], [], None
        self.feed(text)

    def handle_starttag(self, name, attributes):
        self.found.append((name, dict(attributes)))
        self.inside = name

    def handle_endtag(self, _):
        self.inside = None

    def handle_data(self, text):
        if self.inside in ("script", "style") and text.strip():
            self.texts.append(text)


def test_the_scripts_are_small_and_readable():
    lines = [line for path in SCRIPTS for line in path.read_text("utf-8").splitlines()]
    assert len(SCRIPTS) == 3
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= WIDTH


def test_the_scripts_write_no_markup():
    for path in SCRIPTS:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|srcdoc", path.read_text("utf-8")
        )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_hold_nothing_that_the_policy_forbids(path):
    page = Elements(path.read_text("utf-8"))
    assert page.texts == []
    for name, attributes in page.found:
        assert name != "style"
        assert "style" not in attributes
        assert not [each for each in attributes if each.startswith("on")]
    assert ("html", {"lang": "en"}) in page.found


def test_nothing_comes_from_elsewhere():
    for path in [*SCRIPTS, *PAGES, *FOLDER.glob("*.css"), *FOLDER.glob("*.svg"), *FOLDER.glob("*.py")]:
        text = path.read_text("utf-8").replace("http://www.w3.org/", "")
        assert not re.search(r"https?:|['\"(]//|@import", text), path.name


def test_every_file_that_is_asked_for_is_there():
    asked = {name for path in PAGES for name in re.findall(r"/static/([\w.]+)", path.read_text("utf-8"))}
    asked |= {name for path in SCRIPTS for name in re.findall(r'from "\./([\w.]+)"', path.read_text("utf-8"))}
    assert asked == set(STATIC)
    assert all((FOLDER / name).is_file() for name in STATIC)


def test_every_path_that_is_asked_for_is_answered():
    texts = [path.read_text("utf-8") for path in [*SCRIPTS, *PAGES, *FOLDER.glob("*.py")]]
    paths = {found for text in texts for found in re.findall(r"[\"'`](/(?!static)[\w./${}]*)", text)}
    known = [route for route in routes() if isinstance(route, Route)]
    assert {"/events", "/v1/status", "/v1/results"} <= paths
    for path in paths:
        asked = re.sub(r"\$?\{[^}]*\}?", "7", path)
        scopes = [{"type": "http", "path": asked, "method": method} for method in ("GET", "POST")]
        assert any(route.matches(scope)[0] == Match.FULL for scope in scopes for route in known), path


def test_every_symbol_that_is_used_is_there():
    for path in PAGES:
        found = Elements(path.read_text("utf-8").replace("$symbols", (FOLDER / "symbols.svg").read_text("utf-8"))).found
        symbols = {attributes["id"] for name, attributes in found if name == "symbol"}
        used = {attributes["href"][1:] for name, attributes in found if name == "use"}
        assert used <= symbols
        assert path.name == "login.html" or symbols >= {"good", "anomalous", "not-inspected", "none", "broken"}


def test_texts_are_escaped_whoever_they_come_from():
    made = tag("a", "<script>", tag("b", 7), None, False, href='"><script>', data_known="a&b", hidden=True, title=None)
    assert made == ('<a href="&quot;&gt;&lt;script&gt;" data-known="a&amp;b" hidden>&lt;script&gt;<b>7</b></a>')
    assert joined("\u202egpj", Markup("<i></i>")) == "\\u202egpj<i></i>"
    assert "&lt;b&gt;" in page("station.html", who="<b>", role="viewer")


def test_a_card_says_which_file_was_not_inspected_and_why():
    result = {"number": 9, "time": "2026-01-31T12:00:00.000000Z", "verdict": "not inspected", "part": None}
    result |= {"name": "<b>.png", "reason": "it is no picture: " + "x" * 500, "picture": None, "severity": None}
    card = str(result_list([{**result, "word": None}], "?number="))
    assert "<span>&lt;b&gt;.png</span>" in card
    assert "it is no picture: xxx" in re.search(r'class="reason">(.*?)</span>', card)[1]
    assert "x" * 500 in card  # in its title
