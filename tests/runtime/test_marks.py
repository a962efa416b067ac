"""Pictures that flawspot has drawn are told from photographs."""

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from flawspot.errors import ConfigurationError
from flawspot.runtime.listing import find_images, list_images
from flawspot.runtime.marks import is_marked, save_marked

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.jpeg", "a.PNG"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_is_drawn_is_known(tmp_path, name, mode):
    path = tmp_path / name
    save_marked(PICTURE.convert(mode), path)
    assert is_marked(path)
    assert Image.open(path).size == PICTURE.size


def test_another_suffix(tmp_path):
    with pytest.raises(ConfigurationError, match=r"\.png or \.jpg"):
        save_marked(PICTURE, tmp_path / "a.bmp")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".webp"])
def test_photographs_are_not(tmp_path, suffix):
    PICTURE.save(tmp_path / f"a{suffix}")
    assert not is_marked(tmp_path / f"a{suffix}")


def test_photographs_that_speak_of_flawspot_are_not(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "a photograph for flawspot")
    PICTURE.save(tmp_path / "a.png", pnginfo=text)
    PICTURE.save(tmp_path / "a.jpg", comment=b"taken for flawspot")
    (tmp_path / "text.png").write_bytes(b"tEXtSoftware\x00flawspot")
    assert not any(is_marked(path) for path in tmp_path.iterdir())


def test_no_file_a_folder_an_empty_file(tmp_path):
    (tmp_path / "empty.png").touch()
    assert not any(map(is_marked, [tmp_path / "absent.png", tmp_path, tmp_path / "empty.png"]))


def test_no_folder_gives_them_as_photographs(tmp_path):
    """Whoever looks for photographs, to learn from, to evaluate or to predict, does not get them."""
    PICTURE.save(tmp_path / "1.png")
    save_marked(PICTURE, tmp_path / "2.png")
    assert find_images(tmp_path) == [tmp_path / "1.png"]
    assert list_images(tmp_path) == [tmp_path / "1.png", tmp_path / "2.png"]
