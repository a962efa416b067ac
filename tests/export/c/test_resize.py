"""The file that resizes: any size, as in the graph, but for rounding."""

import subprocess

import numpy as np
import pytest

from flawspot.export.c.compiling import FLAGS
from flawspot.export.c.program import kernel
from flawspot.runtime.session import open_session

SIZE = 48
MAIN = """
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **given) {
  int height = atoi(given[1]), width = atoi(given[2]);
  static uint8_t rgb[3000000], resized[SIDE * SIDE * 3];
  if (count != 3 || fread(rgb, 3, (size_t)(height * width), stdin) == 0) return 1;
  flawspot_resize(rgb, height, width, resized);
  return fwrite(resized, 1, sizeof resized, stdout) != sizeof resized;
}
"""


@pytest.fixture(scope="module")
def resize(compiler, tmp_path_factory):
    folder = tmp_path_factory.mktemp("resize")
    begin = "#include <math.h>\n#include <stddef.h>\n#include <stdint.h>\n"
    begin += "void flawspot_resize(const uint8_t *rgb, int height, int width, uint8_t *resized);\n"
    begin += f"#define FLAWSPOT_SIZE {SIZE}\n#define SIDE {SIZE}\n"
    (folder / "resize.c").write_text(begin + kernel("resize") + MAIN)
    subprocess.run([*compiler, *FLAGS, "resize.c", "-o", "resize", "-lm"], cwd=folder, check=True)

    def run(picture):
        height, width = picture.shape[:2]
        command = [folder / "resize", str(height), str(width)]
        done = subprocess.run(command, input=picture.tobytes(), capture_output=True, check=True)
        return np.frombuffer(done.stdout, np.uint8).reshape(SIZE, SIZE, 3)

    return run


@pytest.mark.parametrize("shape", [(48, 48), (30, 20), (100, 48), (131, 257), (500, 700), (1, 1), (49, 47)])
def test_as_in_the_graph(shape, resize):
    from onnx import TensorProto, helper, numpy_helper

    settings = {"mode": "linear", "antialias": 1, "coordinate_transformation_mode": "half_pixel", "exclude_outside": 1}
    graph = helper.make_graph(
        [helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], **settings)],
        "resize",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [numpy_helper.from_array(np.array([1, 3, SIZE, SIZE]), "sizes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    given = picture.transpose(2, 0, 1)[None].astype(np.float32)
    wanted = open_session(model.SerializeToString()).run(None, {"x": given})[0][0].transpose(1, 2, 0)
    assert np.abs(resize(picture) - wanted).max() <= 0.501
