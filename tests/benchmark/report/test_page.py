"""The page: self-contained, the same for the same records, honest about gaps."""

from __future__ import annotations

import dataclasses
import random
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from flawspot.benchmark.record import FAILED, MISSING
from flawspot.benchmark.report import markdown_tables, write_report
from flawspot.errors import DataError

from .conftest import axes, cell, paper_grid, record, with_pictures
from .page_reader import Page


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
    assert text.startswith("# A &lt;b&gt;title&lt;/b&gt;\n\n## MVTec AD\n")
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
        "measured",
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


@pytest.mark.slow
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
    before, _, rest = page.text.rpartition("claim of the paper")
    said, _, after = rest.partition("Where every figure comes from")
    bare = re.findall(r"MicroNet(?!\s*\(random weights\)|\s*$)(?!\).They)[^<]{0,30}", before + after)
    assert not [found for found in bare if not found.startswith("MicroNet).")], bare
    assert "3 runs have random weights" in page.text
    # The paper's claims have the paper's names, and each of our figures there is marked.
    assert said.count("1 pair, 1 category") == said.count("1 pair, 1 category, random weights") == 3
    for path in (tmp_path / "figures").glob("*.svg"):
        assert "random weights" in path.read_text(encoding="utf-8")


def test_an_example_says_how_far_it_is_from_the_limit(tmp_path: Path) -> None:
    example = {"kind": "worst", "image": "a.png", "defective": True, "score": 3.0, "threshold": 4.0, "picture": "a.jpg"}
    (tmp_path / "store").mkdir()
    Image.new("RGB", (30, 20)).save(tmp_path / "store" / "a.jpg")
    run = record(cell(), examples=(example,))
    page = Page(write_report([run], tmp_path, store_folder=tmp_path / "store").read_text(encoding="utf-8"))
    assert "a.png, defective, severity 0.75 (score 3, threshold 4)" in page.text
    assert (
        "The worst-judged of 83 test photographs: defective, with a score not above the threshold: a defect that is "
        "missed." in page.text
    )


def test_every_run_has_its_provenance(tmp_path: Path) -> None:
    run = record(cell(settings={"bank_size": 5000}))
    older = dataclasses.replace(run, key="an older key", code_version="0.0.9", finished="2023-01-01T00:00:00Z")
    page = Page(write_report([run, older], tmp_path).read_text(encoding="utf-8"))
    for word in (run.code_version, "0.0.9", run.weights_sha256, run.data_fingerprint, "x86_64", "torch 2.13.0"):
        assert word in page.text
    assert "bank_size=5000" in page.text
    assert {run.key, older.key} <= {attributes.get("title") for _, attributes in page.tags}
    assert "1 older run of the same cells" in page.text
    assert "Older runs, which are in no other table or figure" in page.text
    assert "Older runs, which are in no other table or figure" in (tmp_path / "tables.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_has_the_title_of_the_grid_unless_another_is_given(tmp_path: Path) -> None:
    def heading(*grids: str, **options: str) -> str:
        records = [
            record(cell(seed=seed), grid=grid, finished=f"2024-05-0{seed + 1}") for seed, grid in enumerate(grids)
        ]
        return Page(write_report(records, tmp_path, **options).read_text(encoding="utf-8")).heading

    assert heading("My grid", "My grid") == "My grid"
    assert heading("My grid", "", "Another") == "My grid · Another"
    assert heading("My grid", title="Ours") == "Ours"
    assert heading("") == "flawspot benchmark"  # of a store that an older flawspot has written


def test_no_records_are_an_error_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="benchmark run"):
        write_report([], tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_figures_are_shown_in_the_markdown_where_their_data_is(written: Path) -> None:
    text = (written / "tables.md").read_text(encoding="utf-8")
    links = re.findall(r"!\[[^\]]+\]\(figures/([\w-]+)\.svg\)", text)
    assert len(links) == len(set(links))
    assert {path.stem for path in (written / "figures").glob("*.svg")} == set(links)
    assert text.index("figures/figure-1-mvtec-ad.svg") < text.index("### All detectors on MVTec AD")
    assert "![" not in markdown_tables(paper_grid(1, ("bottle",)))


@pytest.mark.slow
def test_a_report_to_be_published_holds_no_photographs(tmp_path: Path) -> None:
    records = with_pictures(paper_grid(1, ("bottle",)), tmp_path / "store")
    for pictures in (True, False):
        html = write_report(records, tmp_path, store_folder=tmp_path / "store", pictures=pictures).read_text("utf-8")
        assert ("data:image/jpeg" in html) == pictures
        assert ("Best and worst examples" in html) == pictures
    assert not list(tmp_path.glob("*.jpg"))


@pytest.mark.parametrize(
    ("kind", "defective", "score", "why"),
    [
        ("best", True, 9.0, "The best-judged defect: with a score above the threshold: found."),
        ("worst", False, 5.0, "good, with a score above the threshold: a false alarm."),
        ("worst", False, 3.9, "with a score not above the threshold: judged right, but with little to spare."),
        ("worst", True, 4.0, "defective, with a score not above the threshold: a defect that is missed."),
    ],
)
@pytest.mark.grid(1)
def test_why_a_picture_is_there_is_told(tmp_path: Path, kind: str, defective: bool, score: float, why: str) -> None:
    shown = {"kind": kind, "defective": defective, "score": score, "threshold": 4.0, "image": "a.png", "picture": "a"}
    run = record(cell(), examples=(shown, shown))
    page = Page(write_report([run], tmp_path, store_folder=tmp_path).read_text(encoding="utf-8"))
    assert why in page.text
    second = "The second best-judged defect" if kind == "best" else "The second worst-judged of 83 test"
    assert second in page.text
