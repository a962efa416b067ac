"""What docs/tools/site makes of links, and what it finds wrong with a built site."""

import pytest
from check import LIST, faults, main
from links import linked, relinked


@pytest.mark.parametrize(
    ("source", "page", "before", "after"),
    [
        ("docs/line.md", "line.md", "../README.md#start", "index.md#start"),
        ("docs/line.md", "line.md", "../deploy/README.md", "deploy.md"),
        ("docs/how/cfa.md", "how/cfa.md", "../../SECURITY.md", "../security.md"),
        ("docs/how/cfa.md", "how/cfa.md", "../jury.md#members", "../jury.md#members"),
        ("deploy/README.md", "deploy.md", "../docs/line.md", "line.md"),
        ("CONTRIBUTING.md", "contributing.md", "docs/design.md", "design.md"),
        ("CONTRIBUTING.md", "contributing.md", "https://a.example/b.md", "https://a.example/b.md"),
        ("CONTRIBUTING.md", "contributing.md", "#here", "#here"),
    ],
)
def test_links_lead_to_pages(source, page, before, after):
    assert relinked(f"see [it]({before}).", source, page) == f"see [it]({after})."


def test_pages_that_docstrings_name_are_links():
    told = "see <code>docs/data.md</code> and <code>docs/none.md</code>"
    there = 'see <a href="../data.html"><code>docs/data.md</code></a> and <code>docs/none.md</code>'
    assert linked(told, "api/training.html", {"data.md"}) == there


def site(tmp_path, body, head=""):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.html").write_text('<h1 id="there">C</h1><a href="../a.html#top">a</a>')
    (tmp_path / "style.css").write_text("body { color: red }")
    (tmp_path / "a.html").write_text(f'<head>{head}</head><h1 id="top">A</h1>{body}')
    return tmp_path


def test_a_site_that_is_right(tmp_path, capsys):
    body = '<a href="b/c.html#there">c</a><a href="https://x.example/">x</a><img src="data:image/png;base64,AA">'
    whole = site(
        tmp_path, body, '<link rel="stylesheet" href="style.css"><link rel="canonical" href="https://y.example/">'
    )
    assert main(whole) == 0
    assert (whole / LIST).read_text() == "https://x.example/\n"
    assert "2 pages, 0 faults; 1 links to elsewhere, not fetched" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "head", "told"),
    [
        ('<a href="b/d.html">d</a>', "", "links to b/d.html, which is not there"),
        ('<a href="../outside.html">d</a>', "", "which is not there"),
        ('<a href="b/c.html#where">c</a>', "", "the page has no such anchor"),
        ('<a href="#where">c</a>', "", "the page has no such anchor"),
        ('<img src="no.png">', "", "loads no.png, which is not there"),
        ('<img src="//x.example/a.png">', "", "a.html loads //x.example/a.png"),
        ("", '<script src="https://cdn.example/a.js"></script>', "a.html loads https://cdn.example/a.js"),
        ("", '<link rel="preconnect" href="https://fonts.example">', "a.html loads https://fonts.example"),
        ("", "<style>@import 'https://fonts.example/a.css'</style>", "a.html loads https://fonts.example/a.css"),
        ('<p style="background: url(http://x.example/a.png)">', "", "a.html loads http://x.example/a.png"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, body, head, told):
    (fault,) = faults(site(tmp_path, body, head))[0]
    assert told in fault
    assert fault.startswith("a.html ")


def test_style_sheets_are_read(tmp_path):
    site(tmp_path, "")
    (tmp_path / "style.css").write_text("@font-face { src: url('https://fonts.example/a.woff2') }")
    assert faults(tmp_path)[0] == ["style.css loads https://fonts.example/a.woff2"]


def test_an_empty_site_is_a_fault(tmp_path):
    assert main(tmp_path) == 1
