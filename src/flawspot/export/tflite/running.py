"""Runs the written TensorFlow Lite file in TFLite-Micro's interpreter."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ExportError
from flawspot.export.form import Form
from flawspot.export.tensors import Quantization
from flawspot.export.tflite.writer import TfliteFile

_FIRST, _LAST = 1 << 24, 1 << 32
"""Sizes in bytes of the arenas that are tried, each twice the one before. The first must hold everything but the
tensors: TFLite-Micro crashes if there is no memory for its data about operators."""
_TOTAL = re.compile(rb"Arena allocation total (\d+) bytes")
_STEP, _STEPS = 16, 64
"""Steps in bytes, and their number, by which an arena may be smaller than recorded."""


class Interpreted:
    """A detector running in TFLite-Micro.

    Args:
        data: the file.
        pieces: the same detector, cut at each tensor of whole numbers; None where there are none.
        form: what both were written from.

    Raises:
        ExportError: TFLite-Micro rejects the file.
    """

    def __init__(self, data: bytes, pieces: TfliteFile | None, form: Form) -> None:
        self._interpreter, _ = _fitting(data)
        self._pieces, self._form = pieces, form
        self._traced: Any = None

    def run(self, photographs: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(N, S, S, 3) -> maps (N, S, S), scores (N,)."""
        maps, scores = [], []
        for photograph in photographs:
            self._interpreter.set_input(np.ascontiguousarray(photograph[None]), 0)
            _invoke(self._interpreter)
            maps.append(np.array(self._interpreter.get_output(0), np.float32)[0])
            scores.append(np.array(self._interpreter.get_output(1), np.float32).ravel()[0])
        return np.stack(maps), np.array(scores, np.float32)

    def trace(self, photograph: NDArray[np.uint8], expected: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """For each operation that gives whole numbers, its place in the form and its tensor, unsigned.

        Args:
            photograph: (S, S, 3).
            expected: for each of them, the values that readers of its tensor get instead.
        """
        if self._pieces is None:
            return
        if self._traced is None:
            self._traced, _ = _fitting(self._pieces.data)
        self._traced.set_input(np.ascontiguousarray(photograph[None]), 0)
        for place, step in enumerate(self._pieces.steps):
            shape = self._traced.get_input_details(place + 1)["shape"]
            self._traced.set_input(_held(expected[step], self._quantization(step)).reshape(shape), place + 1)
        _invoke(self._traced)
        for place, step in enumerate(self._pieces.steps):
            yield step, _codes(np.asarray(self._traced.get_output(place)), self._quantization(step))

    def _quantization(self, step: int) -> Quantization:
        quantization = self._form.operations[step].y.quantization
        assert quantization is not None
        return quantization


def _held(codes: bytes, quantization: Quantization) -> NDArray[Any]:
    """As `tflite_layers.held`."""
    if quantization.bits == 8:
        return (np.frombuffer(codes, np.uint8).astype(np.int32) - 128).astype(np.int8)
    numbers = np.frombuffer(codes, np.uint16).astype(np.int64) - quantization.zero
    return (np.float32(quantization.scale) * numbers.astype(np.float32)).astype(np.float32)


def _codes(numbers: NDArray[Any], quantization: Quantization) -> bytes:
    if quantization.bits == 8:
        return (numbers.astype(np.int32) + 128).astype(np.uint8).tobytes()
    return quantization.codes(numbers).astype(np.uint16).tobytes()


def recorded_arena(data: bytes) -> int | None:
    """Bytes of memory that TFLite-Micro reports, and runs the file with, on this machine; None if it reports none.

    Pointers have 8 bytes here. With 4 bytes, somewhat less is enough.

    Raises:
        ExportError: it does not accept the file.
    """
    interpreter, _ = _fitting(data)
    interpreter.set_input(np.zeros(interpreter.get_input_details(0)["shape"], np.uint8), 0)
    _invoke(interpreter)
    with tempfile.TemporaryFile() as said:
        with _heard(said.fileno()):
            interpreter.print_allocations()
        said.seek(0)
        total = _TOTAL.search(said.read())
    if total is None:
        return None
    for step in range(_STEPS):
        arena = (-(-int(total[1]) // _STEP) + step) * _STEP
        try:
            _interpreter(data, arena)
        except ExportError:
            continue
        return arena
    return None


def _fitting(data: bytes) -> tuple[Any, int]:
    """An interpreter, and the bytes of an arena that is large enough for it."""
    arena = _FIRST
    while True:
        try:
            return _interpreter(data, arena), arena
        except ExportError:
            if arena >= _LAST:
                raise
            arena *= 2


def _interpreter(data: bytes, arena: int) -> Any:
    from tflite_micro.python.tflite_micro import runtime

    try:
        with Path(os.devnull).open("wb") as nowhere, _heard(nowhere.fileno()):  # its error output is suppressed
            return runtime.Interpreter.from_bytes(data, arena_size=arena)
    except (RuntimeError, ValueError) as error:
        raise ExportError(f"TFLite-Micro does not take the file: {error}") from None


def _invoke(interpreter: Any) -> None:
    try:
        interpreter.invoke()
    except RuntimeError as error:
        raise ExportError(f"TFLite-Micro does not run the file: {error}") from None


@contextmanager
def _heard(descriptor: int) -> Iterator[None]:
    """Redirect native code's standard error to `descriptor`."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    try:
        os.dup2(descriptor, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
