"""Reads the marks of a figure."""

from __future__ import annotations

from xml.etree import ElementTree

from flawspot.benchmark.report.drawing import Drawing

SVG = "{http://www.w3.org/2000/svg}"


def told(drawing: Drawing | None) -> list[str]:
    """The texts of the marks of a figure, in the file and in the page alike."""
    assert drawing is not None
    marks = [e for e in ElementTree.fromstring(drawing.svg).iter(f"{SVG}g") if e.get("id", "").startswith("mark-")]
    found = {int(e.get("id", "").removeprefix("mark-")): e[0] for e in marks}
    assert all(title.tag == f"{SVG}title" for title in found.values())
    texts = [found[number].text or "" for number in sorted(found)]
    assert sorted(found) == list(range(len(texts)))
    assert drawing.inline.count('class="mark" role="img"') == len(texts)
    assert drawing.inline.count('tabindex="0"') == 1
    assert '<svg role="group"' in drawing.inline
    return texts
