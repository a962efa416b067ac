"""The drawings of the documentation: they are there, load nothing, and are those that flawspot makes."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from flawspot.backbones.registry import family
from flawspot.backbones.weights import find

DOCS = Path(__file__).parents[2] / "docs"
FILES = sorted((DOCS / "drawings").glob("*.svg"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_drawing_loads_nothing_and_can_be_read(path):
    root = ElementTree.parse(path).getroot()
    assert root[0].tag.endswith("title")
    assert root[0].text
    sizes = []
    for element in root.iter():
        assert not element.tag.endswith(("script", "foreignObject", "a"))
        assert re.match(r"data:image/(png|jpeg);base64,", element.get("href", "data:image/png;base64,"))
        if element.tag.endswith("text"):
            sizes.append(float(element.attrib["font-size"]))
    # In a box of at least 560 pixels, as docs/assets/site.css has it, these are 12 pixels.
    assert min(sizes) * 560 / float(root.attrib["viewBox"].split()[2]) > 12


def test_every_drawing_is_on_a_page_and_has_its_maker():
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    maker = (DOCS / "tools" / "drawing" / "__main__.py").read_text(encoding="utf-8")
    names = {path.stem for path in FILES}
    assert names == set(re.findall(r"drawings/(\w+)\.svg", pages))
    assert names == set(re.findall(r'^    "(\w+)": \w+\.\w+,$', maker, re.M))


def test_heat_goes_from_white_to_dark():
    from drawing.svg import heat

    assert heat(np.array([[-1.0, 0.0, 4.0, 9.0]]), 4.0).tolist()[0] == [[255] * 3, [255] * 3, [90, 0, 30], [90, 0, 30]]


@pytest.mark.weights
@pytest.mark.skipif(
    find("mobilenet_v2", family("mobilenet_v2").weights) is None, reason="flawspot weights pull mobilenet_v2"
)
def test_drawings_are_those_that_are_made():
    """Of those that take no minutes. Numbers of another machine may differ in their last digits."""
    from drawing import distances, networks

    assert networks.students().svg() == (DOCS / "drawings" / "students.svg").read_text(encoding="utf-8")
    made = distances.patchcore().svg()
    kept = (DOCS / "drawings" / "patchcore.svg").read_text(encoding="utf-8")
    told, wanted = (re.findall(r">([A-C]): ([\d.]+)<", text) for text in (made, kept))
    assert [letter for letter, _ in told] == [letter for letter, _ in wanted] == ["A", "B"]
    assert np.allclose([float(value) for _, value in told], [float(value) for _, value in wanted], rtol=0.02)
