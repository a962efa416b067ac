"""Joules by the processor's counters."""

from pathlib import Path

import pytest

from flawspot.measuring.energy import EnergyMeter


def package(root: Path, name: str, joules: float | str) -> Path:
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    text = joules if isinstance(joules, str) else str(int(joules * 1e6))
    (folder / "energy_uj").write_text(text)
    (folder / "max_energy_range_uj").write_text(str(int(1000e6)))
    return folder


def test_packages_are_added_up_and_their_parts_are_not(tmp_path: Path) -> None:
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        package(tmp_path, name, 10)
    meter = EnergyMeter(tmp_path)
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        package(tmp_path, name, 12.5)
    assert meter.joules() == pytest.approx(5)


def test_a_counter_that_begins_anew(tmp_path: Path) -> None:
    package(tmp_path, "intel-rapl:0", 999)
    meter = EnergyMeter(tmp_path)
    package(tmp_path, "intel-rapl:0", 1)
    assert meter.joules() == pytest.approx(2)


def test_never_guessed(tmp_path: Path) -> None:
    assert EnergyMeter(tmp_path / "absent").joules() is None
    assert EnergyMeter(tmp_path).joules() is None
    package(tmp_path, "intel-rapl:0", 10)
    package(tmp_path, "intel-rapl:1", "secret")
    assert EnergyMeter(tmp_path).joules() is None
