"""The summary page."""

from html.parser import HTMLParser

import numpy as np

from flawspot.demo.page import figures, page
from flawspot.metrics import measure


def test_the_page_is_whole_and_escapes_what_it_is_given(tmp_path, tiny_manifest):
    file = tmp_path / "a part & more.onnx"
    file.write_bytes(bytes(3 * 2**19))
    metrics = measure(np.array([1.0, 3.0]), None, np.array([False, True]), None, 2.0)
    text = page("<part>", file, tiny_manifest, metrics)
    tags: list[str] = []

    class Balanced(HTMLParser):
        def handle_starttag(self, tag, attributes):
            if tag not in ("meta", "img"):
                tags.append(tag)

        def handle_endtag(self, tag):
            assert tags.pop() == tag

    Balanced().feed(text)
    assert tags == []
    assert "<part>" not in text and "&lt;part&gt;" in text
    assert "a part &amp; more.onnx, 1.5 MiB" in text
    assert "paste on mobilenet_v2" in text


def test_figures_that_are_undefined_say_so():
    metrics = measure(np.array([1.0]), None, np.array([False]), None, 2.0)
    shown = dict(figures(metrics))
    assert shown["test photographs"] == "1 good, 0 defective"
    assert shown["image AUROC"] == shown["pixel AUROC"] == "undefined"
    assert shown["good parts called anomalous"] == "0.000"
