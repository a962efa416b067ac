"""Films and cameras."""

import subprocess
import sys

import numpy as np
import pytest

from flawspot.errors import ImageError
from flawspot.runtime.video import frames, is_video

GREY = (0, 100, 200, 50, 150)


@pytest.fixture
def film(tmp_path):
    """Five pictures of one grey level each, 64 x 48."""
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 5, (64, 48))
    for level in GREY:
        writer.write(np.full((48, 64, 3), (level, level, 255 - level), np.uint8))
    writer.release()
    return path


def test_what_is_a_film_or_a_camera(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("0", "12", "rtsp://10.0.0.1/line", "HTTP://x/y", "film.mp4", "a/B.MKV"):
        assert is_video(name)
    for name in ("a.png", "folder", "-", "1.5", "a.gif"):
        assert not is_video(name)
    (tmp_path / "0").mkdir()
    assert not is_video("0")


@pytest.mark.parametrize("every", [1, 2, 3, 9])
def test_every_nth_picture_in_red_green_blue(film, every):
    shots = list(frames(str(film), every))
    assert [shot.frame for shot in shots] == list(range(0, 5, every))
    for shot in shots:
        level = GREY[shot.frame]
        assert shot.source.shape == (48, 64, 3)
        np.testing.assert_allclose(shot.source[20, 20].astype(int), (255 - level, level, level), atol=8)
    assert shots[0].relative.name == "film_000000.jpg"


def test_a_film_that_breaks_off_ends_with_an_error(film, monkeypatch):
    import cv2

    real = cv2.VideoCapture

    class Promising:
        """Of a file that says it has ten pictures."""

        def __init__(self, *arguments):
            self._capture = real(*arguments)

        def get(self, what):
            return 10.0 if what == cv2.CAP_PROP_FRAME_COUNT else self._capture.get(what)

        def __getattr__(self, name):
            return getattr(self._capture, name)

    monkeypatch.setattr(cv2, "VideoCapture", Promising)
    *pictures, last = frames(str(film))
    assert len(pictures) == 5
    assert "breaks off after 5 of 10 pictures" in str(last.source)


def test_what_cannot_be_opened_is_told_in_one_line(tmp_path):
    pytest.importorskip("cv2")
    with pytest.raises(ImageError, match="no such file"):
        list(frames(str(tmp_path / "missing.mp4")))
    (tmp_path / "junk.mp4").write_bytes(b"junk" * 100)
    for name in (str(tmp_path / "junk.mp4"), "97"):
        with pytest.raises(ImageError, match="cannot open") as caught:
            list(frames(name))
        assert "\n" not in str(caught.value)


DAMAGED = """
import sys
import subprocess
import sys

import numpy as np
from flawspot.errors import ImageError
from flawspot.runtime.video import frames
film, generator = open(sys.argv[1], "rb").read(), np.random.default_rng(0)
for _ in range(40):
    bad = np.frombuffer(film, np.uint8).copy()
    places = generator.integers(0, len(bad), 150)
    bad[places] = generator.integers(0, 256, len(places))
    open(sys.argv[1], "wb").write(bad.tobytes())
    try:
        for shot in frames(sys.argv[1]):
            assert isinstance(shot.source, ImageError) or shot.source.shape[2] == 3
    except ImageError as error:
        assert "the film is damaged" in str(error)
print("done")
"""


def test_libraries_say_nothing_of_damaged_films(film):
    """OpenCV's own readers, which it falls back to, complain past everything, and give pictures that are not there."""
    import cv2

    generator = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*"MJPG"), 5, (320, 240))
    for _ in range(10):
        writer.write(np.kron(generator.integers(0, 255, (15, 20, 3)), np.ones((16, 16, 1))).astype(np.uint8))
    writer.release()
    done = subprocess.run([sys.executable, "-c", DAMAGED, str(film)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("done\n", "")
