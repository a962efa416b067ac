"""Files are written as a whole or not at all."""

import pytest

from flawspot.errors import FlawspotError
from flawspot.files import check_writable, replacing, write_bytes


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "new folder" / "a file.bin"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["a file.bin"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_write_error_names_file_and_reason(tmp_path):
    with pytest.raises(FlawspotError, match=r"cannot write .*file: No space left"), replacing(tmp_path / "file"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FlawspotError, match="cannot write"):
        write_bytes(tmp_path / "file" / "inner", b"")
    with pytest.raises(FlawspotError, match="cannot write"):
        check_writable(tmp_path / "file" / "inner")


def test_check_writable(tmp_path):
    check_writable(tmp_path / "new" / "part.onnx")
    assert list((tmp_path / "new").iterdir()) == []
    with pytest.raises(FlawspotError, match="it is a folder"):
        check_writable(tmp_path)
