"""The page over the pictures of a run."""

import math

from flawspot.runtime.index_page import Entry, page, write_index

HOSTILE = "<script>alert(1)</script>\n\x1b[31m\"'&"


def test_names_are_text_and_links_are_quoted(tmp_path):
    entries = [
        Entry(HOSTILE, "anomalous", 2.0, "severity 2", tmp_path / "sub" / "a #1?%20<b>.jpg"),
        Entry("b", "not inspected", math.inf, HOSTILE, None),
    ]
    text = page(entries, HOSTILE, tmp_path)
    assert "<script" not in text
    assert "\x1b" not in text
    assert 'href="sub/a%20%231%3F%2520%3Cb%3E.jpg"' in text
    assert "http" not in text.replace("<!doctype html>", "")


def test_the_most_severe_come_first(tmp_path):
    entries = [Entry(str(i), "good" if i < 1 else "anomalous", i, "", None) for i in (0.5, 3, 2)]
    entries.append(Entry("broken", "not inspected", math.inf, "", None))
    text = page(entries, "part", tmp_path)
    places = [text.index(f"<h2>{name}</h2>") for name in ("broken", "3", "2", "0.5")]
    assert places == sorted(places)
    assert "4 photographs: 2 anomalous, 1 good, 1 not inspected" in text


def test_another_s_page_stays(tmp_path):
    (tmp_path / "index.html").write_text("mine")
    assert write_index(tmp_path, [], "a").name == "index_2.html"
    assert write_index(tmp_path, [], "b").name == "index_2.html"
    assert (tmp_path / "index.html").read_text() == "mine"
