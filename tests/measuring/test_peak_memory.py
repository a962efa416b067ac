"""The peak of this process's memory."""

import subprocess
import sys

import pytest

from flawspot.measuring.peak_memory import peak_resident_bytes


def test_the_peak_grows_with_what_is_touched_and_stays() -> None:
    code = (
        "from flawspot.measuring.peak_memory import peak_resident_bytes as peak\n"
        "before = peak(); block = bytearray(b'x') * 80_000_000; during = peak(); del block\n"
        "print(before, during, peak())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, during, after = map(int, done.stdout.split())
    assert 75e6 < during - before < 100e6
    assert after > during - 1e6  # Linux counts in batches of pages


def test_this_process_has_a_peak() -> None:
    peak = peak_resident_bytes()
    assert peak is None or peak > 20e6


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux begins anew")
def test_a_peak_can_be_forgotten() -> None:
    code = (
        "from flawspot.measuring.peak_memory import forget_peak, peak_resident_bytes as peak\n"
        "block = bytearray(b'x') * 80_000_000; del block; before = peak(); forget_peak(); print(before, peak())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before - after > 60e6
