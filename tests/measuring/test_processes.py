"""Measuring processes: what they tell, and how they fail."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from flawspot.errors import FlawspotError
from flawspot.measuring import processes as measured
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
    one, every = measure_model(model, view=32, photographs=[photograph])
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
    (run,) = measure_model(model, view=32, threads=[1])
    assert run.runs == 5
    json.dumps(run.as_dict())


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"nothing")
    with pytest.raises(FlawspotError, match="measuring process failed") as caught:
        measure_model(tmp_path / "no.onnx", view=32, threads=[1])
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
    assert run.images == 24
    assert run.seconds > 0
    assert run.peak_bytes_before is not None
    assert run.peak_bytes > run.peak_bytes_before > 50e6


def test_a_device_without_torch_can_measure() -> None:
    code = (
        "import sys, flawspot.costs.detector_costs\n"
        "import flawspot.measuring.prediction_process, flawspot.measuring.processes\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
