"""From names to photographs."""

from pathlib import Path

import pytest
from PIL import Image

from flawspot.errors import DataError
from flawspot.runtime.marks import save_marked
from flawspot.runtime.photographs import find_photographs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two photographs and a picture, and one with a picture alone."""
    for name in ("in/1.png", "in/sub/2.jpg", "in/drawn.png", "out/drawn.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", (9, 9))
        if path.stem == "drawn":
            save_marked(image, path)
        else:
            image.save(path)
    return tmp_path


def test_each_photograph_once_with_its_place(folder):
    names = [folder / "in", folder / "in" / "1.png", f"{folder}/in/*/*.jpg", folder / "missing.png"]
    photographs = find_photographs([str(name) for name in names])
    assert dict(photographs.found) == {
        folder / "in" / "1.png": Path("1.png"),
        folder / "in" / "sub" / "2.jpg": Path("sub/2.jpg"),
        folder / "missing.png": Path("missing.png"),
    }
    assert photographs.drawn == 1


def test_pictures_are_passed_over_in_folders_and_patterns(folder):
    photographs = find_photographs([str(folder), f"{folder}/in/*.png"])
    assert [path.name for path, _ in photographs.found] == ["1.png", "2.jpg"]
    assert photographs.drawn == 2


def test_a_picture_that_is_named_is_meant(folder):
    picture = folder / "in" / "drawn.png"
    photographs = find_photographs([str(folder / "in"), str(picture)])
    assert picture in dict(photographs.found)
    assert photographs.drawn == 0


def test_nothing_but_pictures(folder):
    for name in (f"{folder}/out", f"{folder}/out/*.png"):
        with pytest.raises(DataError, match="pictures that flawspot drew do not count"):
            find_photographs([name])


def test_nothing(tmp_path):
    with pytest.raises(DataError, match="no images in"):
        find_photographs([str(tmp_path)])
    with pytest.raises(DataError, match="no file matches"):
        find_photographs([f"{tmp_path}/*.png"])
