"""The same bits on every processor: this one, and emulated an ARM of 64 bits and a Cortex-M7."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from flawspot.export.c import program as c_program
from flawspot.export.c import writer as c_writer
from flawspot.export.c.compiling import compiled

from ..graphs import SIZE, pictures
from .test_writer import NAMES, written

BOARD = Path(__file__).parent / "cortex_m7"
CORTEX_M7 = [
    "-mcpu=cortex-m7",
    "-mthumb",
    "-mfpu=fpv5-d16",
    "-mfloat-abi=hard",
    "--specs=rdimon.specs",
    "-nostartfiles",
]
EMULATED = ["-M", "mps2-an500", "-nographic", "-monitor", "none", "-serial", "none", "-icount", "shift=0"]


def needs(*programs):
    """Skip the test where one of these is not installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")


def fingerprint(numbers):
    """FNV-1a of its bytes, as the board computes it."""
    value = 2166136261
    for byte in numbers.tobytes():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def on_cortex_m7(program, picture, folder):
    """Bits of the score, hash of the map, and thousands of instructions."""
    (folder / "detector.h").write_text(program.header)
    (folder / "detector.c").write_text(program.source.replace('"part.h"', '"detector.h"'))
    numbers = ",".join(map(str, picture.ravel().tolist()))
    (folder / "photograph.c").write_text(f"#include <stdint.h>\nconst uint8_t photograph[] = {{{numbers}}};\n")
    sources = ["detector.c", "photograph.c", str(BOARD / "main.c"), str(BOARD / "start.c")]
    strict = [
        "-std=c99",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-ffunction-sections",
        "-Wl,--gc-sections",
        "-I.",
        "-T",
        str(BOARD / "board.ld"),
    ]
    command = ["arm-none-eabi-gcc", *CORTEX_M7, *strict, *sources, "-o", "detector.elf", "-lm"]
    subprocess.run(command, cwd=folder, check=True, timeout=120)
    semihosting = ["-semihosting-config", "enable=on,target=native", "-kernel", "detector.elf"]
    command = ["qemu-system-arm", *EMULATED, *semihosting]
    done = subprocess.run(command, cwd=folder, check=True, timeout=120, capture_output=True, text=True)
    score, map_hash, instructions = done.stdout.split()
    return int(score, 16), int(map_hash, 16), int(instructions)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.grid(3)
def test_an_arm_of_64_bits_gives_the_same_bits(name, detectors, compiler):
    needs("aarch64-linux-gnu-gcc", "qemu-aarch64-static")
    _, program = written(detectors(name))
    with compiled(program, SIZE, compiler) as translation:
        maps, scores = translation.run(pictures(3))
    cross = ["aarch64-linux-gnu-gcc", "-static"]
    with compiled(program, SIZE, cross, runner=["qemu-aarch64-static"]) as translation:
        again = translation.run(pictures(3))
    np.testing.assert_array_equal(again[0].view(np.uint32), maps.view(np.uint32))
    np.testing.assert_array_equal(again[1].view(np.uint32), scores.view(np.uint32))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.grid(3)
def test_a_cortex_m7_gives_the_same_bits(name, detectors, compiler, tmp_path):
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    _, program = written(detectors(name))
    with compiled(program, SIZE, compiler) as translation:
        maps, scores = translation.run(pictures(1))
    score, map_hash, instructions = on_cortex_m7(program, pictures(1)[0], tmp_path)
    assert score == int(scores.view(np.uint32)[0])
    assert map_hash == fingerprint(maps[0])
    assert 0 < instructions < 1_000_000


def test_kernels_take_fewer_instructions_than_plain_loops(detectors, tmp_path, monkeypatch):
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    _, program = written(detectors("codes"))
    own = on_cortex_m7(program, pictures(1)[0], tmp_path)[2]

    def plain(name):
        path = Path(__file__).parent / "plain_loops" / f"{name}.c"
        return path.read_text() if path.exists() else c_program.kernel(name)

    monkeypatch.setattr(c_writer, "kernel", plain)
    _, program = written(detectors("codes"))
    assert own < on_cortex_m7(program, pictures(1)[0], tmp_path)[2]
