"""Sorted runs, in memory and through a file."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from flawspot.errors import FlawspotError
from flawspot.metrics.runs import SortedRuns


def collect(runs: SortedRuns) -> list[list[float]]:
    with runs.sorted() as pieces:
        return [piece.tolist() for piece in pieces]


def test_what_fits_is_one_run_and_no_file(tmp_path: Path) -> None:
    runs = SortedRuns(4, np.float32, tmp_path / "missing")
    runs.append(np.array([3.0, 1.0]))
    runs.append(np.array([2.0, 0.0]))
    assert collect(runs) == [[0.0, 1.0, 2.0, 3.0]]


@pytest.mark.parametrize("pieces", [1, 3, 20])
def test_what_does_not_fit_comes_back_from_the_file(pieces: int, tmp_path: Path) -> None:
    values = np.random.default_rng(0).permutation(20).astype(np.float32)
    runs = SortedRuns(6, np.float32, tmp_path)
    for piece in np.array_split(values, pieces):
        runs.append(piece)
    found = collect(runs)
    assert [len(run) for run in found] == [2, 6, 6, 6]
    assert all(run == sorted(run) for run in found)
    assert sorted(value for run in found for value in run) == list(range(20))
    runs.close()
    assert not list(tmp_path.iterdir())


def test_more_can_follow_a_look(tmp_path: Path) -> None:
    runs = SortedRuns(3, np.float32, tmp_path)
    runs.append(np.array([5.0, 4.0, 3.0, 2.0]))
    assert collect(runs) == [[2.0], [3.0, 4.0, 5.0]]
    runs.append(np.array([1.0, 0.0, 6.0]))
    assert collect(runs) == [[6.0], [3.0, 4.0, 5.0], [0.0, 1.0, 2.0]]
    runs.close()


def test_an_error_while_the_runs_are_in_use_leaves_no_file(tmp_path: Path) -> None:
    runs = SortedRuns(2, np.float32, tmp_path)
    runs.append(np.arange(5.0))
    with pytest.raises(KeyboardInterrupt), runs.sorted():
        raise KeyboardInterrupt
    runs.close()
    assert not list(tmp_path.iterdir())


def test_an_array_kept_by_an_error_does_not_hide_the_error(tmp_path: Path) -> None:
    runs = SortedRuns(2, np.float32, tmp_path)
    runs.append(np.arange(5.0))
    with pytest.raises(KeyboardInterrupt), runs.sorted() as pieces:
        kept = pieces[1]
        raise KeyboardInterrupt
    runs.close()
    assert kept.tolist() == [0.0, 1.0]


def test_a_capacity_of_nothing_still_takes_values(tmp_path: Path) -> None:
    runs = SortedRuns(0, np.float32, tmp_path)
    assert collect(runs) == [[]]
    runs.append(np.array([2.0, 1.0]))
    assert collect(runs) == [[1.0], [2.0]]
    runs.close()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    runs = SortedRuns(1, np.float32, tmp_path / "missing")
    with pytest.raises(FlawspotError, match="cannot write a temporary file"):
        runs.append(np.arange(2.0))


def test_a_first_write_that_fails_leaves_the_values_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        """A temporary file on a full disk."""

        def __init__(self, **_: object) -> None:
            self.file = tempfile.SpooledTemporaryFile()  # noqa: SIM115
            self.seek, self.close = self.file.seek, self.file.close

        def write(self, _: object) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    runs = SortedRuns(2, np.float32, tmp_path)
    with pytest.raises(FlawspotError, match="No space left"):
        runs.append(np.array([2.0, 1.0, 3.0]))
    assert collect(runs) == [[1.0, 2.0]]
    runs.close()
