"""The flat table of runs: one type for each column, and no column in the place of another."""

import pytest

from flawspot.benchmark.export import export, frame, rows
from flawspot.benchmark.record import FAILED
from flawspot.errors import ConfigurationError
from flawspot.runtime.manifest import Part


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_runs_are_exported_flat(tmp_path, record, suffix):
    pandas = pytest.importorskip("pandas")
    records = [record("a"), record("b", FAILED, metrics={}, parts=(), error="why, oh\nwhy")]
    out = tmp_path / f"runs{suffix}"
    export(records, out)
    table = pandas.read_csv(out) if suffix == ".csv" else pandas.read_parquet(out)
    assert list(table["key"]) == ["a", "b"]
    assert list(table["image_auroc"].fillna(-1)) == [0.9, -1]
    assert table["bytes_memory_bank"][0] == 7
    assert table["macs"][0] == 1070
    assert table["taps"][0] == "3,8,14"
    assert list(frame(records).columns) == list(table.columns)
    with pytest.raises(ConfigurationError, match=r"ends in \.csv or \.parquet"):
        export(records, tmp_path / "runs.txt")


def test_no_figure_takes_the_column_of_another(record):
    odd = record(
        metrics={"key": 0.5, "label": 1}, measured={"status": 2.0, "artifact": 3.0}, parts=(Part("x", 1, 2),),
        machine={"bytes_x": 5},
    )  # fmt: skip
    (row,) = rows([odd])
    assert (row["key"], row["label"], row["status"], row["artifact"]) == ("k", "PaDiM", "done", None)
    assert row["bytes_x"] == 1
    assert next(iter(row)) == "key"


def test_a_column_of_several_types_is_text_in_parquet(tmp_path, record):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    values = ["two", 2, True, None, 0.5]
    records = [record(str(n), machine={"odd": v}, metrics={"image_auroc": n}) for n, v in enumerate(values)]
    export(records, tmp_path / "runs.parquet")
    table = pandas.read_parquet(tmp_path / "runs.parquet")
    assert list(table["machine_odd"].fillna("")) == ["two", "2", "True", "", "0.5"]
    assert list(table["image_auroc"]) == [0, 1, 2, 3, 4]
    export(records, tmp_path / "runs.csv")
    assert list(pandas.read_csv(tmp_path / "runs.csv")["machine_odd"].fillna("")) == ["two", "2", "True", "", "0.5"]
