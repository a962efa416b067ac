"""The peer's environment: made, or looked at where one is given; and what its processes may tell and fetch: nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from beside.talking import SideError
from flawspot import telemetry

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VERSIONS = {"anomalib": "2.7.0", "torch": "2.14.1", "torchvision": "0.29.1"}
"""What is installed by name; what these need is pinned beside this file."""
ALONE = {"openvino": "2026.4.1"}
"""Installed without what it asks for: a package that sends statistics, and numpy, which is there."""
PINNED = HERE / "constraints.txt"
SIZE = "about 1 GB to fetch and 2 GB on the disk with torch's CPU build (docs/installing.md), else 3 and 6.5 GB"
FINISHED = "finished.json"
"""In an environment that was made to the end."""

SILENT = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "NO_ALBUMENTATIONS_UPDATE": "1"}
"""For the peer's libraries: what tells their makers something, or looks for weights elsewhere."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "FLAWSPOT_THREADS")


def python_of(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / "Scripts" / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"


def make(folder: Path) -> Path:
    """The interpreter of an environment with the peer in `folder`, which is made where it is not there yet.

    Asks the package index, and says so before.

    Raises:
        SideError: it cannot be made; says why and what to do.
    """
    python = python_of(folder)
    if (folder / FINISHED).exists() and python.exists():
        return python
    wanted = [f"{name}=={version}" for name, version in VERSIONS.items()]
    alone = [f"{name}=={version}" for name, version in ALONE.items()]
    _say(f"making {folder} with {', '.join([*wanted, *alone])}: {SIZE}")
    _say("this takes minutes; --peer-venv takes an environment that has them. What pip says:")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-color"]
    _run([sys.executable, "-m", "venv", str(folder)], folder)
    _run([*pip, "--constraint", str(PINNED), *wanted], folder)
    _run([*pip, "--no-deps", *alone], folder)
    versions = check(python)
    _say(f"made {folder}")
    (folder / FINISHED).write_text(json.dumps(versions), encoding="utf-8")
    return python


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _run(command: list[str], folder: Path) -> None:
    """Run a command whose lines are shown as they come."""
    cure = "see that pip reaches its index and the disk has room, or give an environment by --peer-venv"
    said: list[str] = []
    try:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
        ) as running:
            for line in running.stdout or ():
                if line.strip():
                    _say(line.rstrip())
                    said.append(line.strip())
    except OSError as error:
        raise SideError(f"{folder} cannot be made: {command[0]}: {error.strerror or error}; {cure}") from None
    if running.returncode:
        errors = [line for line in said if line.upper().startswith("ERROR")] or said or ["no reason given"]
        raise SideError(f"{folder} cannot be made: {errors[-1][:300]}; {cure}")


def check(python: Path) -> dict[str, str]:
    """The versions of what matters in the environment of `python`.

    Raises:
        SideError: it has no peer, or one of another version.
    """
    names = [*VERSIONS, *ALONE]
    asked = (
        "import json, sys\nfrom importlib import metadata\nfound = {}\n"
        f"for name in {names!r}:\n"
        "    try:\n        found[name] = metadata.version(name)\n"
        "    except metadata.PackageNotFoundError:\n        pass\n"
        "print(json.dumps(found))"
    )
    try:
        done = subprocess.run([str(python), "-c", asked], capture_output=True, text=True, check=False)
    except OSError as error:
        raise SideError(f"{python} cannot be started: {error.strerror or error}; give another by --peer-venv") from None
    if done.returncode:
        raise SideError(f"{python} failed: {done.stderr.strip().splitlines()[-1:]}; give another by --peer-venv")
    found: dict[str, str] = json.loads(done.stdout)
    cure = "install that there, or leave out --peer-venv and an environment is made"
    missing = [name for name in names if name not in found]
    if missing:
        told = ", ".join(name if name != "anomalib" else f"anomalib {VERSIONS[name]}" for name in missing)
        raise SideError(f"the environment of {python} lacks {told}: {cure}")
    if found["anomalib"] != VERSIONS["anomalib"]:
        has, wanted = found["anomalib"], VERSIONS["anomalib"]
        raise SideError(f"the environment of {python} has anomalib {has}, and {wanted} is what is compared: {cure}")
    return found


def variables(threads: int) -> dict[str, str]:
    """Environment variables for a process of either side that may use so many threads. What the user has set stays."""
    mine = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    counts = dict.fromkeys(THREADS, str(threads))
    paths = os.pathsep.join([str(ROOT / "benchmarks"), str(ROOT / "src")])
    return {**telemetry.OFF, **SILENT, **mine, **counts, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"}
