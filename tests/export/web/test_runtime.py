"""onnxruntime-web: fetched and known by its checksum, given, and unpacked from what may be anything."""

import gzip
import hashlib
import io
import stat
import tarfile

import pytest

from flawspot.backbones.weight_sources import SourceError
from flawspot.errors import ExportError
from flawspot.export.web import runtime
from flawspot.export.web.runtime import FILES, Npm, fetched, given, unpacked

from .conftest import packed

JS, WASM = (f"package/dist/{name}" for name in FILES.values())
RIGHT = {JS: b"js", WASM: b"wasm"}


class Source:
    """Brings `data`, or fails."""

    def __init__(self, data):
        self.data, self.asked = data, 0

    def fetch(self, target, max_bytes, progress):
        self.asked += 1
        if self.data is None:
            raise SourceError("no connection")
        target.write_bytes(self.data)

    def __str__(self):
        return "a source"


@pytest.fixture
def sources(monkeypatch, tmp_path):
    """``sources(...)``: the only ones, and a tarball that is the known one."""
    known = packed(RIGHT)
    monkeypatch.setenv("FLAWSPOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(runtime, "SHA512", hashlib.sha512(known).hexdigest())

    def put(*data):
        several = tuple(Source(known if each == "known" else each) for each in data)
        monkeypatch.setattr(runtime, "SOURCES", several)
        return several

    return put


def test_it_is_fetched_once(sources, tmp_path):
    (source,) = sources("known")
    for _ in range(2):
        assert fetched().files == {"ort.js": b"js", "ort.wasm": b"wasm"}
    assert source.asked == 1
    assert [path.name for path in (tmp_path / "cache" / "runtimes").iterdir()] == [runtime.TARBALL]


def test_what_is_damaged_in_the_cache_is_fetched_anew(sources, tmp_path):
    (source,) = sources("known")
    path = tmp_path / "cache" / "runtimes" / runtime.TARBALL
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half")
    assert fetched().files["ort.js"] == b"js"
    assert source.asked == 1


def test_another_content_is_not_kept(sources, tmp_path):
    sources(packed({**RIGHT, JS: b"evil"}), None)
    with pytest.raises(
        ExportError, match=r"sha512 is not that of .*; a source: no connection.*npm pack.*--runtime"
    ) as error:
        fetched()
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "cache" / "runtimes").iterdir())


def test_the_next_source_is_asked(sources):
    first, second = sources(None, "known")
    assert fetched().files["ort.wasm"] == b"wasm"
    assert (first.asked, second.asked) == (1, 1)


def test_without_npm(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="there is no npm"):
        Npm("x@1").fetch(tmp_path / "x", 10)


@pytest.mark.skipif(not hasattr(stat, "S_IXUSR") or __import__("os").name == "nt", reason="shell scripts")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exit 3", "npm failed with 3"),
        ("exit 0", "npm failed with 0"),
        (
            'while [ "$1" != --pack-destination ]; do shift; done; printf 0123456789x > "$2/x.tgz"',
            "above the limit of 10",
        ),
    ],
)
def test_an_npm_that_brings_nothing(text, message, monkeypatch, tmp_path):
    script = tmp_path / "npm"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(SourceError, match=message):
        Npm("x@1").fetch(tmp_path / "x", 10)
    assert not (tmp_path / "x").exists()


def link(member):
    if member.name == JS:
        member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0
    return member


def device(member):
    if member.name == JS:
        member.type, member.size = tarfile.CHRTYPE, 0
    return member


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a tarball"),
        (b"PK\3\4 a zip file", "is not a tarball"),
        (gzip.compress(b"x" * 5000, mtime=0), "is not a tarball|has no"),
        (packed(RIGHT)[:-20], "is not a tarball"),
        (packed({JS: b"js"}), "has no package/dist/ort-wasm"),
        (packed({f"../{JS}": b"js", f"/{WASM}": b"wasm"}), "has no package/dist/ort.wasm"),
        (packed(RIGHT, change=link), "not as a file of ordinary size"),
        (packed(RIGHT, change=device), "not as a file of ordinary size"),
        (packed({**RIGHT, WASM: b""}), "not as a file of ordinary size"),
    ],
)
def test_hostile_tarballs(data, message, tmp_path):
    with pytest.raises(ExportError, match=message) as error:
        unpacked(data, "x.tgz")
    assert "\n" not in str(error.value)


def test_the_same_twice():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name in (JS, WASM, JS):
            member = tarfile.TarInfo(name)
            member.size = 2
            archive.addfile(member, io.BytesIO(b"js"))
    with pytest.raises(ExportError, match="twice"):
        unpacked(file.getvalue(), "x.tgz")


def test_others_beside_are_not_looked_at():
    found = unpacked(packed({"../../escaped": b"x", "package/dist/ort.webgpu.mjs": b"y", **RIGHT}), "x.tgz")
    assert found == {"ort.js": b"js", "ort.wasm": b"wasm"}


def test_few_bytes_that_become_many(monkeypatch):
    monkeypatch.setattr(runtime, "MOST_UNPACKED", 1 << 20)
    data = packed({"package/zeros": bytes(1 << 22), **RIGHT})
    assert len(data) < 1 << 14
    with pytest.raises(ExportError, match="more than 1,048,576 bytes"):
        unpacked(data, "x.tgz")


def test_a_file_that_is_too_large(monkeypatch):
    monkeypatch.setattr(runtime, "MOST_FILE", 3)
    with pytest.raises(ExportError, match="ordinary size"):
        unpacked(packed(RIGHT), "x.tgz")


@pytest.mark.parametrize("below", [".", "dist", "package/dist", "node_modules/onnxruntime-web/dist"])
@pytest.mark.parametrize("names", [tuple(FILES), tuple(FILES.values())])
def test_a_folder_is_given(below, names, tmp_path):
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    for name, data in zip(names, (b"js", b"wasm"), strict=True):
        (tmp_path / below / name).write_bytes(data)
    found = given(tmp_path)
    assert found.files == {"ort.js": b"js", "ort.wasm": b"wasm"}
    assert not found.known


def test_what_is_given_and_is_none(tmp_path):
    with pytest.raises(ExportError, match=r"cannot read .*nowhere"):
        given(tmp_path / "nowhere")
    with pytest.raises(ExportError, match=r"holds no onnxruntime-web: ort\.wasm\.bundle\.min\.mjs and"):
        given(tmp_path)


def test_the_pinned_one(tarball):
    found = given(tarball)
    assert found.known
    assert hashlib.sha512(tarball.read_bytes()).hexdigest() == runtime.SHA512


def test_four_megabytes_before_the_detector(tarball):
    from flawspot.export.web.target import PAGE, page_file

    several = [*given(tarball).files.values(), *map(page_file, PAGE)]
    assert sum(len(gzip.compress(data)) for data in several) <= 4e6
