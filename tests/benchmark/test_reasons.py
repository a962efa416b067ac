"""Why a run has failed, and what is not a run's fault."""

import errno

import pytest

from flawspot.benchmark.reasons import reason
from flawspot.benchmark.store import StoreError
from flawspot.errors import FlawspotError
from flawspot.files import write_bytes


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "the disk is full (cannot write {path}: .*free some space and start the same command again"),
        (errno.EDQUOT, "the disk's quota is used up (cannot write {path}: .*free some space and start the same"),
        (errno.EROFS, "the disk can only be read (cannot write {path}: .*make it writable and start the same command"),
    ],
)
def test_where_nobody_can_write_no_run_is_at_fault(number, says, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(number, "no")

    monkeypatch.setattr("flawspot.files.os.fsync", full)
    path = tmp_path / "a.onnx"
    with pytest.raises(FlawspotError) as error:
        write_bytes(path, b"a")
    before, _, after = says.format(path=path).partition(".*")
    with pytest.raises(StoreError) as told:
        reason(error.value)
    assert str(told.value).startswith(before)
    assert after in str(told.value)
    assert "\n" not in str(told.value)


def test_a_file_that_one_run_cannot_have_is_its_own_fault():
    assert reason(OSError(errno.EACCES, "denied")).startswith("PermissionError: ")
    assert reason(FlawspotError("a cure")) == "a cure"
    assert reason(ValueError()) == "ValueError"
