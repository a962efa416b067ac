"""What an artifact asks for while it runs is bounded."""

import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import flawspot
from flawspot.errors import ArtifactError, ConfigurationError, InspectionError
from flawspot.runtime.arena import MEMORY
from flawspot.runtime.artifact import assemble
from flawspot.runtime.onnx_checks import check_model
from flawspot.runtime.session import open_session

NUMBERS = 100_000_000
"""400 MB in float32."""
PHOTOGRAPH = np.zeros((16, 16, 3), np.uint8)
SIDE = 10_000
_node = helper.make_node


def constant(name: str, values: object) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values), name)


def asking(nodes, *constants: TensorProto) -> bytes:
    """A model that looks like a detector's, and whose value ``e`` is larger than it should be."""
    ends = [
        _node("ReduceMax", ["e"], ["m"], keepdims=0),
        _node("Reshape", ["m", "one"], ["score"]),
        _node("Identity", ["zero"], ["anomaly_map"]),
    ]
    graph = helper.make_graph(
        [*nodes, *ends],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [
            helper.make_tensor_value_info("anomaly_map", TensorProto.FLOAT, ["N", 8, 8]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"]),
        ],
        [constant("zero", np.zeros((1, 8, 8), np.float32)), constant("one", np.array([1], np.int64)), *constants],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()


COUNT = constant("count", np.array([NUMBERS], np.int64))
UNIT = constant("unit", np.ones(1, np.float32))
COLUMN, ROW = constant("column", np.ones((SIDE, 1), np.float32)), constant("row", np.ones((1, SIDE), np.float32))
BY_THE_PHOTOGRAPH = [_node("Shape", ["image"], ["s"], start=0, end=1), _node("Mul", ["s", "count"], ["n"])]
ASKING = {
    "Expand": asking([*BY_THE_PHOTOGRAPH, _node("Expand", ["unit", "n"], ["e"])], COUNT, UNIT),
    "Expand of constants": asking([_node("Expand", ["unit", "count"], ["e"])], COUNT, UNIT),
    "Tile": asking([*BY_THE_PHOTOGRAPH, _node("Tile", ["unit", "n"], ["e"])], COUNT, UNIT),
    "Range": asking(
        [_node("Range", ["a", "b", "c"], ["e"])],
        *(constant(name, np.float32(value)) for name, value in (("a", 0), ("b", NUMBERS), ("c", 1))),
    ),
    "broadcasting": asking([_node("Add", ["column", "row"], ["e"])], COLUMN, ROW),
    "MatMul": asking([_node("MatMul", ["column", "row"], ["e"])], COLUMN, ROW),
    "Pad": asking([_node("Pad", ["unit", "pads"], ["e"])], UNIT, constant("pads", np.array([0, NUMBERS], np.int64))),
    "Resize": asking(
        [_node("Resize", ["row", "", "scales"], ["e"], mode="linear")],
        ROW,
        constant("scales", np.array([10_000, 1], np.float32)),
    ),
}
WATCHED = """
import sys
import numpy as np
from flawspot.errors import ArtifactError, InspectionError
from flawspot.runtime.detector import load
def most():
    return [int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
load(sys.argv[1]).predict(np.zeros((16, 16, 3), np.uint8))
before = most()
for path in sys.argv[2:]:
    try:
        load(path).predict(np.zeros((16, 16, 3), np.uint8))
    except (ArtifactError, InspectionError) as error:
        assert "more than 64 MB of memory" in str(error), error
    else:
        raise SystemExit(path)
print(most() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_asks_for_much_memory_does_not_get_it(tmp_path, tiny_model, tiny_manifest, monkeypatch):
    monkeypatch.setenv(MEMORY, "64")
    paths = [tmp_path / "good.onnx", *(tmp_path / f"{name}.onnx" for name in ASKING)]
    for path, model in zip(paths, (tiny_model, *ASKING.values()), strict=True):
        assemble(model, tiny_manifest).save(path)
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 120


@pytest.mark.parametrize("name", ASKING)
def test_it_is_told_in_one_line(name, tiny_manifest, monkeypatch):
    monkeypatch.setenv(MEMORY, "64")
    with pytest.raises((ArtifactError, InspectionError), match="more than 64 MB of memory; if you trust it, set") as e:
        flawspot.load(assemble(ASKING[name], tiny_manifest)).predict(PHOTOGRAPH)
    assert "\n" not in str(e.value)


def test_each_detector_has_a_bound_of_its_own(tiny_model, tiny_manifest, monkeypatch):
    wide = assemble(ASKING["Expand"], tiny_manifest)
    monkeypatch.setenv(MEMORY, "64")
    narrow = flawspot.load(wide)
    good = flawspot.load(assemble(tiny_model, tiny_manifest))
    monkeypatch.setenv(MEMORY, "500")
    assert flawspot.load(wide).predict(PHOTOGRAPH).score == 1
    with pytest.raises(InspectionError):
        narrow.predict(PHOTOGRAPH)
    assert good.predict(PHOTOGRAPH).score == 0


def test_the_host_program_s_sessions_are_not_bounded(tiny_model, tiny_manifest, monkeypatch):
    monkeypatch.setenv(MEMORY, "64")
    detector = flawspot.load(assemble(tiny_model, tiny_manifest))
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    for session in (
        onnxruntime.InferenceSession(ASKING["Expand"], options, providers=["CPUExecutionProvider"]),
        open_session(ASKING["Expand"]),
    ):
        assert session.run(["score"], {"image": PHOTOGRAPH[None]})[0][0] == 1
    assert detector.predict(PHOTOGRAPH).score == 0


@pytest.mark.parametrize("value", ["0", "-5", "x", "1.5", "9" * 400, "\u0665"])
def test_a_bound_that_is_no_number_of_megabytes(value, tiny_model, tiny_manifest, monkeypatch):
    monkeypatch.setenv(MEMORY, value)
    with pytest.raises(ConfigurationError, match=f"{MEMORY} is .* set it to a whole number") as error:
        flawspot.load(assemble(tiny_model, tiny_manifest))
    assert len(str(error.value)) < 200


def nonzero(to: int, dimensions: int) -> bytes:
    shape = constant("shape", np.ones(dimensions, np.int64))
    nodes = [
        _node("Cast", ["zero"], ["n"], to=to),
        _node("Cast", ["n"], ["b"], to=TensorProto.BOOL),
        _node("Reshape", ["b", "shape"], ["r"]),
        _node("NonZero", ["r"], ["places"]),
        _node("Cast", ["places"], ["e"], to=TensorProto.FLOAT),
    ]
    return asking(nodes, shape)


def test_nonzero_makes_room_outside_of_the_arena_and_so_only_for_few_numbers():
    check_model(nonzero(TensorProto.INT64, 3))
    for model in (nonzero(TensorProto.INT64, 4), nonzero(TensorProto.UINT8, 1)):
        with pytest.raises(ArtifactError, match="not zero"):
            check_model(model)


def test_resizing_by_cubic_curves_is_refused():
    scales = constant("scales", np.array([10_000, 1], np.float32))
    with pytest.raises(ArtifactError, match="cubic"):
        check_model(asking([_node("Resize", ["row", "", "scales"], ["e"], mode="cubic")], ROW, scales))
