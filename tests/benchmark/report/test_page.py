"""The page: self-contained, the same for the same records, safe against what records hold, honest about gaps."""

from __future__ import annotations

import dataclasses
import random
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from flawspot.benchmark.record import FAILED, MISSING
from flawspot.benchmark.report import markdown_tables, write_report
from flawspot.errors import DataError

from .conftest import axes, cell, paper_grid, record, with_pictures

HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> $\\frac{1}{0$ `x` |y| \x1b[31m\u202e \udcff {{ 7 * 7 }} "
    "&amp; ü 螺丝"
)


class Page(HTMLParser):
    """Tags, attributes and the words that a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._silent = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._silent += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two categories and all axes, with pictures."""
    folder = tmp_path_factory.mktemp("report in a folder with spaces")
    records = with_pictures(
        paper_grid(2, ("bottle", "screw", "grid")) + axes(("mobilenet_v2",), ("patchcore", "paste")), folder / "store"
    )
    write_report(records, folder / "out", store_folder=folder / "store", title="A <b>title</b>")
    return folder / "out"


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page((written / "report.html").read_text(encoding="utf-8"))


def test_nothing_comes_from_elsewhere(written: Path, page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for name, value in attributes.items():
            if name in ("src", "href", "xlink:href", "action"):
                assert (value or "").startswith(("data:image/jpeg;base64,", "data:image/png;base64,", "#")), (
                    tag,
                    name,
                    value,
                )
            assert not name.startswith("on")
    html = (written / "report.html").read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", html))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "default-src 'none'" in html
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_the_tables_lie_beside_the_page_as_markdown(written: Path) -> None:
    text = (written / "tables.md").read_text(encoding="utf-8")
    assert text.startswith("## MVTec AD\n")
    assert "| MobileNetV2 | PatchCore | low |" in text
    assert "## Beside the paper" in text


def test_links_lead_somewhere_and_names_are_given_once(page: Page) -> None:
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    for tag, attributes in page.tags:
        if tag == "a":
            assert (attributes["href"] or "").removeprefix("#") in names


def test_every_figure_is_there_as_svg_and_png(written: Path, page: Page) -> None:
    names = {path.stem for path in (written / "figures").iterdir()}
    wanted = {
        "figure-1",
        "figure-1-as-paper",
        "figure-5",
        "figure-6",
        "defect-sizes",
        "noise",
        "contamination",
        "shots",
    }
    assert names == {f"{name}-mvtec-ad" for name in wanted}
    for name in names:
        svg = (written / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        texts = ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("}text")]
        assert len(texts) > 5, "text is text, not outlines"
        with Image.open(written / "figures" / f"{name}.png") as picture:
            assert picture.width > 1000
    assert sum(tag == "svg" for tag, _ in page.tags) == len(names)
    assert all(attributes.get("aria-label") for tag, attributes in page.tags if tag == "svg")
    assert not list(written.rglob("*.part*"))


def test_the_same_records_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    records = paper_grid(1, ("bottle",)) + axes(("mobilenet_v2",), ("paste",))[:21]
    shuffled = records[:]
    random.Random(3).shuffle(shuffled)
    for name, some in (("a", records), ("b", shuffled)):
        write_report(some, tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) > 8
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    assert markdown_tables(records) == markdown_tables(shuffled)


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


def test_what_is_missing_is_a_dash_with_its_reason_and_never_zero(tmp_path: Path) -> None:
    reason = "no weights for phinet: run `flawspot weights pull phinet`"
    failed = "ran out of memory: take fewer channels"
    records = [
        record(cell()),
        record(cell(method="padim"), FAILED, error=failed),
        record(cell(backbone="phinet"), MISSING, error=reason),
    ]
    page = Page(write_report(records, tmp_path).read_text(encoding="utf-8"))
    assert page.text.count(reason) >= 2
    assert page.text.count(failed) >= 2
    text = markdown_tables(records)
    rows = [line for line in text.splitlines() if line.startswith(("| PhiNet", "| MobileNetV2 | PaDiM | equiv"))]
    assert rows
    for row in rows:
        assert "–" in row
        assert not re.search(r"\b0\.0", row)


def test_records_that_all_failed_still_make_a_page(tmp_path: Path) -> None:
    records = [record(cell(seed=seed), FAILED, error="the disk is full: free some space") for seed in range(2)]
    page = Page(write_report(records, tmp_path).read_text(encoding="utf-8"))
    assert "the disk is full" in page.text
    assert not (tmp_path / "figures").exists()


def test_a_single_run_and_a_set_without_masks(tmp_path: Path) -> None:
    assert write_report([record(cell())], tmp_path / "one").exists()
    figures = {name: (None if name.startswith("pixel") else value) for name, value in record(cell()).metrics.items()}
    bare = record(cell(data="my set"), metrics=figures, defect_sizes=(), parts=(), paper_macs=None, paper_bytes=None)
    page = Page(write_report([bare], tmp_path / "two").read_text(encoding="utf-8"))
    assert "undefined here: the test set lacks the masks" in page.text


def test_random_weights_are_marked_wherever_they_stand(tmp_path: Path) -> None:
    records = [record(cell(backbone="micronet_m1", method=m, random_weights=True)) for m in ("stfpm", "padim")]
    records.append(record(cell(backbone="micronet_m1", method="paste", layers="paste", random_weights=True)))
    html = write_report(records, tmp_path).read_text(encoding="utf-8")
    page = Page(html)
    assert page.text.count("MicroNet") > 5
    # The name alone stands in no row, no legend and no sentence, but for the one that tells what is random.
    bare = re.findall(r"MicroNet(?!\s*\(random weights\)|\s*$)(?!\).They)[^<]{0,30}", page.text)
    assert not [found for found in bare if not found.startswith("MicroNet).")], bare
    assert "3 runs have random weights" in page.text
    for path in (tmp_path / "figures").glob("*.svg"):
        assert "random weights" in path.read_text(encoding="utf-8")


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


def test_every_run_has_its_provenance(tmp_path: Path) -> None:
    run = record(cell(settings={"bank_size": 5000}))
    older = dataclasses.replace(run, key="an older key", code_version="0.0.9", finished="2023-01-01T00:00:00Z")
    page = Page(write_report([run, older], tmp_path).read_text(encoding="utf-8"))
    for word in (run.code_version, "0.0.9", run.weights_sha256, run.data_fingerprint, "x86_64", "torch 2.13.0"):
        assert word in page.text
    assert "bank_size=5000" in page.text
    assert {run.key, older.key} <= {attributes.get("title") for _, attributes in page.tags}
    assert "1 older runs of the same cells" in page.text


def test_no_records_are_an_error_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="benchmark run"):
        write_report([], tmp_path)
    assert not list(tmp_path.iterdir())


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
