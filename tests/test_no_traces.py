"""No network and no traces: what flawspot and the libraries beneath it do by themselves, seen from outside."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

WATCHED = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "RAY_USAGE_STATS_ENABLED", "PYTEST_CURRENT_TEST")
"""Variables by which libraries keep quiet on machines that test: users have none of them."""

HOOK = """\
import json, os, sys
def see(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind"):
        if not (event in ("socket.connect", "socket.bind", "socket.sendto") and arguments[0].family == 1):
            with open(os.environ["SEEN"], "a") as file:
                file.write(json.dumps([event, repr(arguments)]) + "\\n")
sys.addaudithook(see)
"""

ADDRESSED = re.compile(r"^\[|\b(connect|bind|sendto|sendmsg)\(.*addr=?")
LOOPBACK = re.compile(r"\b127\.0\.0\.1\b|\"::1\"|'::1'|'localhost'")

GRID = """\
title: tiny
data:
  - name: demo
    layout: synthetic
    categories: [washer]
    settings: {train: 12, test_good: 3, test_per_defect: 1, size: 64}
backbones: [mobilenet_v2]
layers: ["1"]
methods: [padim]
input_size: 64
random_weights: true
"""


@pytest.fixture
def alone(tmp_path):
    """Run a command as a user with an empty home: in a network namespace and watched where that is allowed, else with
    a hook that Python has. ``alone(...)`` returns what it printed, `alone.attempts()` what it asked of the network.
    """
    return Alone(tmp_path)


class Alone:
    """See `alone`."""

    def __init__(self, folder: Path) -> None:
        self.home, self.temporary, self.seen = folder / "home", folder / "tmp", folder / "seen"
        (folder / "hook").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
        for made in (self.home, self.temporary):
            made.mkdir()
        self.environment = {name: value for name, value in os.environ.items() if name not in WATCHED}
        self.environment |= {"HOME": str(self.home), "USERPROFILE": str(self.home), "TMPDIR": str(self.temporary)}
        self.environment |= {"TEMP": str(self.temporary), "LOCALAPPDATA": str(self.home), "SEEN": str(self.seen)}
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "MPLCONFIGDIR", "FLAWSPOT_CACHE"):
            self.environment.pop(name, None)
        path = os.pathsep.join([str(folder / "hook"), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.environment["PYTHONPATH"] = path
        self.prefix = []
        if works(["unshare", "-rn", "true"]):
            self.prefix = ["unshare", "-rn"]
        if works(["strace", "-f", "-e", "trace=network", "-o", os.devnull, *self.prefix, "true"]):
            self.trace = folder / "trace"
            self.prefix = ["strace", "-f", "-e", "trace=network", "-A", "-o", str(self.trace), *self.prefix]

    def __call__(self, *arguments: object, code: str | None = None) -> str:
        command = ["-c", code] if code is not None else ["-m", "flawspot", *map(str, arguments)]
        done = subprocess.run(
            [*self.prefix, sys.executable, *command],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def keep_loopback(self) -> None:
        """For programs whose processes talk to each other over 127.0.0.1."""
        inside = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        at = self.prefix.index("unshare") if "unshare" in self.prefix else len(self.prefix)
        namespace = ["unshare", "-rn", *inside] if works(["unshare", "-rn", *inside, "true"]) else []
        self.prefix = [*self.prefix[:at], *namespace]

    def attempts_elsewhere(self) -> list[str]:
        """Those that go beyond this machine, or listen to what lies beyond."""
        addressed = [line for line in self.attempts() if ADDRESSED.search(line)]
        return [line for line in addressed if not LOOPBACK.search(line)]

    def attempts(self) -> list[str]:
        lines = self.seen.read_text().splitlines() if self.seen.exists() else []
        if hasattr(self, "trace"):
            lines += [line for line in self.trace.read_text().splitlines() if "AF_INET" in line]
        return lines

    def left(self) -> list[str]:
        """Files in the home that are not in our own cache, and what is left of temporary ones."""
        ours = ("flawspot" + os.sep,)
        places = [(self.home, path) for path in self.home.rglob("*") if path.is_file()]
        places += [(self.temporary, path) for path in self.temporary.rglob("*")]
        names = [str(path.relative_to(root)) for root, path in places]
        return [name for name in names if not any(part in name for part in ours)]


def works(command: list[str]) -> bool:
    """Whether a tool is here and may be used."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_nothing_is_sent_and_nothing_is_left(alone, product_folder, tmp_path):
    """A look, training, predicting, measuring, choosing, a benchmark with its workers, and its report."""
    part, grid = tmp_path / "part.onnx", tmp_path / "grid.yaml"
    grid.write_text(GRID, encoding="utf-8")
    small = "--random-weights --input-size 64 --layers 1 --method patchcore --set bank_size=50"
    alone("check", product_folder, "--out", tmp_path / "look.html")
    alone("train", product_folder, "-o", part, "--group", r"(\d+)", *small.split())
    alone("predict", part, product_folder / "test", "--out", tmp_path / "found")
    alone("evaluate", part, product_folder)
    alone("threshold", part, "--from", product_folder, "--best-f1")
    alone("info", part)
    alone("doctor", part)
    alone("card", part, "-o", tmp_path / "part.md")
    store = tmp_path / "runs.sqlite"
    alone("benchmark", "run", grid, "--store", store, "--workers", "1")
    alone("benchmark", "report", store, "--out", tmp_path / "report")
    assert alone.attempts() == []
    assert alone.left() == []


@pytest.fixture
def short_folder():
    """Whose name leaves room for those of sockets, which have 100 characters in all."""
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.mark.slow
def test_ray_on_this_machine_talks_to_itself_alone(alone, tmp_path, short_folder):
    """Its own processes listen on loopback addresses, and its usage statistics do not look for a cloud."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'flawspot[ray]'")
    (tmp_path / "grid.yaml").write_text(GRID, encoding="utf-8")
    alone.keep_loopback()
    alone.environment["TMPDIR"] = str(short_folder)
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        alone.environment.pop(name, None)
    done = alone(
        "benchmark", "run", tmp_path / "grid.yaml", "--store", tmp_path / "s", "--engine", "ray", "--workers", "1"
    )
    assert "done     1" in done
    assert alone.attempts()  # they are seen
    assert alone.attempts_elsewhere() == []


def test_what_starts_ray_leaves_the_environment_as_it_was(monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'flawspot[ray]'")
    from flawspot.benchmark.engines.loopback import this_machine_alone

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("http_proxy", "http://mine:3128")
    before = dict(os.environ)
    with this_machine_alone():
        assert os.environ["http_proxy"] == "http://127.0.0.1:9"
    assert dict(os.environ) == before
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")  # a user who wants them
    with this_machine_alone():
        assert os.environ["http_proxy"] == "http://mine:3128"


SETTING = """
import json, os, subprocess, sys
{before}
import {module}
child = subprocess.run([sys.executable, "-c", "import os; print(os.environ.get('ORT_DISABLE_TELEMETRY'))"],
                       capture_output=True, text=True).stdout.strip()
print(json.dumps([os.environ.get("ORT_DISABLE_TELEMETRY"), os.environ.get("RAY_USAGE_STATS_ENABLED"), child]))
"""


@pytest.mark.parametrize("module", ["flawspot", "flawspot.runtime.session", "flawspot.cli", "flawspot.evaluation"])
def test_it_is_switched_off_before_anything_is_imported(alone, module):
    assert json.loads(alone(code=SETTING.format(module=module, before=""))) == ["1", "0", "1"]


def test_a_user_s_own_value_stays(alone):
    before = "os.environ['ORT_DISABLE_TELEMETRY'] = '0'; os.environ['RAY_USAGE_STATS_ENABLED'] = '1'"
    assert json.loads(alone(code=SETTING.format(module="flawspot.cli", before=before))) == ["0", "1", "0"]


@pytest.mark.parametrize(("value", "calls"), [(None, 1), ("0", 0), ("1", 0)])
def test_events_of_an_onnx_runtime_that_was_there_first_are_switched_off(alone, value, calls):
    set_it = "" if value is None else f"os.environ['ORT_DISABLE_TELEMETRY'] = {value!r}"
    code = f"""
import os; {set_it}
import onnxruntime
calls = []
onnxruntime.disable_telemetry_events = lambda: calls.append(1)
import flawspot.runtime.session
print(len(calls))
"""
    alone.environment["CI"] = "1"  # this process is not to be heard of either
    assert int(alone(code=code)) == calls


def test_fonts_lie_where_the_user_says(alone, tmp_path):
    """What others have set is not overruled, and comes out as it was."""
    alone.environment["MPLCONFIGDIR"] = str(tmp_path / "mine")
    code = "import os; from flawspot.benchmark import report; report._import_matplotlib(); print(os.environ.get({!r}))"
    assert alone(code=code.format("MPLCONFIGDIR")).strip() == str(tmp_path / "mine")
    del alone.environment["MPLCONFIGDIR"]
    assert alone(code=code.format("MPLCONFIGDIR")).strip() == "None"
    assert alone.left() == []
