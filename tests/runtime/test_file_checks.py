"""What is refused for its structure, before a decoder works on it; and that ordinary files pass."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from flawspot.errors import ImageError
from flawspot.runtime import file_checks, tiff_checks
from flawspot.runtime.file_checks import check_bmp, check_jpeg, check_png, check_ppm, check_webp
from flawspot.runtime.tiff_checks import check_tiff

RGB = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 56, 3), dtype=np.uint8))


@pytest.fixture
def file(tmp_path):
    """Puts bytes into a real file: the checks ask the system for its size."""
    opened = []

    def put(data: bytes):
        path = tmp_path / "photograph"
        path.write_bytes(data)
        opened.append(path.open("rb"))
        return opened[-1]

    yield put
    for each in opened:
        each.close()


def saved(format_: str, image: Image.Image = RGB, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def chunk(name: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def scans(count: int) -> bytes:
    """A progressive JPEG with its last scan `count` times."""
    data = saved("JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + b"\xff\xd9"


EXIF_SEGMENT = b"\xff\xe1\x75\x30Exif\0\0" + bytes(30_000 - 8)

ORDINARY = {
    "jpeg": (check_jpeg, saved("JPEG")),
    "jpeg with exif": (check_jpeg, b"\xff\xd8" + EXIF_SEGMENT * 2 + saved("JPEG")[2:]),
    "jpeg with a profile": (check_jpeg, saved("JPEG", icc_profile=b"y" * 200_000)),
    "jpeg with restarts": (check_jpeg, saved("JPEG", restart_marker_blocks=1)),
    "progressive": (check_jpeg, saved("JPEG", progressive=True)),
    "png": (check_png, saved("PNG")),
    "apng": (check_png, saved("PNG", save_all=True, append_images=[RGB.rotate(90)])),
    "webp": (check_webp, saved("WEBP")),
    "animated webp": (check_webp, saved("WEBP", save_all=True, append_images=[RGB.rotate(9)] * 4)),
    "bmp": (check_bmp, saved("BMP")),
    "tiff": (check_tiff, saved("TIFF")),
    "big tiff": (check_tiff, saved("TIFF", big_tiff=True)),
    "tiff in strips": (check_tiff, saved("TIFF", tiffinfo={278: 1}, compression="tiff_lzw")),
    "ppm": (check_ppm, saved("PPM")),
    "plain ppm": (check_ppm, b"P3 2 1 9\n1 2 3 4 5 6\n"),
    "nothing": (check_jpeg, b"\xff\xd8\xff"),
    "a stub of a tiff": (check_tiff, b"II*\0\x08\0\0\0"),
    "a stub of a bmp": (check_bmp, b"BM"),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_files_pass(name, file):
    check, data = ORDINARY[name]
    check(file(data))
    for length in range(0, len(data), max(len(data) // 50, 1)):  # cut off anywhere: the decoder will tell
        try:
            check(file(data[:length]))
        except ImageError:
            assert check in (check_ppm, check_tiff)


def test_jpegs_whose_coefficients_are_kept(file):
    """Progressive ones, and baseline ones whose colours come in scans of their own."""
    assert not check_jpeg(file(saved("JPEG")))
    assert not check_jpeg(file(saved("JPEG", RGB.convert("L"))))
    assert check_jpeg(file(saved("JPEG", progressive=True)))
    data = bytearray(saved("JPEG"))
    data[data.find(b"\xff\xda") + 4] = 1  # the first scan holds one component of three
    assert check_jpeg(file(bytes(data)))


@pytest.mark.parametrize("filling", [b"\xff\x00\x00\x00", b"\x00\x00\x00", b"\xff\xff\xff", b"\xff\xd0", b"\xff\x01"])
def test_what_the_decoder_passes_over_hides_nothing(filling, file):
    """Found by `make fuzz`: libjpeg looks for the next marker behind bytes that are none."""
    data = saved("JPEG", progressive=True)
    assert check_jpeg(file(data[:2] + filling + data[2:]))
    with pytest.raises(ImageError, match="more than 5000 segments"):
        check_jpeg(file(data[:2] + b"\xff\xd0" * 10_000 + data[2:]))


@pytest.mark.parametrize("block", [7, 1 << 20])
def test_scans_are_counted_through_the_coded_pixels(file, block, monkeypatch):
    check_jpeg(file(scans(80)))
    with pytest.raises(ImageError, match="more than 100 scans"):
        check_jpeg(file(scans(2000)))


def tiff(*tags: tuple[int, int, int, int]) -> bytes:
    return (
        b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *t) for t in tags) + bytes(4)
    )


PNG = saved("PNG")
HOSTILE = {
    "segments": (check_jpeg, b"\xff\xd8" + b"\xff\xe5\0\2" * 6000 + b"\xff\xd9", "segments"),
    "png chunks": (check_png, PNG[:33] + chunk(b"abCd") * 2000 + PNG[33:], "too many chunks"),
    "png of empty pixels": (check_png, PNG[:33] + chunk(b"IDAT") * 200_000, "too many chunks"),
    "a long png chunk": (check_png, PNG[:33] + chunk(b"tEXt", b"a\0" + bytes(33 << 20)), "not pixels"),
    "long png chunks": (check_png, PNG[:33] + chunk(b"abCd", bytes(10 << 20)) * 4, "not pixels"),
    "long segments": (check_jpeg, b"\xff\xd8" + (b"\xff\xe5\xff\xff" + bytes(65_533)) * 600, "not pixels"),
    "png with much exif": (check_png, PNG[:33] + chunk(b"eXIf", bytes(70_000)), "EXIF"),
    "webp with much exif": (check_webp, b"RIFF\0\0\0\0WEBPEXIF" + struct.pack("<I", 70_000), "EXIF"),
    "jpeg with exif in pieces": (check_jpeg, b"\xff\xd8" + EXIF_SEGMENT * 3, "EXIF"),
    "a long webp": (check_webp, b"RIFF\0\0\0\0WEBP" + bytes(65 << 20), "more than 67,108,864 bytes"),
    "webp chunks": (check_webp, b"RIFF\0\0\0\0WEBP" + b"abcd\0\0\0\0" * 2000, "too many chunks"),
    "tags": (check_tiff, tiff(*[(300 + i, 1, 0xFFFFFFF0, 8) for i in range(1500)]), "1,500 tags"),
    "a long tag": (check_tiff, tiff((300, 1, 0xFFFFFFF0, 8)), "tag 300"),
    "tags of the same bytes": (check_tiff, tiff(*[(300 + i, 1, 1 << 20, 8) for i in range(20)]), "tags of the TIFF"),
    "strips": (check_tiff, tiff((256, 4, 1, 100), (273, 4, 20_000_000, 200)), "20,000,000 strips"),
    "tiles": (check_tiff, tiff((322, 4, 1, 1), (324, 4, 5_000_000, 400)), "5,000,000 tiles"),
    "a huge tile": (check_tiff, tiff((322, 4, 1, 2**31 - 16), (323, 4, 1, 2**31 - 16)), "tiles of"),
    "tall tiles": (
        check_tiff,
        tiff((256, 4, 1, 10_000), (257, 4, 1, 10_000), (322, 4, 1, 16), (323, 4, 1, 1 << 20), (324, 4, 625, 400)),
        "tiles of",
    ),
    "strips on top of each other": (
        check_tiff,
        tiff((279, 4, 200, 18)) + struct.pack("<I", 1000) * 200,
        "more bytes than the file",
    ),
    "fractions": (check_tiff, tiff((274, 5, 2000, 8)), "fractions"),
    "run lengths of nothing": (
        check_bmp,
        b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 100, 100, 1, 8, 1) + bytes(1 << 20),
        "run-length",
    ),
    "run lengths": (check_bmp, b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 10000, -10000, 1, 8, 1), "run-length"),
    "text": (check_ppm, b"P3 4000 3000 255\n" + b"0 " * 100, "as text"),
    "comments": (check_ppm, b"P2 9 9 255\n" + b"#a\n" * 3000 + b"0 " * 81, "more text"),
    "spaces": (check_ppm, b"P2 9 9 255\n" + b" " * 100_000 + b"0 " * 81, "more text"),
    "a long comment": (check_ppm, b"P6 #" + b"x" * 200_000, "header"),
    "a long number": (check_ppm, b"P6 " + b"1" * 200_000, "header"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_camera_writes_is_refused_at_once(name, file):
    check, data, message = HOSTILE[name]
    opened = file(data)
    begin = time.process_time()
    with pytest.raises(ImageError, match=message):
        check(opened)
    assert time.process_time() - begin < 2


def test_every_limit_has_room_for_photographs():
    """A hundred megapixels in chunks of 8 KiB, a row to a strip, a colour profile of 16 MB."""
    assert file_checks.MAX_CHUNKS > 3 * 100_000_000 / 8192
    assert tiff_checks.MAX_PIECES >= 65_535
    assert file_checks.MAX_SEGMENTS > 3 * 255
