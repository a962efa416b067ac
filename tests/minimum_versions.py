"""Proves the lower bounds in pyproject.toml: environments at the lowest declared versions, in which flawspot trains,
runs a benchmark and predicts. Run by ``make test-minimum``; needs nothing but Python, pip and a package index.

What flawspot does not name itself comes in the newest version that pip finds, as it does for users.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BOUND = re.compile(r"([A-Za-z0-9_.-]+)>=([0-9.]+)")

GRID = """\
title: minimum
data: [{name: demo, layout: synthetic, categories: [washer], settings: {train: 12, test_good: 2, size: 96}}]
backbones: [mobilenet_v2]
layers: ["1,2"]
methods: [padim, {name: patchcore, settings: {bank_size: 50}}, {name: paste, settings: {epochs: 1}, layers: ["2,3"]}]
input_size: 64
random_weights: true
"""
EVERY_HELP = """
import subprocess, sys
from typer.main import get_command
from flawspot.cli.commands import app

def walk(command, words):
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, [*words, name])

for words in walk(get_command(app), []):
    done = subprocess.run([sys.executable, "-m", "flawspot", *words, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "Usage" in done.stdout, (words, done.stderr)
"""
TESTS = (
    "tests/training/test_graph.py",
    "tests/backbones/test_export.py",
    "tests/cli/test_train.py",
    "tests/cli/test_predict.py",
)
"""What older exporters, and older parsers of command lines, have been seen to get wrong without an error."""

SERVE = """
import http.client, json, pathlib, re, shutil, subprocess, sys, time

def ask(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()

artifact, photograph = map(pathlib.Path, sys.argv[1:])
pathlib.Path("watched").mkdir()
command = [sys.executable, "-m", "flawspot", "serve", str(artifact), "--watch", "watched", "--port", "0"]
process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
try:
    port = int(re.search(r":([0-9]+)/", process.stdout.readline())[1])
    status, answer = ask("POST", "/v1/predict", photograph.read_bytes())
    assert status == 200 and json.loads(answer)["verdict"] in ("good", "anomalous"), answer
    shutil.copy(photograph, "watched")
    for _ in range(300):
        found = json.loads(ask("GET", "/v1/results")[1])["results"]
        if len(found) == 2:
            break
        time.sleep(0.1)
    assert [each["origin"] for each in found] == ["watch", "http"], found
    assert b"flawspot_parts_total" in ask("GET", "/metrics")[1]
    assert all(ask("GET", path)[0] == 200 for path in ("/", "/engineer", "/openapi.json", "/v2/health/ready"))
finally:
    process.terminate()
    process.wait(30)
"""
PREDICT = """
import sys, flawspot
prediction = flawspot.load(sys.argv[1]).predict(sys.argv[2])
assert prediction.map.ndim == 2 and prediction.score > 0
"""


class Environment:
    """A virtual environment with flawspot and the lowest versions of what it names."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.folder = folder
        self.python = folder / "environment" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        lowest = _lowest("", *filter(None, extra.split(",")))
        folder.mkdir(parents=True)
        constraints = folder / "lowest.txt"
        constraints.write_text("".join(f"{name}=={version}\n" for name, version in lowest.items()), encoding="utf-8")
        subprocess.run([sys.executable, "-m", "venv", str(folder / "environment")], check=True)
        self.run("-m", "pip", "install", "--quiet", "--constraint", str(constraints), f"{ROOT}{extra and f'[{extra}]'}")
        installed = {
            _normal(package["name"]): package["version"].partition("+")[0]
            for package in json.loads(self.run("-m", "pip", "list", "--format", "json"))
        }
        for name, version in lowest.items():
            if not _same(installed[name], version):
                raise SystemExit(f"{name} {installed[name]} was installed, not {version}")

    def run(self, *arguments: str) -> str:
        """Run this environment's Python in its folder; return what it prints, or end with why it failed."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [str(self.python), *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=environment,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"failed in {self.folder}: {' '.join(arguments)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def flawspot(self, *arguments: str) -> str:
        """Run a command of flawspot."""
        return self.run("-m", "flawspot", *arguments)


def train(folder: Path) -> tuple[Path, Path]:
    """Train and run a small grid at the lowest versions of all three halves; return an artifact and its photographs."""
    home = Environment(folder, "benchmark")
    (folder / "grid.yaml").write_text(GRID, encoding="utf-8")
    home.flawspot("benchmark", "run", "grid.yaml", "--store", "runs.sqlite", "--workers", "1")
    runs = json.loads(home.flawspot("benchmark", "list", "runs.sqlite", "--json"))["runs"]
    for run in runs:
        if run["status"] != "done":
            raise SystemExit(f"the run of {run['label']} is {run['status']}: {run['error']}")
    home.flawspot("benchmark", "report", "runs.sqlite", "--out", "report")
    for table in ("runs.csv", "runs.parquet"):
        home.flawspot("benchmark", "export", "runs.sqlite", "--out", table)
    product = next(folder.glob("**/washer/train")).parent
    artifact = folder / "part.onnx"
    home.flawspot(
        *("train", str(product), "-o", str(artifact), "--method", "stfpm", "--layers", "1,2", "--set", "epochs=1"),
        *("--random-weights", "--input-size", "64", "--seed", "1", "--json"),
    )
    home.flawspot("costs", "--method", "padim", "--json")
    home.run("-m", "pip", "install", "--quiet", "pytest")
    home.run(
        "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--rootdir", str(ROOT), *(str(ROOT / t) for t in TESTS)
    )
    return artifact, product


def predict(folder: Path, artifact: Path, product: Path) -> None:
    """Predict, sign and serve at the lowest versions of the running half, which has no torch."""
    home = Environment(folder, "sign,serve")
    photographs = sorted((product / "test").rglob("*.png"))
    lines = home.flawspot("predict", str(artifact), str(product / "test"), "--out", "found", "--threads", "1", "--json")
    if len([json.loads(line) for line in lines.splitlines()]) != len(photographs):
        raise SystemExit(f"{len(photographs)} photographs, but:\n{lines}")
    home.flawspot("predict", str(artifact), str(photographs[0]), str(product / "test" / "good" / "*.png"))
    home.flawspot("evaluate", str(artifact), str(product), "--strict")
    home.flawspot("threshold", str(artifact), "--false-alarm-rate", "0.5")
    home.flawspot("info", str(artifact))
    home.flawspot("make-key", "line")
    home.flawspot("sign", str(artifact), "--key", "line")
    home.flawspot("verify", str(artifact), "--trusted-key", "line.pub")
    home.flawspot("predict", str(artifact), str(photographs[0]), "--trusted-key", "line.pub")
    home.run("-c", PREDICT, str(artifact), str(photographs[0]))
    home.run("-c", SERVE, str(artifact), str(photographs[0]))
    home.flawspot("audit", "verify", "station")
    home.run("-c", EVERY_HELP)


def _lowest(*extras: str) -> dict[str, str]:
    """The lowest declared version of everything that flawspot, with these extras, names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest: dict[str, str] = {}
    for extra in extras:
        for requirement in project["optional-dependencies"][extra] if extra else project["dependencies"]:
            inner = re.fullmatch(r"flawspot\[(\w+)\].*", requirement)
            if inner:
                lowest |= _lowest(inner[1])
                continue
            bound = BOUND.fullmatch(requirement)
            if bound is None:
                raise SystemExit(f"{requirement!r} in pyproject.toml says no lowest version as NAME>=VERSION")
            lowest[_normal(bound[1])] = bound[2]
    return lowest


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _same(installed: str, declared: str) -> bool:
    """Whether 1.26 stands for 1.26.0."""

    def numbers(version: str) -> list[str]:
        parts = version.split(".")
        while parts and parts[-1] == "0":
            parts.pop()
        return parts

    return numbers(installed) == numbers(declared)


def main() -> None:
    """Do it all in a folder that vanishes, or stays where one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the environments are made and stay")
    folder = parser.parse_args().folder
    if sys.version_info[:2] != (3, 11):
        raise SystemExit("the lowest versions are those for the lowest Python, 3.11: use that")
    with tempfile.TemporaryDirectory(prefix="flawspot-minimum-") as temporary:
        where = folder.absolute() if folder else Path(temporary)
        begin = time.monotonic()
        artifact, product = train(where / "training")
        print(f"training and benchmark at the lowest versions: {time.monotonic() - begin:.0f} s")
        begin = time.monotonic()
        predict(where / "running", artifact, product)
        print(f"prediction at the lowest versions: {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
