"""The process of an update by itself: what it tells, that it gives way to the line, and how it ends."""

import io
import json
import os
import subprocess
import sys
import time

import pytest

from flawspot.errors import ConfigurationError, FlawspotError
from flawspot.serve.updating import child, process
from flawspot.serve.updating.process import Bounds, Process

from ..conftest import wait_for


def told(asked):
    file = io.StringIO()
    child.main(json.dumps({"megabytes": 2500, **asked}), file)
    return [json.loads(line) for line in file.getvalue().splitlines()]


@pytest.fixture
def polite(monkeypatch):
    """The process of the tests does not give way itself."""
    monkeypatch.setattr(child, "_behave", lambda megabytes: None)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Run a text as the process of an update."""

    def start(text, **bounds):
        (tmp_path / "other_update.py").write_text(text)
        places = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, places)))
        monkeypatch.setattr(process, "_MODULE", "other_update")
        return Process({}, tmp_path, Bounds(**bounds))

    return start


def test_an_error_is_its_last_line(polite, tmp_path):
    asked = {"artifact": str(tmp_path / "none.onnx"), "photographs": str(tmp_path), "state": None, "seed": 0}
    (last,) = told({**asked, "output": str(tmp_path / "new.onnx")})
    assert "none.onnx" in last["error"]


def test_faults_of_ours_and_too_little_memory_are_one_line(polite, monkeypatch):
    for error, text in (
        (MemoryError(), "more than 2500 MB of memory: ask for fewer"),
        (ValueError("x"), "ValueError: x"),
    ):

        def fail(*_, fault=error, **__):
            raise fault

        monkeypatch.setattr("flawspot.updating.update", fail)
        asked = dict.fromkeys(("artifact", "photographs", "state", "output", "seed"))
        (last,) = told(asked)
        assert text in last["error"]


def test_progress_is_told_now_and_then():
    file = io.StringIO()
    telling = child.Telling(file)
    assert list(telling.track(range(1000), "counting")) == list(range(1000))
    with telling.step("ending"):
        telling.note("not told")
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert lines[0] == {"step": "counting", "done": 0, "of": 1000}
    assert lines[-1] == {"step": "ending", "done": None, "of": None}
    assert len(lines) < 50


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux does it")
def test_it_gives_way_and_is_bounded():
    text = (
        "from flawspot.serve.updating.child import _behave\n"
        "import json, os, pathlib, resource\n"
        "before = len(os.sched_getaffinity(0))\n"
        "_behave(700)\n"
        "score = pathlib.Path('/proc/self/oom_score_adj').read_text().strip()\n"
        "limit = resource.getrlimit(resource.RLIMIT_DATA)[0]\n"
        "print(json.dumps([os.nice(0), before, len(os.sched_getaffinity(0)), limit, score]))\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    nice, before, cores, limit, score = json.loads(done.stdout)
    assert (nice, cores, limit, score) == (19, max(before // 2, 1), 700_000_000, "1000")


def test_too_much_memory_is_told():
    text = (
        "import json, sys\n"
        "import flawspot.updating, numpy\n"
        "from flawspot.serve.updating import child\n"
        "flawspot.updating.update = lambda *_, **__: numpy.ones(10**9)\n"
        "asked = dict.fromkeys(('artifact', 'photographs', 'state', 'output', 'seed'))\n"
        "child.main(json.dumps({**asked, 'megabytes': 1000}), sys.stdout)\n"
    )
    if sys.platform != "linux":
        pytest.skip("as Linux does it")
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert "it needs more than 1000 MB of memory" in json.loads(done.stdout)["error"]


def test_what_it_tells_is_heard_and_nothing_else(program):
    found = program(
        "import json\nprint('a warning')\nprint(json.dumps({'step': 'a', 'done': 1, 'of': 2}), flush=True)\n"
        "print(json.dumps({'report': {}}))\n"
    )
    try:
        assert list(found.lines()) == [{"step": "a", "done": 1, "of": 2}, {"report": {}}]
    finally:
        found.end()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys\nsys.exit('the last word')", r"ended with code 1 \(the last word\): update on another machine"),
        ("import os\nos.kill(os.getpid(), 9)", r"ended from outside \(signal 9\), perhaps because memory was short"),
    ],
)
def test_an_end_without_a_word_is_told(program, text, reason):
    found = program(text)
    try:
        with pytest.raises(FlawspotError, match=reason):
            list(found.lines())
    finally:
        found.end()


def test_it_is_ended_after_its_time(program):
    found = program("import time\ntime.sleep(60)", seconds=0.5)
    begin = time.monotonic()
    with pytest.raises(FlawspotError, match=r"ended after 0.5 s"):
        list(found.lines())
    found.end()
    assert time.monotonic() - begin < 30


def test_it_ends_where_its_station_does():
    command = [sys.executable, "-c", "from flawspot.serve.updating.child import _end_with_the_station as e; e()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as started:
        assert started.poll() is None
        started.stdin.close()
        wait_for(lambda: started.poll() is not None, 60)
        assert started.returncode == 1


def test_bounds_are_numbers_above_0():
    for wrong in ({"seconds": 0}, {"seconds": float("nan")}, {"megabytes": -1}):
        with pytest.raises(ConfigurationError, match="give a number above 0"):
            Bounds(**wrong)
