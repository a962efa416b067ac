"""Compiles the written C with this machine's compiler, and runs it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flawspot.errors import ExportError
from flawspot.export.c.program import kernel
from flawspot.export.c.writer import CProgram

COMPILERS = ("cc", "gcc", "clang")
"""Compilers to look for, in this order, if CC names none."""
FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror")
LONGEST = 1800
"""Time limit of a program in seconds: thousands of pictures on a slow machine."""
_SAID = 300
"""Most characters of a compiler's output that are reported."""


def find_compiler() -> list[str] | None:
    """The command of the C compiler: CC, or a usual one; None if there is none.

    Raises:
        ExportError: CC names a program that does not exist.
    """
    try:
        given = shlex.split(os.environ.get("CC", ""))
    except ValueError as error:
        raise ExportError(f"CC is not a command ({error}): set it to a C compiler, or unset it") from None
    if given:
        path = shutil.which(given[0])
        if path is None:
            raise ExportError(f"CC names {given[0]}, which does not exist: set it to a C compiler, or unset it")
        return [str(Path(path).absolute()), *given[1:]]  # it is run in another folder
    return next(([name] for name in COMPILERS if shutil.which(name) is not None), None)


class CompiledC:
    """A compiled detector, made by `compiled`. It vanishes with its folder."""

    def __init__(self, folder: Path, input_size: int, runner: Sequence[str] = ()) -> None:
        self._folder, self._size, self._runner = folder, input_size, list(runner)

    def run(self, photographs: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(N, S, S, 3) -> maps (N, S, S), scores (N,).

        Raises:
            ExportError: it ends abnormally.
        """
        results = self._execute("run", photographs)
        if len(results) != 4 * len(photographs) * (1 + self._size**2):
            raise ExportError(f"the compiled detector has written {len(results)} bytes, which is the wrong number")
        data = np.frombuffer(results, np.float32)
        rows = data.reshape(len(photographs), 1 + self._size**2)
        return rows[:, 1:].reshape(-1, self._size, self._size).copy(), rows[:, 0].copy()

    def trace(self, photograph: NDArray[np.uint8], expected: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """For each operation, its index and its result: row by row, with the channels of a pixel together.

        Args:
            photograph: (S, S, 3).
            expected: for each operation, the result to use for later operations instead of the computed one; empty to
                use the computed ones.

        Raises:
            ExportError: as for `run`.
        """
        told = b"".join(len(each).to_bytes(4, sys.byteorder) + each for each in expected)
        (self._folder / "expected").write_bytes(told)
        data = self._execute("trace", photograph[None])
        at = 0
        while at < len(data) - 4 * (1 + self._size**2):
            step, size = np.frombuffer(data, np.int32, 2, at).tolist()
            yield step, data[at + 8 : at + 8 + size]
            at += 8 + size

    def _execute(self, program: str, photographs: NDArray[np.uint8]) -> bytes:
        given, found = self._folder / "photographs", self._folder / "results"
        given.write_bytes(np.ascontiguousarray(photographs, np.uint8).tobytes())
        command = [*self._runner, *map(str, (self._folder / program, given, found, self._folder / "expected"))]
        code, said = _run(command, self._folder)
        if code != 0:
            raise ExportError(f"the compiled detector ends with {code}: {said or 'it says nothing'}")
        try:
            return found.read_bytes()
        except OSError:
            raise ExportError("the compiled detector has written nothing: is the compiler one of C?") from None


def _run(command: Sequence[str], folder: Path) -> tuple[int, str]:
    """The exit code of a program, and its output on standard error.

    Raises:
        ExportError: it cannot be run, or does not end.
    """
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        raise ExportError(f"{command[0]} has not ended after {LONGEST} seconds") from None
    except OSError as error:
        raise ExportError(f"{command[0]} cannot be run: {error.strerror or error}") from None
    return done.returncode, " ".join(done.stderr.decode(errors="replace").split())[:_SAID]


@contextmanager
def compiled(
    program: CProgram,
    input_size: int,
    compiler: Sequence[str],
    *,
    trace: bool = False,
    flags: Sequence[str] = FLAGS,
    runner: Sequence[str] = (),
) -> Iterator[CompiledC]:
    """Compile a detector in a folder that is removed afterwards.

    Args:
        program: texts of the program.
        input_size: S.
        compiler: the command.
        trace: also compile what `CompiledC.trace` needs.
        flags: of the compiler.
        runner: program that runs binaries of the target processor; empty for this machine's processor.

    Raises:
        ExportError: the compiler rejects it, or cannot be run.
    """
    with tempfile.TemporaryDirectory(prefix="flawspot") as name:
        folder = Path(name)
        (folder / "detector.h").write_text(program.header, encoding="ascii")
        include = f'#include "{program.name}.h"'
        for file, text in (("detector.c", program.source), ("resize.c", program.resize)):
            (folder / file).write_text(text.replace(include, '#include "detector.h"', 1), encoding="ascii")
        driver = kernel("driver").replace("DETECTOR.h", "detector.h")
        (folder / "driver.c").write_text(driver, encoding="ascii")
        names = ("detector.c", "resize.c", "driver.c")
        kinds = [("run", ()), ("trace", ("-DFLAWSPOT_TRACE",))] if trace else [("run", ())]
        for output, extra in kinds:
            command = [*compiler, *flags, *extra, *names, "-o", output, "-lm"]
            code, said = _run(command, folder)
            if code != 0:
                raise ExportError(f"{compiler[0]} does not compile the C file: {said}")
            if not any((folder / name).exists() for name in (output, f"{output}.exe")):
                raise ExportError(f"{compiler[0]} has made no program: set CC to a C compiler, or unset it")
        yield CompiledC(folder, input_size, runner)


def code_bytes(program: CProgram, compiler: list[str]) -> int | None:
    """Bytes of machine code from this machine's compiler, without tables; None if ``size`` is missing here."""
    with tempfile.TemporaryDirectory(prefix="flawspot") as name:
        folder = Path(name)
        (folder / f"{program.name}.h").write_text(program.header, encoding="ascii")
        (folder / "detector.c").write_text(program.source, encoding="ascii")
        command = [*compiler, "-std=c99", "-Os", "-c", "detector.c", "-o", "detector.o"]
        try:
            subprocess.run(command, cwd=folder, capture_output=True, check=True)
            done = subprocess.run(["size", "-A", "detector.o"], cwd=folder, capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        rows = [line.split() for line in done.stdout.decode(errors="replace").splitlines()]
        return sum(int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".text")) or None
