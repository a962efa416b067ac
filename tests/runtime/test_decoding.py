"""Memory, work and messages of decoders are bounded."""

import io
import struct
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from PIL import Image

from flawspot.errors import ImageError
from flawspot.runtime import decoding
from flawspot.runtime.decoding import decode
from flawspot.runtime.images import read_image

TRUNCATED = """
import sys
from pathlib import Path
from flawspot.errors import ImageError
from flawspot.runtime.images import read_image
def taken():
    return [int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmRSS")][0]
errors = []
for path in sys.argv[1:]:
    before = taken()
    try:
        read_image(Path(path))
    except ImageError as error:
        errors.append(error)  # kept, as a report of a batch keeps them
print(taken() - before, len(errors))
"""

WATCHED = """
import sys
from pathlib import Path
from flawspot.runtime.reduced import read_photograph
from flawspot.runtime.prefetch import prefetch
def taken(name):
    return [int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith(name)][0]
def read(path):
    return read_photograph(Path(path), 224)
read(sys.argv[1])  # the libraries' own
before = taken("VmRSS")
for _, photograph in prefetch(sys.argv[2:], read):
    assert not isinstance(photograph, Exception), photograph
print(taken("VmHWM"), taken("VmRSS") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_photographs_of_a_hundred_megapixels_take_less_than_600_mb_and_keep_less_than_100(tmp_path):
    small, large, grey = (tmp_path / name for name in ("small.png", "large.jpg", "grey.png"))
    Image.new("RGB", (64, 64)).save(small)
    Image.new("RGB", (10_000, 10_000), (90, 80, 70)).save(large, quality=40)
    Image.new("L", (10_000, 10_000), 90).save(grey, compress_level=1)
    arguments = [sys.executable, "-c", WATCHED, *map(str, [small, large, grey, large, large])]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    peak, kept = map(int, done.stdout.split())
    assert peak < 600 * 1e6 / 2**20
    assert kept < 100


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_damaged_photograph_of_a_hundred_megapixels_keeps_nothing(tmp_path):
    paths = [tmp_path / "small.png", tmp_path / "large.png"]
    for path, side in zip(paths, (100, 10_000), strict=True):
        Image.new("L", (side, side), 90).save(path, compress_level=1)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
    arguments = [sys.executable, "-c", TRUNCATED, *map(str, paths)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    kept, errors = map(int, done.stdout.split())
    assert kept < 30
    assert errors == 2


def test_what_pillow_logs_stays_off_the_terminal(tmp_path):
    out = io.BytesIO()
    Image.new("RGB", (9, 9)).save(out, "TIFF")
    data = bytearray(out.getvalue())
    start = struct.unpack_from("<I", data, 4)[0]
    places = range(start + 2, start + 2 + 12 * struct.unpack_from("<H", data, start)[0], 12)
    samples = next(place for place in places if struct.unpack_from("<H", data, place)[0] == 277)
    struct.pack_into("<H", data, samples + 8, 32_771)
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    read = "import sys, pathlib, flawspot.runtime.images as i; i.read_image(pathlib.Path(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", read, str(path)], capture_output=True, text=True, check=False)
    assert "ImageError" in done.stderr
    assert "\nMore samples" not in "\n" + done.stderr


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.jpg", {"progressive": True}), ("a.webp", {"lossless": True}), ("a.tif", {"compression": "tiff_lzw"})],
)
def test_what_a_decoder_needs_beside_the_pixels_counts(tmp_path, name, options):
    path = tmp_path / name
    image = Image.new("RGB", (300, 200))
    image.save(path, **options)
    with pytest.raises(ImageError, match="save it as PNG or baseline JPEG"):
        read_image(path, max_pixels=300 * 200)
    image.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", max_pixels=300 * 200).shape == (200, 300, 3)


def test_threads_wait_for_each_other_s_memory(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (100, 100)).save(path)
    inside, most = [], []

    def convert(image: Image.Image) -> None:
        inside.append(image)
        most.append(len(inside))
        time.sleep(0.05)
        inside.pop()

    threads = [threading.Thread(target=decode, args=(path, convert, 100 * 100, 10**6)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


def test_memory_is_given_back_after_an_error(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (100, 100)).save(path)
    for _ in range(3):
        with pytest.raises(ImageError):
            decode(path, lambda image: 1 / 0, 100 * 100, 10**6)
    assert decoding._memory._taken == 0


def test_libtiff_says_nothing_to_the_terminal(tmp_path, capfd):
    out = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 2, (200, 300)).astype(bool)
    Image.fromarray(noise).save(out, "TIFF", compression="group4")
    generator = np.random.default_rng(1)
    path = tmp_path / "a.tif"
    for _ in range(20):
        data = bytearray(out.getvalue())
        for place in generator.integers(200, len(data), 5):
            data[place] ^= 255
        path.write_bytes(data)
        try:
            read_image(path)
        except ImageError as error:
            assert "\n" not in str(error)
    assert capfd.readouterr().err == ""


def test_a_progressive_jpeg_of_two_thousand_scans_is_refused_at_once(tmp_path):
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(
        out, "JPEG", progressive=True
    )
    data = bytearray(out.getvalue())
    start = data.find(b"\xff\xc2")
    data[start + 5 : start + 9] = struct.pack(">HH", 6000, 6000)
    scan = bytes(data[data.rfind(b"\xff\xda") : -2])
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes(data[:-2]) + scan[:14] * 2000 + b"\xff\xd9")
    begin = time.process_time()
    with pytest.raises(ImageError, match="scans"):
        read_image(path)
    assert time.process_time() - begin < 2


def test_pillow_s_warnings_reach_nobody_and_the_host_s_filters_stay(tmp_path):
    out = io.BytesIO()
    Image.new("RGB", (9, 9)).save(out, "JPEG")
    tags = b"".join(struct.pack("<HHII", 1000 + index, 7, 5000, 8) for index in range(3))
    exif = b"Exif\0\0II*\0\x08\0\0\0\x03\0" + tags + bytes(5)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    path = tmp_path / "a.jpg"
    path.write_bytes(out.getvalue()[:2] + segment + out.getvalue()[2:])
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        Image.open(path).getexif()
        assert found, "Pillow no longer warns of this file"
        found.clear()
        before = list(warnings.filters)
        threads = [threading.Thread(target=read_image, args=(path,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not found
        assert warnings.filters == before
