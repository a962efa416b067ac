"""Proves that detectors run on 64-bit ARM: an emulated aarch64 Python of Debian's with the unmodified wheels, in which
the running half predicts, evaluates and passes its own tests. Run by ``make test-arm``.

Detectors are trained and run here first; there, maps of floats must be equal within 1e-5 of the largest value, verdicts
and boxes equal, whatever the precision. Needs Debian's qemu-user-static, apt-get and dpkg, and a package index; says so
and ends well elsewhere.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "arm64"
EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")
DEBIAN = ("python3", "libstdc++6")
"""What the emulated system is made of, with all that they need."""
WHEELS = ("numpy", "pillow", "onnxruntime", "typer", "rich", "cryptography", "pytest", "onnx", "scipy")
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
TESTS = "tests/runtime"
LEFT_OUT = (
    "test_table.py",  # needs pandas
    "test_arena.py::test_what_asks_for_much_memory_does_not_get_it",
    "test_decoding.py::test_photographs_of_a_hundred_megapixels_take_less_than_600_mb_and_keep_less_than_100",
    "test_decoding.py::test_a_damaged_photograph_of_a_hundred_megapixels_keeps_nothing",
    "test_decoding.py::test_what_pillow_logs_stays_off_the_terminal",
    "test_large_artifacts.py::test_a_file_that_claims_gigabytes_is_refused_before_it_is_read",
    "test_onnx_checks.py::test_what_no_detector_has_is_refused_quickly",
    "test_prefetch.py::test_an_interrupt_ends_the_process_at_once",
    "test_session.py::test_it_pickles_by_its_artifact",
)
"""Tests that start a Python of their own, which needs the emulator before it, or that measure memory or time, which are
the emulator's."""
TOLERANCE = 1e-5
SIZE, GOOD, TEST = 96, 20, 3
DETECTORS = {
    "padim": ("padim", "float32", {}),
    "patchcore": ("patchcore", "float32", {"bank_size": 300}),
    "cfa": ("cfa", "float32", {"epochs": 1}),
    "stfpm": ("stfpm", "float32", {"epochs": 1}),
    "paste": ("paste", "float32", {"epochs": 1}),
    "paste-int8": ("paste", "int8", {"epochs": 1}),
    "padim-int8": ("padim", "int8", {}),
}
CPUINFO = "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\nCPU architecture: 8\n"


def main() -> None:
    """Build, train, compare, test."""
    reason = _missing()
    if reason:
        print(f"skipped: {reason}")
        return
    started = time.perf_counter()
    machine = Emulated()
    print(f"{machine.told()}: built in {time.perf_counter() - started:.0f} s")
    with tempfile.TemporaryDirectory(prefix="flawspot arm ") as folder:
        data = _photographs(Path(folder))
        for name, chosen in DETECTORS.items():
            _compare(machine, data, Path(folder) / name, chosen)
    left_out = (f"--deselect={TESTS}/{name}" if "::" in name else f"--ignore={TESTS}/{name}" for name in LEFT_OUT)
    machine.run("-m", "pytest", "-q", "-p", "running_half", "-p", "no:cacheprovider", *left_out, TESTS, show=True)
    print(f"the running half works on {machine.told()}: {time.perf_counter() - started:.0f} s")


def _missing() -> str:
    """Why nothing can be emulated here; empty if it can."""
    if sys.platform != "linux":
        return "emulated processors need Linux"
    if platform.machine() in ("aarch64", "arm64"):
        return "this machine is ARM itself: make test"
    if not any(map(shutil.which, EMULATORS)):
        return "there is no qemu-aarch64: install qemu-user-static"
    missing = [name for name in ("apt-get", "dpkg") if shutil.which(name) is None]
    return f"there is no {missing[0]}, with which Debian's Python for ARM is fetched" if missing else ""


