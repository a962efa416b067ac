"""The page is safe against what records hold, and harms nobody who writes one."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from flawspot.benchmark.record import FAILED, MISSING
from flawspot.benchmark.report import markdown_tables, write_report

from .conftest import cell, record
from .page_reader import Page

HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> $\\frac{1}{0$ `x` |y| \x1b[31m\u202e \udcff {{ 7 * 7 }} "
    "&amp; ü 螺丝"
)


def hostile_records() -> list:
    of = cell(
        data=HOSTILE, category=HOSTILE, label=HOSTILE, backbone=HOSTILE, layers=HOSTILE, normalization=HOSTILE,
        settings={HOSTILE: HOSTILE},
    )  # fmt: skip
    example = {"kind": HOSTILE, "image": HOSTILE, "defective": True, "score": 1.0, "picture": HOSTILE}
    good = record(
        of, key=HOSTILE, weights=HOSTILE, weights_sha256=HOSTILE, data_fingerprint=HOSTILE, code_version=HOSTILE,
        machine={HOSTILE: HOSTILE}, versions={HOSTILE: HOSTILE}, started=HOSTILE, finished=HOSTILE, examples=(example,),
    )  # fmt: skip
    other = dataclasses.replace(of, seed=1)
    noisy = dataclasses.replace(of, corruption=HOSTILE, severity=2)
    return [
        good,
        record(other, FAILED, error=HOSTILE, traceback=HOSTILE),
        record(dataclasses.replace(of, category="b"), MISSING, error=HOSTILE),
        dataclasses.replace(good, cell=noisy, key="k"),
    ]


def test_hostile_texts_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    html = write_report(hostile_records(), tmp_path, store_folder=tmp_path, title=HOSTILE).read_text(encoding="utf-8")
    page = Page(html)
    assert "<script>alert" not in html
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "alert(1)" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "\x1b" not in html
    assert "\u202e" not in html
    for path in (tmp_path / "figures").glob("*.svg"):
        assert "<script>" not in path.read_text(encoding="utf-8")
        assert not [e for e in ElementTree.parse(path).iter() if e.tag.endswith(("script", "img"))]


def test_hostile_texts_stay_in_their_field_in_markdown() -> None:
    text = markdown_tables(hostile_records())
    assert "<script" not in text
    assert "<img" not in text
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("| ")]
    assert tables
    for lines in tables:
        bars = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert len(bars) == 1, lines
    text.encode()


def test_pictures_lie_in_the_page_and_only_those_of_the_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    Image.new("RGB", (900, 500), (200, 30, 30)).save(tmp_path / "secret.png")
    Image.new("RGB", (900, 500), (30, 200, 30)).save(store / "good.png")
    (store / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    pictures = ("good.png", "../secret.png", str(tmp_path / "secret.png"), "absent.png", "broken.png", "a\0b")
    examples = tuple(
        {"kind": "best", "image": f"{k}.png", "defective": False, "score": 0.5, "picture": p}
        for k, p in enumerate(pictures)
    )
    run = record(cell(), examples=examples)
    page = Page(write_report([run], tmp_path / "out", store_folder=store).read_text(encoding="utf-8"))
    shown = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(shown) == 1
    assert shown[0]["alt"] == "best: 0.png, good, score 0.5"
    assert int(shown[0]["width"] or 0) <= 560
    assert page.text.count("not shown:") == 5
    assert str(tmp_path) not in page.text
    page = Page(write_report([run], tmp_path / "out").read_text(encoding="utf-8"))
    assert page.text.count("not shown:") == 6


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [("flawspot.benchmark.report.page", {"torch", "onnx"}), ("flawspot.benchmark.report", {"torch", "matplotlib"})],
)
def test_the_report_needs_no_torch_and_its_markdown_no_matplotlib(module: str, unwanted: set[str]) -> None:
    code = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not unwanted & set(done.stdout.split())


def test_drawing_leaves_the_settings_of_the_host_alone(tmp_path: Path) -> None:
    code = f"""
import pathlib, sys, matplotlib
from flawspot.benchmark.record import Cell, Record
from flawspot.benchmark.report import write_report
before = {{name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}}
cell = Cell(data="d", category="c", backbone="b", layers="equiv", method="m", label="m")
record = Record(key="k", cell=cell, status="done", metrics={{"pixel_f1_max": 0.5}})
write_report([record], pathlib.Path({str(tmp_path)!r}))
assert "matplotlib.pyplot" not in sys.modules
assert before == {{name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}}
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert list((tmp_path / "figures").iterdir())
