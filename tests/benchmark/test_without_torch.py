"""What reads a store needs no torch, so that a report can be written anywhere."""

import subprocess
import sys

import pytest

CODE = """
import sys
import {module}
assert not {{"torch", "onnx", "ray"}} & set(sys.modules), sorted({{"torch", "onnx", "ray"}} & set(sys.modules))
"""


@pytest.mark.parametrize(
    "module", ["record", "grid", "grid_file", "store", "export", "report", "task", "engines.local", "engines.board"]
)
def test_a_module_imports_no_torch(module):
    code = CODE.format(module=f"flawspot.benchmark.{module}")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_listing_and_exporting_import_no_torch(tmp_path, record):
    from flawspot.benchmark.store import Store

    with Store(tmp_path / "runs.sqlite") as store:
        store.finish(record())
    commands = (
        ["benchmark", "list", "runs.sqlite"],
        ["benchmark", "export", "runs.sqlite", "--out", "runs.csv"],
        ["reproduce", "claims", "runs.sqlite"],
    )
    for arguments in commands:
        code = f"""
import sys; sys.argv = ["flawspot", *{arguments!r}]
from flawspot.cli import main
try: main()
except SystemExit as end: assert not end.code
assert "torch" not in sys.modules
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr
