"""Files that claim to be large."""

import subprocess
import sys

import pytest

from flawspot.errors import ArtifactError
from flawspot.runtime.artifact import assemble, read


@pytest.fixture
def file(tmp_path, tiny_model, tiny_manifest):
    path = tmp_path / "a part.onnx"
    assemble(tiny_model, tiny_manifest).save(path)
    return path


def sparse(path, start: bytes = b"", end: bytes = b"") -> None:
    """A file of nearly 2 GB that takes no room on the disk."""
    with path.open("wb") as file:
        file.write(start)
        file.seek(2**31 - 2 - len(end))
        file.write(end or b"\0")


WATCHED = """
import sys
from flawspot.errors import ArtifactError
from flawspot.runtime.artifact import read
def most():
    return [int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
before = most()
for path in sys.argv[1:]:
    try:
        read(path)
    except ArtifactError as error:
        print(error)
print(most() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_file_that_claims_gigabytes_is_refused_before_it_is_read(tmp_path, file, tiny_model):
    paths = [tmp_path / name for name in ("nothing.onnx", "unknown.onnx", "tensor.onnx", "longer.onnx")]
    sparse(paths[0])
    # A field that no ONNX model has, of all that follows.
    sparse(paths[1], b"\xfa\x0f" + _length(2**31 - 1000))
    tail = file.read_bytes()
    graph = b"\x3a" + _length(2**31 - 1000) + b"\x2a" + _length(2**31 - 1010) + b"\x4a" + _length(2**31 - 1020)
    sparse(paths[2], graph, tail[-200:])
    sparse(paths[3], tail)
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *map(str, paths)], capture_output=True, text=True, check=True, timeout=60
    )
    *errors, grown = done.stdout.splitlines()
    assert len(errors) == 4
    assert all("cannot be used" in error for error in errors)
    assert int(grown) < 50


def _length(size: int) -> bytes:
    """As protobuf writes it, in five bytes."""
    return bytes(size >> 7 * place & 0x7F | (0x80 if place < 4 else 0) for place in range(5))


def test_a_large_artifact_is_read_as_any_other(file, monkeypatch):
    monkeypatch.setattr("flawspot.runtime.artifact.LARGE", 0)
    assert read(file).manifest.product == "a part"
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(ArtifactError, match="damaged or cut off"):
        read(file)
