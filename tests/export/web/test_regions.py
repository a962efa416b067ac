"""Regions as the page finds them are those of flawspot."""

import base64
import json
import shutil
import subprocess

import numpy as np
import pytest

from flawspot.export.web.target import page_file
from flawspot.runtime.regions import find_regions

CASES = 40


def maps():
    """Maps of many shapes of regions, thresholds among their values, and sizes of photographs."""
    generator = np.random.default_rng(3)
    for case in range(CASES):
        size = int(generator.integers(1, 40))
        values = generator.integers(0, 6, (size, size)) * (generator.random((size, size)) < generator.random())
        threshold = float(generator.integers(0, 4)) if case % 2 else float(generator.random())
        width, height = (int(side) for side in generator.integers(1, 3000, 2))
        yield (values * np.float32(0.7 if case % 3 else 1)).astype(np.float32), threshold, (width, height)


@pytest.fixture
def found(tmp_path, request):
    """``found(cases)``: the regions of each by the page's script, in node or else in a browser."""

    def run(cases):
        given = [
            {
                "map": base64.b64encode(values.tobytes()).decode(),
                "rest": [len(values), threshold, *image_size],
            }
            for values, threshold, image_size in cases
        ]
        script = (
            "const floats = (text) => new Float32Array("
            "Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);\n"
            f"const cases = {json.dumps(given)};\n"
            "const answer = cases.map(({ map, rest }) => regions(floats(map), ...rest));\n"
        )
        node = shutil.which("node")
        if node is not None:
            for name in ("detector.js", "photograph.js"):
                (tmp_path / name).write_bytes(page_file(name))
            (tmp_path / "package.json").write_text('{"type": "module"}')
            script = f'import {{ regions }} from "./detector.js";\n{script}console.log(JSON.stringify(answer));\n'
            (tmp_path / "run.js").write_text(script)
            done = subprocess.run([node, "run.js"], cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)
        told, page = request.getfixturevalue("told"), request.getfixturevalue("page")
        return told(page, f'const {{ regions }} = await import("./detector.js");\n{script}return answer;')

    return run


def test_boxes_and_peaks(found):
    cases = list(maps())
    several = 0
    for (values, threshold, image_size), regions in zip(cases, found(cases), strict=True):
        wanted = find_regions(values, threshold, image_size)
        assert [tuple(region["box"]) for region in regions] == [region.box for region in wanted]
        assert [region["peak"] for region in regions] == [region.peak for region in wanted]
        several += len(wanted) > 1
    assert several > CASES / 4


def test_what_is_no_number_is_in_no_region(found):
    values = np.full((4, 4), np.nan, np.float32)
    values[1, 1] = 5
    ((region,),) = found([(values, 1.0, (40, 40))])
    assert region == {"box": [10, 10, 20, 20], "peak": 5}
