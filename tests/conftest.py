"""What many tests need: random backbones, feature sets, little photographs, and the real ones where they are."""

from __future__ import annotations

import collections
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REAL_DATA = "FLAWSPOT_TEST_DATA"
REQUIRE = "FLAWSPOT_REQUIRE_TEST_DATA"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the later cases of a grid as slow. Put files with slow tests first, or a worker is left alone with one."""
    seen: collections.Counter[str] = collections.Counter()
    for item in items:
        grid = item.get_closest_marker("grid")
        if grid is not None:
            function = item.nodeid.partition("[")[0]
            seen[function] += 1
            if seen[function] > grid.args[0]:
                item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real photographs; the test is skipped where it is absent, but never in CI."""
    folder = os.environ.get(REAL_DATA)
    if folder and Path(folder).is_dir():
        return Path(folder)
    if os.environ.get(REQUIRE):
        pytest.fail(f"{REQUIRE} is set, but {REAL_DATA} names no folder of photographs")
    pytest.skip(f"{REAL_DATA} names no folder with mvtec_ad/bottle and magnetic_tile")


@pytest.fixture(scope="session")
def browser():
    """A Chromium; the test is skipped where there is none."""
    from flawspot.export.web.browser import find_browser

    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    command = find_browser()
    if command is None:
        pytest.skip("there is no Chromium")
    with api.sync_playwright() as playwright:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        found = playwright.chromium.launch(executable_path=command[0], args=["--no-sandbox"] if root else [])
        yield found
        found.close()


def photograph(seed: int, *, size: int = 64, defect: bool = False) -> np.ndarray:
    """A small round part on a dark ground, (size, size, 3) uint8, with a bright spot if defective."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - 0.5
    part = (np.hypot(x + generator.normal(0, 0.01), y) < 0.35).astype(float)
    image = 40 + 120 * part + 15 * np.sin(30 * x) * part + generator.normal(0, 4, (size, size))
    if defect:
        image[size // 2 : size // 2 + size // 6, size // 3 : size // 3 + size // 6] = 250
    return np.repeat(np.clip(image, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


@pytest.fixture(scope="session")
def product_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product in the MVTec layout: 24 good parts to learn from, 4 good and 4 defective ones with masks to test on.

    The folder's name has a space in it, as on many a production machine.
    """
    root = tmp_path_factory.mktemp("photographs of") / "small part"
    mask = np.zeros((64, 64), np.uint8)
    mask[32:42, 21:31] = 255

    def save(array: np.ndarray, *names: str) -> None:
        path = root.joinpath(*names)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)

    for index in range(24):
        save(photograph(index), "train", "good", f"{index:03}.png")
    for index in range(4):
        save(photograph(100 + index), "test", "good", f"{index:03}.png")
        save(photograph(200 + index, defect=True), "test", "spot", f"{index:03}.png")
        save(mask, "ground_truth", "spot", f"{index:03}_mask.png")
    return root


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch on one thread, for tests so small that more only get in each other's way."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_model() -> bytes:
    """`make_tiny_model`."""
    return make_tiny_model()


def make_tiny_model() -> bytes:
    """An ONNX model that keeps the artifact's contract: the map is the red channel of the first 8 x 8 pixels."""
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, values: list[int]) -> object:
        return numpy_helper.from_array(np.array(values, np.int64), name)

    nodes = [
        helper.make_node("Slice", ["image", "begin", "end", "axes"], ["corner"]),
        helper.make_node("Cast", ["corner"], ["as_float"], to=TensorProto.FLOAT),
        helper.make_node("Squeeze", ["as_float", "channel"], ["anomaly_map"]),
        helper.make_node("ReduceMax", ["anomaly_map", "pixels"], ["score"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [
            helper.make_tensor_value_info("anomaly_map", TensorProto.FLOAT, ["N", 8, 8]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"]),
        ],
        [
            constant("begin", [0, 0, 0]),
            constant("end", [8, 8, 1]),
            constant("axes", [1, 2, 3]),
            constant("channel", [3]),
            constant("pixels", [1, 2]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    data: bytes = model.SerializeToString()
    return data


@pytest.fixture(scope="session")
def tiny_manifest() -> object:
    """`make_tiny_manifest`."""
    return make_tiny_manifest()


def make_tiny_manifest() -> object:
    """A manifest to go with `make_tiny_model`; scores are grey levels, above 100 is anomalous."""
    from flawspot.runtime.manifest import BackboneInfo, CalibrationInfo, Manifest, Part, TrainingInfo

    return Manifest(
        product="a part",
        method="paste",
        hyperparameters={"share": "auto", "epochs": 3, "rate": 0.4, "ratio": None, "flag": True},
        seed=7,
        input_size=8,
        backbone=BackboneInfo("mobilenet_v2", "paste", (7, 10, 14), "w", "ab", (0.5, 0.5, 0.5), (0.2, 0.2, 0.2)),
        training=TrainingInfo("f" * 64, 10, 2, 4, ("broken.png",), {"fitting": 1.5}, 3),
        calibration=CalibrationInfo(0.2, 0.2, 100.0, (70.0, 80.0, 90.0, 100.0)),
        parts=(Part("backbone", 10, 20),),
        versions={"flawspot": "0.1.0"},
        created="2026-01-01T00:00:00+00:00",
    )
