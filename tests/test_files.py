"""Files are written as a whole or not at all."""

import os
import signal
import subprocess
import sys

import pytest

from flawspot import files
from flawspot.errors import FlawspotError
from flawspot.files import check_writable, replacing, write_bytes

WRITER = """
import sys, time, pathlib
from flawspot.files import replacing
with replacing(pathlib.Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(60)
"""


def writer(path):
    """A process that is writing `path`, and not done."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    return process


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "new folder" / "a file.bin"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["a file.bin"]


@pytest.mark.skipif(sys.platform == "win32", reason="other rights, and links need a privilege")
def test_rights_and_links_stay_as_they_are(tmp_path):
    path, link = tmp_path / "v1", tmp_path / "current"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to("v1")
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o640)
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    with pytest.raises(FlawspotError, match="cannot write"):
        write_bytes(tmp_path / "one", b"")


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
    """It leaves nothing behind, not even a folder: the long work may end before anything is written."""
    check_writable(tmp_path / "new" / "deep" / "part.onnx")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    check_writable(tmp_path / "old" / "deep" / "part.onnx")
    assert list(tmp_path.iterdir()) == [tmp_path / "old"]
    with pytest.raises(FlawspotError, match="it is a folder"):
        check_writable(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_what_a_killed_process_left_is_removed_by_the_next_writer(tmp_path):
    killed, alive = writer(tmp_path / "a b.onnx"), writer(tmp_path / "other.onnx")
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        (tmp_path / ".hidden.part").write_bytes(b"somebody else's")
        assert len(list(tmp_path.iterdir())) == 3
        files._swept.discard(tmp_path)
        write_bytes(tmp_path / "new.onnx", b"new")
        left = sorted(path.name.split(".")[1] for path in tmp_path.iterdir() if path.name.startswith("."))
        assert left == ["flawspot-other", "hidden"]
        assert alive.poll() is None
    finally:
        alive.kill()
        alive.wait()
        for process in (alive, killed):
            process.stdout.close()


def test_a_folder_is_looked_through_once(tmp_path, monkeypatch):
    files.remove_unfinished(tmp_path)
    left = tmp_path / ".flawspot-a.onnx.abcdefgh.part.onnx"
    left.write_bytes(b"half")
    write_bytes(tmp_path / "a.onnx", b"")
    assert left.exists()
    files._swept.discard(tmp_path)
    write_bytes(tmp_path / "a.onnx", b"")
    assert not left.exists()


def test_long_names_leave_room_for_the_rest(tmp_path):
    path = tmp_path / ("a" * 250 + ".png")
    write_bytes(path, b"x")
    assert path.read_bytes() == b"x"


def test_names_that_are_not_unicode(tmp_path):
    if sys.platform != "linux":
        pytest.skip("names are Unicode here")
    path = tmp_path / os.fsdecode(b"\xff\xfe.onnx")
    write_bytes(path, b"x")
    files._swept.discard(tmp_path)
    write_bytes(path, b"y")
    assert path.read_bytes() == b"y"
