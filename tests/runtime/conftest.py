"""Photographs in memory and in files, and the pieces of a PNG."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image


@pytest.fixture
def photograph() -> np.ndarray:
    """(40, 30, 3) uint8 with every pixel another colour."""
    return np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)


@pytest.fixture
def session_entries(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is told to ONNX Runtime's sessions from now on, name and value."""
    said: list[tuple[str, str]] = []
    options = onnxruntime.SessionOptions

    class Watched(options):
        def add_session_config_entry(self, name: str, value: str) -> None:
            said.append((name, value))
            super().add_session_config_entry(name, value)

    monkeypatch.setattr(onnxruntime, "SessionOptions", Watched)
    return said


@pytest.fixture(scope="session")
def save() -> Callable[..., Path]:
    """``save(image, path, **options)``: write an array or a Pillow image."""

    def write(image: Image.Image | np.ndarray, path: Path, **options: Any) -> Path:
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
        return path

    return write


@pytest.fixture(scope="session")
def png_chunk() -> Callable[[bytes, bytes], bytes]:
    """``png_chunk(kind, data)``: one chunk with its length and checksum."""
    return _chunk


@pytest.fixture(scope="session")
def png_header() -> Callable[..., bytes]:
    """``png_header(width, height, bits, colour)``: the beginning of a PNG."""

    def header(width: int, height: int, bits: int = 8, colour: int = 0) -> bytes:
        return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))

    return header


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
