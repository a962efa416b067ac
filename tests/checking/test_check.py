"""What is odd in a folder of photographs, each kind of it made here in a few lines."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

import flawspot
from flawspot.checking.page import write_page
from flawspot.data import findings
from flawspot.errors import ConfigurationError, DataError

Pixels = NDArray[np.uint8]


def part(seed: int, side: int = 96) -> Pixels:
    """A disc with a pattern of its own, grey."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    disc = np.hypot(rows - side / 2, columns - side / 2) < 0.4 * side
    pattern = np.kron(generator.normal(size=(12, 12)), np.ones((side // 12, side // 12)))
    grey = np.clip(60 + disc * (80 + 30 * pattern), 0, 255)
    return np.repeat(grey[:, :, None], 3, 2).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty photographs of different parts, all right."""
    root = tmp_path / "part"
    root.mkdir()
    for index in range(30):
        Image.fromarray(part(index)).save(root / f"{index:02d}.png")
    return root


def found(folder: Path) -> dict[str, list[str]]:
    """Photographs by the kind of finding."""
    checked = flawspot.check(folder, progress=False)
    names = checked.names()
    return {f.kind: [names[row] for row in f.rows] for f in checked.findings if f.kind != "few"}


def test_nothing_is_odd(folder: Path) -> None:
    checked = flawspot.check(folder, progress=False)
    assert (len(checked.images), checked.parts, checked.problems) == (30, 30, 0)
    assert [finding.kind for finding in checked.findings] == ["few"]
    assert "photograph 99" in checked.lines()[0]
    assert flawspot.check(folder, false_alarm_rate=0.04, progress=False).findings == ()


def test_a_grey_part_with_coloured_specks_is_not_called_grey(folder: Path) -> None:
    """Nor coloured: specks of different size lie on both sides of any limit for the whole photograph."""

    def speck(index: int, side: int) -> None:
        pixels = part(index)
        pixels[40 : 40 + side, 40 : 40 + side] = (200, 40, 40)
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")

    for index in range(30):
        speck(index, 24 if index < 20 else 7)  # 6 % of the pixels, and 0.5 %
    assert "colour" not in found(folder)
    Image.fromarray(part(29)).save(folder / "29.png")
    assert found(folder)["colour"] == ["29.png"]


ODD: dict[str, Callable[[Pixels], Image.Image]] = {
    "blank": lambda pixels: Image.fromarray(np.full_like(pixels, 60)),
    "blurred": lambda pixels: Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(5)),
    "light": lambda pixels: Image.fromarray((pixels // 4).astype(np.uint8)),
    "clipped": lambda pixels: Image.fromarray(np.clip(pixels.astype(int) * 3, 0, 255).astype(np.uint8)),
    "aspect ratio": lambda pixels: Image.fromarray(pixels[:48]),
    "size": lambda pixels: Image.fromarray(pixels).resize((192, 192), Image.Resampling.NEAREST),
    "depth": lambda pixels: Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257),
    "colour": lambda pixels: Image.fromarray(np.clip(pixels * np.array([1.0, 0.7, 0.4]), 0, 255).astype(np.uint8)),
}


@pytest.mark.parametrize("kind", ODD)
def test_one_odd_photograph_is_named(folder: Path, kind: str) -> None:
    ODD[kind](part(99)).save(folder / "odd.png")
    assert found(folder)[kind] == ["odd.png"]


def test_copies_and_frames(folder: Path) -> None:
    Image.fromarray(part(3)).save(folder / "03 again.png")
    Image.fromarray(part(0)).save(folder / "99.png")
    noise = np.random.default_rng(0).normal(0, 2, (96, 96, 3))
    Image.fromarray(np.clip(part(7) + noise, 0, 255).astype(np.uint8)).save(folder / "77.png")
    kinds = found(folder)
    assert kinds["frozen"] == ["03.png"]  # sorted behind its copy
    assert kinds["identical"] == ["99.png"]
    assert kinds["near-duplicate"] == ["77.png"]
    assert flawspot.check(folder, progress=False).parts == 30


def test_parts_that_are_all_alike_stay_different_parts(tmp_path: Path) -> None:
    """A turned part that lies a pixel to the left or right, and noise: nothing else differs."""
    generator = np.random.default_rng(0)
    for index in range(12):
        moved = np.roll(part(0), (0, 0, 0, 0, 0, 0, 3, 3, -3, -3, 6, 6)[index], axis=1)
        noisy = np.clip(moved + generator.normal(0, 2, moved.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(tmp_path / f"{index}.png")
    assert flawspot.check(tmp_path, progress=False).parts == 12
    Image.fromarray(noisy).save(tmp_path / "copy.png")
    assert flawspot.check(tmp_path, progress=False).parts == 12


@pytest.mark.parametrize(("bits", "told"), [(10, True), (12, True), (14, True), (16, False)])
def test_a_range_that_is_not_used(tmp_path: Path, bits: int, told: bool) -> None:
    for index in range(6):
        grey = part(index)[:, :, 0].astype(np.uint32) * (2**bits - 1) // 255
        grey[0, 0] = 2**bits - 1
        Image.fromarray(grey.astype(np.uint16)).save(tmp_path / f"{index}.tif")
    checked = flawspot.check(tmp_path, progress=False)
    lines = [f.text for f in checked.findings if f.kind == "range"]
    assert {f.kind for f in checked.findings} <= {"range", "few"}
    assert checked.parts == 6
    assert bool(lines) == told
    assert not told or f"a camera of {bits} bits" in lines[0]


def test_near_duplicates_are_looked_for_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which takes longest among thousands."""
    calls: list[int] = []
    real = findings.near_duplicates
    monkeypatch.setattr(findings, "near_duplicates", lambda given: (calls.append(len(given)), real(given))[1])
    flawspot.check(folder, progress=False)
    assert calls == [30]


def test_unreadable_ones_are_a_problem(folder: Path) -> None:
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    checked = flawspot.check(folder, progress=False)
    assert checked.problems == 1
    assert "broken.png" in checked.lines()[0]
    assert checked.as_dict()["unreadable"] == ["broken.png"]


def test_the_page_needs_no_network_and_shows_names_as_they_are(folder: Path, tmp_path: Path) -> None:
    Image.fromarray(np.full((96, 96, 3), 60, np.uint8)).save(folder / "<b>x&.png")
    page = tmp_path / "page.html"
    write_page(flawspot.check(folder, progress=False), page)
    text = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;x&amp;.png" in text
    assert "<b>x" not in text
    assert "http" not in text
    assert text.count("data:image/jpeg;base64,") > 8


def test_a_folder_of_test_photographs_alone_is_told_from_an_empty_one(folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "good")
    (tmp_path / "line" / "test").mkdir(parents=True)
    (tmp_path / "good").rename(tmp_path / "line" / "test" / "good")
    with pytest.raises(DataError, match=r"those of test/good are for testing; to learn from them give .*good"):
        flawspot.check(tmp_path / "line", progress=False)
    assert len(flawspot.check(tmp_path / "line" / "test" / "good", progress=False).images) == 30


def test_what_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        flawspot.check(tmp_path / "none", progress=False)
    (tmp_path / "x.png").write_bytes(b"x")
    with pytest.raises(DataError, match="none of the 1 photographs"):
        flawspot.check(tmp_path, progress=False)
    with pytest.raises(ConfigurationError, match="false-alarm rate"):
        flawspot.check(tmp_path, false_alarm_rate=1, progress=False)
