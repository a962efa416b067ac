"""The declared lower bounds, which ``make test-minimum`` proves in environments of their own."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
specification = importlib.util.spec_from_file_location("minimum_versions", ROOT / "tests" / "minimum_versions.py")
minimum = importlib.util.module_from_spec(specification)
specification.loader.exec_module(minimum)


def test_everything_named_has_a_lower_bound_that_the_tested_versions_keep():
    lowest = minimum._lowest("", "train", "benchmark", "ray", "serve", "mqtt")
    assert {"numpy", "pillow", "onnxruntime", "typer", "rich", "torch", "numba", "pandas", "ray"} <= set(lowest)
    pins = re.findall(r"^([\w.-]+)==([\w.]+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M)
    tested = {minimum._normal(name): version for name, version in pins}
    for name, version in lowest.items():
        assert tuple(map(int, tested[name].split("."))) >= tuple(map(int, version.split("."))), name


def test_a_requirement_without_a_bound_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(minimum, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["numpy"]\n', encoding="utf-8")
    with pytest.raises(SystemExit, match="'numpy' in pyproject"):
        minimum._lowest("")


@pytest.mark.parametrize(("installed", "declared", "same"), [("1.26.0", "1.26", True), ("1.26.1", "1.26", False)])
def test_which_versions_are_the_same(installed, declared, same):
    assert minimum._same(installed, declared) is same
