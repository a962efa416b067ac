"""Measuring processes: what they tell, and how they fail."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from flawspot.errors import FlawspotError
from flawspot.measuring import processes as measured
from flawspot.measuring.energy import EnergyMeter
from flawspot.measuring.peak_memory import peak_resident_bytes
from flawspot.measuring.processes import measure_model, measure_training


@pytest.fixture
def model(tmp_path: Path, tiny_model: bytes) -> Path:
    path = tmp_path / "my model.onnx"
    path.write_bytes(tiny_model)
    return path


@pytest.fixture(autouse=True)
def few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "RUNS", 5)


def test_latency_and_memory_of_a_fresh_process(model: Path, tmp_path: Path) -> None:
    photograph = tmp_path / "a photograph.png"
    Image.new("RGB", (40, 30)).save(photograph)
    one, every = measure_model(model, input_size=32, photographs=[photograph])
    assert (one.threads, every.threads) == (1, None)
    for run in (one, every):
        assert run.runs == 5
        assert 0 < run.p50_ms <= run.p95_ms
        assert run.peak_bytes is not None
        assert run.peak_bytes_before is not None
        # The process is its own: this one, with torch, is larger.
        assert 10e6 < run.peak_bytes_before <= run.peak_bytes < 300e6
        assert run.joules is None or run.joules > 0


def test_noise_where_there_are_no_photographs(model: Path) -> None:
    (run,) = measure_model(model, input_size=32, threads=[1])
    assert run.runs == 5
    json.dumps(run.as_dict())


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"nothing")
    with pytest.raises(FlawspotError, match="measuring process failed") as caught:
        measure_model(tmp_path / "no.onnx", input_size=32, threads=[1])
    assert "\n" not in str(caught.value)


def test_a_users_mistake_in_training_is_told(tmp_path: Path) -> None:
    with pytest.raises(FlawspotError, match=r"failed: .*there is no"):
        measure_training(
            tmp_path / "nowhere", random_weights=True, settings={}, backbone="mobilenet_v2", method="padim"
        )


def test_memory_of_training(product_folder: Path) -> None:
    run = measure_training(
        product_folder,
        random_weights=True,
        settings={"channels": 10},
        backbone="micronet_m1",
        method="padim",
        input_size=32,
        layers=None,
    )
    assert run.images == 19
    assert run.seconds > 0
    assert run.peak_bytes_before is not None
    assert run.peak_bytes > run.peak_bytes_before > 50e6


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


def test_a_device_without_torch_can_measure() -> None:
    code = (
        "import sys, flawspot.costs.detector_costs\n"
        "import flawspot.measuring.prediction_process, flawspot.measuring.processes\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


class TestEnergy:
    def package(self, root: Path, name: str, joules: float | str) -> Path:
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        text = joules if isinstance(joules, str) else str(int(joules * 1e6))
        (folder / "energy_uj").write_text(text)
        (folder / "max_energy_range_uj").write_text(str(int(1000e6)))
        return folder

    def test_packages_are_added_up_and_their_parts_are_not(self, tmp_path: Path) -> None:
        for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
            self.package(tmp_path, name, 10)
        meter = EnergyMeter(tmp_path)
        for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
            self.package(tmp_path, name, 12.5)
        assert meter.joules() == pytest.approx(5)

    def test_a_counter_that_begins_anew(self, tmp_path: Path) -> None:
        self.package(tmp_path, "intel-rapl:0", 999)
        meter = EnergyMeter(tmp_path)
        self.package(tmp_path, "intel-rapl:0", 1)
        assert meter.joules() == pytest.approx(2)

    def test_never_guessed(self, tmp_path: Path) -> None:
        assert EnergyMeter(tmp_path / "absent").joules() is None
        assert EnergyMeter(tmp_path).joules() is None
        self.package(tmp_path, "intel-rapl:0", 10)
        self.package(tmp_path, "intel-rapl:1", "secret")
        assert EnergyMeter(tmp_path).joules() is None
