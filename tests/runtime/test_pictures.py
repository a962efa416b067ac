"""Where pictures are written."""

from pathlib import Path

from PIL import Image

from flawspot.runtime.pictures import picture_paths, write_picture

PICTURE = Image.new("RGB", (9, 9))


def test_a_picture_takes_the_name_of_its_photograph(tmp_path):
    found = [(Path("in/a.jpg"), Path("a.jpg")), (Path("in/sub/a.jpg"), Path("sub/a.jpg"))]
    assert picture_paths(found, tmp_path) == {
        Path("in/a.jpg"): tmp_path / "a.png",
        Path("in/sub/a.jpg"): tmp_path / "sub" / "a.png",
    }


def test_two_of_a_name_get_numbers(tmp_path):
    found = [(Path("in/a.jpg"), Path("a.jpg")), (Path("in/a.png"), Path("a.png"))]
    assert [path.name for path in picture_paths(found, tmp_path).values()] == ["a.png", "a_2.png"]


def test_no_other_file_is_replaced_but_pictures_of_an_earlier_run(tmp_path):
    PICTURE.save(tmp_path / "a.png")  # not among those that are predicted
    write_picture(tmp_path / "b.png", PICTURE)
    found = [(Path("in/a.jpg"), Path("a.jpg")), (Path("in/b.jpg"), Path("b.jpg"))]
    assert [path.name for path in picture_paths(found, tmp_path).values()] == ["a_2.png", "b.png"]
