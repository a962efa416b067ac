"""A report is put into its folder as a whole or not at all, and nobody's files are lost."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from flawspot.benchmark.record import FAILED
from flawspot.benchmark.report import page, placing, write_report
from flawspot.benchmark.report.placing import check_places, place
from flawspot.errors import FlawspotError

from .conftest import cell, record

OLD = {
    "figures/figure-1-old.svg": b"<svg>old",
    "figures/figure-1-old.png": b"old",
    "figures/noise-both.svg": b"<svg>old noise",
    "figures/noise-both.png": b"old noise",
    "tables.md": b"![Old](figures/figure-1-old.svg)\n![Noise](figures/noise-both.svg)\n![x](figures/my-photo.svg)\n",
    "report.html": b"old page",
}
NEW = {
    "figures/noise-both.svg": b"<svg>new noise",
    "figures/noise-both.png": b"new noise",
    "tables.md": b"![Noise](figures/noise-both.svg)\n",
    "report.html": b"new page",
}
FOREIGN = {
    "notes.txt": b"mine",
    "figures/my-photo.svg": b"mine, though the tables show it",
    "figures/shots-of-mine.png": b"mine, though it is called as ours",
}


def content(folder: Path) -> dict[str, bytes]:
    """Every file below the folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A folder with an earlier report, and files of somebody else."""
    folder = tmp_path / "report"
    place(folder, OLD)
    for name, data in FOREIGN.items():
        (folder / name).write_bytes(data)
    assert content(folder) == OLD | FOREIGN
    return folder


def test_a_report_takes_the_place_of_an_earlier_one_and_of_nothing_else(earlier: Path) -> None:
    place(earlier, NEW)
    assert content(earlier) == NEW | FOREIGN
    assert not list(earlier.glob(".*"))


def test_a_report_without_figures_leaves_no_empty_folder(tmp_path: Path) -> None:
    place(tmp_path, OLD)
    place(tmp_path, {"tables.md": b"none", "report.html": b"new page"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "tables.md"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), FlawspotError("no")])
@pytest.mark.parametrize("after", range(len(NEW)))
@pytest.mark.parametrize("step", ["_write", "_move"])
def test_ended_at_any_moment_the_earlier_report_is_whole(
    earlier: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, after: int, step: str
) -> None:
    do, done = getattr(placing, step), []

    def stopped(*arguments: object) -> None:
        if len(done) == after:
            done.append(None)
            raise error
        done.append(None)
        do(*arguments)

    monkeypatch.setattr(placing, step, stopped)
    with pytest.raises((FlawspotError, KeyboardInterrupt)):
        place(earlier, NEW)
    assert content(earlier) == OLD | FOREIGN
    assert not list(earlier.glob(".*"))


def test_ended_while_outdated_figures_are_removed_nothing_is_lost(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def stopped(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok)
        if path.name == "figure-1-old.png":
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "unlink", stopped)
    with pytest.raises(KeyboardInterrupt):
        place(earlier, NEW)
    assert content(earlier) == OLD | FOREIGN


def test_a_failed_first_report_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(placing, "_write", full)
    folder = tmp_path / "new" / "report"
    with pytest.raises(FlawspotError, match=r"cannot write into .*report: No space left on device\. Free some space"):
        place(folder, NEW)
    assert not list(tmp_path.iterdir())


def test_interrupted_while_it_is_drawn_a_report_changes_nothing(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(page, "render", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_report([record(cell())], earlier)
    assert content(earlier) == OLD | FOREIGN


@pytest.mark.parametrize("name", ["report.html", "tables.md"])
def test_a_folder_in_the_place_of_a_file_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(page, "Results", None)
    (tmp_path / name).mkdir()
    with pytest.raises(FlawspotError, match=f"cannot write .*{name}: it is a folder"):
        write_report([record(cell())], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_in_the_place_of_the_figures_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "figures").write_bytes(b"precious")
    with pytest.raises(FlawspotError, match=r"figures: it is not a folder\. Choose another folder"):
        check_places(tmp_path)


def test_a_folder_in_the_place_of_a_figure_changes_nothing(earlier: Path) -> None:
    (earlier / "figures" / "noise-new.svg").mkdir()
    with pytest.raises(FlawspotError, match="cannot write into"):
        place(earlier, {**NEW, "figures/noise-new.svg": b"<svg>"})
    assert content(earlier) == OLD | FOREIGN


def test_a_link_stays_and_the_file_that_it_names_is_replaced(earlier: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.html"
    shutil.move(earlier / "report.html", elsewhere)
    elsewhere.chmod(0o640)
    (earlier / "report.html").symlink_to(elsewhere)
    place(earlier, NEW)
    assert (earlier / "report.html").is_symlink()
    assert elsewhere.read_bytes() == b"new page"
    assert elsewhere.stat().st_mode & 0o777 == 0o640


def test_what_a_killed_process_left_is_removed_later(earlier: Path) -> None:
    for name, age in (("old", 7200), ("new", 10)):
        folder = earlier / f".flawspot-report-{name}"
        folder.mkdir()
        os.utime(folder, (time.time() - age, time.time() - age))
    place(earlier, NEW)
    assert [path.name for path in earlier.glob(".*")] == [".flawspot-report-new"]


def test_the_figures_of_an_earlier_store_do_not_stay(tmp_path: Path) -> None:
    write_report([record(cell(data="one"))], tmp_path)
    assert (tmp_path / "figures" / "figure-1-one.svg").exists()
    write_report([record(cell(data="two"))], tmp_path)
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names
    assert all("-two" in name for name in names)
    write_report([record(cell(data="three"), FAILED, error="no")], tmp_path)
    assert not (tmp_path / "figures").exists()