class Emulated:
    """An aarch64 Linux in a folder, with Python and the running half's wheels; what was built is kept."""

    def __init__(self) -> None:
        self.emulator = next(name for name in map(shutil.which, EMULATORS) if name)
        self.system, self.site = BUILD / "system", BUILD / "site"
        stamp = BUILD / "built"
        if not stamp.exists():
            shutil.rmtree(BUILD, ignore_errors=True)
            self._fetch_system()
            self._fetch_wheels()
            stamp.touch()

    @property
    def python(self) -> Path:
        """The emulated interpreter."""
        return next(path for path in sorted((self.system / "usr/bin").glob("python3.*")) if path.suffix[1:].isdigit())

    def told(self) -> str:
        """What it is."""
        code = "import platform, onnxruntime as o; print(platform.machine(), platform.python_version(), o.__version__)"
        machine, python, runtime = self.run("-c", code).split()
        return f"an emulated {machine} with Python {python} and onnxruntime {runtime}"

    def run(self, *words: str, show: bool = False) -> str:
        """What Python there prints.

        Raises:
            SystemExit: it fails; says what it said.
        """
        paths = (ROOT / "src", self.site, ROOT / "tests")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("FLAWSPOT_", "PYTHON"))},
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        # Processors' features are those of a Raspberry Pi 4.
        command = [self.emulator, "-cpu", "cortex-a72", "-L", str(self.system), str(self.python), *words]
        done = subprocess.run(command, env=environment, cwd=ROOT, stdout=None if show else subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(words[:6])} ends with {done.returncode} on the emulated machine")
        return "" if show else done.stdout.decode()

    def _fetch_system(self) -> None:
        """From Debian's own archive, as this machine's apt knows it, with folders of our own: nothing is installed."""
        state, packages = BUILD / "apt", BUILD / "packages"
        for folder in (state / "lists" / "partial", state / "cache" / "archives" / "partial", packages, self.system):
            folder.mkdir(parents=True)
        (state / "status").touch()
        (state / "apt.conf").write_text(
            'APT::Architecture "arm64";\nAPT::Architectures { "arm64"; };\nAPT::Sandbox::User "root";\n'
            f'Dir::State::Lists "{state}/lists";\nDir::State::status "{state}/status";\nDir::Cache "{state}/cache";\n',
            encoding="utf-8",
        )
        environment = {**os.environ, "APT_CONFIG": str(state / "apt.conf")}

        def apt(*words: str) -> str:
            command = ["apt-get", "-q", *words]
            done = subprocess.run(command, env=environment, cwd=packages, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise SystemExit(f"{' '.join(command[:3])} fails: {done.stderr.strip()[-300:]}")
            return done.stdout

        apt("update")
        wanted = apt("install", "--simulate", "--no-install-recommends", *DEBIAN)
        apt("download", *re.findall(r"^Inst (\S+)", wanted, re.MULTILINE))
        for package in sorted(packages.glob("*.deb")):
            subprocess.run(["dpkg", "-x", str(package), str(self.system)], check=True)
        for name, text in (
            ("proc/cpuinfo", CPUINFO),
            ("sys/devices/system/cpu/possible", "0\n"),
            ("sys/devices/system/cpu/present", "0\n"),
        ):  # or the runtime asks this machine's, of another kind
            path = self.system / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def _fetch_wheels(self) -> None:
        machine = (f"--platform={name}_aarch64" for name in PLATFORMS)
        options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={self.python.name[6:]}"]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(self.site), *machine, *options]
        subprocess.run([*pip, "--constraint", str(ROOT / "constraints.txt"), *WHEELS], check=True)


def _photographs(folder: Path) -> Path:
    """A product that flawspot draws, as MVTec AD lays one out."""
    from flawspot.data.demo_set import render

    root = folder / "washer"
    for index in range(GOOD + TEST):
        path = root / ("train/good" if index < GOOD else "test/good") / f"{index:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(render("washer", index, size=SIZE + 40)[0]).save(path)
    for index in range(TEST):
        picture, mask = render("washer", 500 + index, size=SIZE + 40, defect="scratch")
        for kind, array, name in (("test", picture, f"{index:03}.png"), ("ground_truth", mask, f"{index:03}_mask.png")):
            path = root / kind / "scratch" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
    return root


def _compare(machine: Emulated, data: Path, folder: Path, chosen: tuple[str, str, dict[str, Any]]) -> None:
    """Train one detector here, and run it in both places."""
    import flawspot
    from flawspot.evaluation import evaluate

    method, precision, settings = chosen
    folder.mkdir()
    artifact = folder / "part.onnx"
    options = {"input_size": SIZE, "random_weights": True, "calibration": "split", "progress": False}
    flawspot.train(data, method=method, precision=precision, settings=settings, output=artifact, **options)
    detector = flawspot.load(artifact, threads=1)
    words = ("-m", "flawspot", "predict", str(artifact), str(data / "test"), "--json", "--maps", str(folder / "maps"))
    lines = [json.loads(line) for line in machine.run(*words).splitlines()]
    worst = 0.0
    for line in lines:
        wanted = detector.predict(line["path"])
        found = np.load(_map_of(folder / "maps", Path(line["path"])))
        difference = float(np.abs(found - wanted.map).max() / np.abs(wanted.map).max())
        worst = max(worst, difference)
        same = (line["verdict"], line["boxes"]) == (wanted.verdict, [list(box) for box in wanted.boxes])
        if precision == "float32" and not (difference <= TOLERANCE and same):
            raise SystemExit(f"{method}: {line['path']} differs by {difference:.1e}, or in its boxes, on ARM")
        if line["verdict"] != wanted.verdict:
            raise SystemExit(f"{method}, {precision}: {line['path']} is {line['verdict']} on ARM")
    told = json.loads(machine.run("-m", "flawspot", "evaluate", str(artifact), str(data), "--json"))
    figures = _figures(told, evaluate(detector, data, progress=False).metrics.as_dict())
    print(f"{method}, {precision}: {len(lines)} photographs, maps within {worst:.1e}, {figures}", flush=True)


def _map_of(folder: Path, photograph: Path) -> Path:
    """The file of a photograph's map; folders, or names, tell those of one name apart."""
    kind = photograph.parent.name
    return next(path for path in folder.rglob("*.npy") if path.stem.startswith(photograph.stem) and kind in str(path))


def _figures(there: dict[str, Any], here: dict[str, Any]) -> str:
    shown = []
    for name in ("pixel_f1_max", "image_auroc"):
        found = there.get("metrics", there)[name]
        if abs(found - here[name]) > 1e-3:
            raise SystemExit(f"{name} is {found} on ARM, {here[name]} here")
        shown.append(f"{name} {found:.4f}")
    return ", ".join(shown)


if __name__ == "__main__":
    main()
