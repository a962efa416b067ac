"""Reads films and cameras with OpenCV. It needs the extra ``flawspot[video]``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from flawspot.errors import ImageError
from flawspot.extras import missing_package
from flawspot.files import is_there
from flawspot.runtime.feed import Shot
from flawspot.runtime.listing import FILM_SUFFIXES
from flawspot.texts import visible

SCHEMES = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://", "tcp://")

_CAPTURE_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_MISSING = 2
"""How many pictures fewer than announced a film may have. The announced number is often an estimate."""


def is_video(name: str) -> bool:
    """Whether `name` is a camera's number, an address or a film. A file called ``0`` is a file."""
    if name.lower().startswith(SCHEMES):
        return True
    return (_is_camera(name) and not is_there(name)) or Path(name).suffix.lower() in FILM_SUFFIXES


def is_live(name: str) -> bool:
    """Whether `name` is a camera or an address, which are endless."""
    return _is_camera(name) or name.lower().startswith(SCHEMES)


def _is_camera(name: str) -> bool:
    return name.isdecimal() and name.isascii() and len(name) <= 3


def frames(name: str, every: int = 1) -> Iterator[Shot]:
    """Yield the pictures of a film or camera, every `every`-th one, counted from 0.

    A film that is cut off, and a camera that stops, end with a shot that says so.

    Raises:
        MissingPackageError: OpenCV is not installed.
        ImageError: it cannot be opened.
    """
    cv2 = _opencv()
    live = is_live(name)
    if not live and not Path(name).is_file():
        raise ImageError(f"cannot read {name}: there is no such file")
    with contextlib.nullcontext() if live else _local_only():
        capture = cv2.VideoCapture(int(name) if _is_camera(name) else name, cv2.CAP_ANY if live else _reader(cv2))
    try:
        if not capture.isOpened():
            what = "there is no such camera or stream" if live else "the film is damaged"
            raise ImageError(f"cannot open {name}: {what}, it is in use, or of a kind that is not read")
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # so that a camera gives the present picture, not an older one
        promised = 0 if live else int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        yield from _each(capture, name, every, promised, live)
    finally:
        capture.release()


def _each(capture: Any, name: str, every: int, promised: int, live: bool) -> Iterator[Shot]:
    stem = f"camera_{name}" if _is_camera(name) else visible(Path(name.rpartition("/")[2]).stem) or "stream"
    number = 0
    while capture.grab():
        if number % every == 0:
            there, pixels = capture.retrieve()
            # For a damaged picture it may report success without pixels.
            whole = there and pixels is not None
            source = np.ascontiguousarray(pixels[:, :, ::-1]) if whole else ImageError(f"cannot decode {name}")
            yield Shot(name, Path(f"{stem}_{number:06}.jpg"), source, number)
        number += 1
    if live or number == 0 or number < promised - _MISSING:
        said = f"{name} gives no more pictures" if live else f"{name} breaks off after {number} of {promised} pictures"
        yield Shot(name, Path(f"{stem}_{number:06}.jpg"), ImageError(said), number)


@contextlib.contextmanager
def _local_only() -> Iterator[None]:
    """Allow only files: a film may in fact be a list of addresses."""
    before = os.environ.get(_CAPTURE_OPTIONS)
    os.environ[_CAPTURE_OPTIONS] = "protocol_whitelist;file"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_CAPTURE_OPTIONS]
        else:
            os.environ[_CAPTURE_OPTIONS] = before


def _reader(cv2: Any) -> int:
    """Use only FFmpeg if it is available. For a film that FFmpeg refuses, OpenCV would try other readers, which write
    messages directly to standard error."""
    return int(cv2.CAP_FFMPEG if cv2.CAP_FFMPEG in cv2.videoio_registry.getBackends() else cv2.CAP_ANY)


def _opencv() -> Any:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "0")  # FFmpeg writes directly to standard error
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise missing_package(error, "reading a film or camera") or error from None
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2
