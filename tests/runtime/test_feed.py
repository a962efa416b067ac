"""Names in a list, and folders that grow."""

import os
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from flawspot.runtime.feed import listed, watched
from flawspot.runtime.pictures import PictureNames


def test_names_a_line_each():
    shots = list(listed([b"a.png\n", b"\n", b"sub/b c.jpg\r\n", b"caf\xe9.png"]))
    assert [shot.source for shot in shots] == [Path("a.png"), Path("sub/b c.jpg"), Path(os.fsdecode(b"caf\xe9.png"))]
    assert [shot.relative.name for shot in shots] == ["a.png", "b c.jpg", os.fsdecode(b"caf\xe9.png")]


def test_names_are_taken_as_they_come():
    def slow():
        yield b"a.png\n"
        raise AssertionError("asked too early")

    assert next(listed(slow())).name == "a.png"


@pytest.fixture
def folder(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "old.png")
    return tmp_path


def test_a_folder_that_grows(folder):
    shots = watched([folder], [folder / "old.png"], poll=0.02)
    (folder / "sub").mkdir()
    Image.new("RGB", (4, 4)).save(folder / "sub" / "new.png")
    first = next(shots)
    assert (first.source, first.relative) == (folder / "sub" / "new.png", Path("sub/new.png"))
    time.sleep(0.02)
    Image.new("RGB", (5, 5)).save(folder / "old.png")  # a camera that writes the same name again and again
    assert next(shots).source == folder / "old.png"


def test_a_file_is_taken_when_it_is_whole(folder):
    path = folder / "growing.jpg"

    def write():
        with path.open("wb") as file:
            for _ in range(15):
                file.write(b"x" * 100)
                file.flush()
                time.sleep(0.03)

    writer = threading.Thread(target=write)
    writer.start()
    assert next(watched([folder], [folder / "old.png"], poll=0.15)).source == path
    assert path.stat().st_size == 1500
    writer.join()


def test_long_names_leave_room_for_a_suffix(tmp_path):
    names = PictureNames(tmp_path, ".jpg")
    long = "ä" * 120 + ".bmp"
    first, second = names.of(Path(long)), names.of(Path(long))
    assert first != second
    for path in (first, second):
        path.write_bytes(b"")
        assert path.name.startswith("ä" * 100)
