"""Results as files."""

import json

import pytest

from flawspot.errors import ConfigurationError, FlawspotError
from flawspot.serve.outputs.json_folder import JsonFolder


def test_files(record, add, running, eventually, tmp_path):
    output = running(JsonFolder(record, "files", tmp_path / "out"))
    rows = [add(index) for index in range(3)]
    eventually(lambda: output.state.waiting == 0)
    assert sorted(path.name for path in (tmp_path / "out").glob("*")) == [".unfinished", "1.json", "2.json", "3.json"]
    assert [json.loads((tmp_path / "out" / f"{row.number}.json").read_bytes()) for row in rows] == [
        row.as_dict() for row in rows
    ]
    assert list((tmp_path / "out" / ".unfinished").iterdir()) == []


def test_a_folder_that_goes_away_comes_back(record, add, running, eventually, tmp_path):
    output = JsonFolder(record, "files", tmp_path / "out")
    (tmp_path / "out").write_bytes(b"a file")
    running(output)
    add(0)
    eventually(lambda: output.state.error is not None)
    (tmp_path / "out").unlink()
    eventually(lambda: (tmp_path / "out" / "1.json").exists())


def test_where_nothing_can_be_written(record, tmp_path):
    (tmp_path / "out").write_bytes(b"a file")
    with pytest.raises(FlawspotError, match="cannot write into"):
        JsonFolder(record, "files", tmp_path / "out")


@pytest.mark.parametrize("place", [".", "pictures", "pictures/ab"])
def test_the_station_s_own_folders(place, record):
    with pytest.raises(ConfigurationError, match="where the station keeps its own files"):
        JsonFolder(record, "files", record.path.parent / place)
