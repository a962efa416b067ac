"""Many predictions as one table, with pandas and without."""

import sys

import numpy as np
import pandas
import pytest

import flawspot
from flawspot.errors import ConfigurationError
from flawspot.runtime.artifact import assemble
from flawspot.runtime.table import rows

COLUMNS = [
    *("path", "severity", "is_anomalous", "score", "threshold", "p_value"),
    *("regions", "anomalous_share", "box", "width", "height", "seconds", "verdict", "error"),
]


@pytest.fixture
def predictions(tiny_model, tiny_manifest):
    """Of a good photograph, and one that is anomalous in a quarter."""
    detector = flawspot.load(assemble(tiny_model, tiny_manifest), threads=1)
    images = np.full((2, 8, 8, 3), 50, np.uint8)
    images[1, :4, 4:] = 200
    return detector.predict(images)


def expected(table) -> None:
    assert list(table) == COLUMNS
    assert list(table["severity"]) == [0.5, 2.0]
    assert list(table["is_anomalous"]) == [False, True]
    assert list(table["regions"]) == [0, 1]
    assert list(table["anomalous_share"]) == [0.0, 0.25]
    assert list(table["box"])[1] == (4, 0, 8, 4)


def test_a_data_frame_where_pandas_is_there(predictions):
    table = flawspot.table(predictions)
    assert isinstance(table, pandas.DataFrame)
    expected(table)
    assert table.is_anomalous.dtype == bool
    assert len(flawspot.table([])) == 0


def test_columns_where_it_is_not(predictions, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    table = flawspot.table(predictions)
    assert isinstance(table, dict)
    expected(table)
    assert flawspot.table([]) == {name: [] for name in COLUMNS}


def test_rows(predictions):
    good, bad = rows(iter(predictions))
    assert list(good) == COLUMNS
    assert (good["severity"], bad["severity"], good["box"]) == (0.5, 2.0, None)


@pytest.mark.parametrize("with_pandas", [True, False])
def test_what_was_not_inspected_is_neither_good_nor_bad(tiny_model, tiny_manifest, monkeypatch, with_pandas):
    if not with_pandas:
        monkeypatch.setitem(sys.modules, "pandas", None)
    detector = flawspot.load(assemble(tiny_model, tiny_manifest), threads=1)
    table = flawspot.table(detector.predict([np.zeros((8, 8, 3), np.uint8), "missing.png"]))
    assert list(table["verdict"]) == ["good", "not inspected"]
    assert list(table["is_anomalous"]) == [False, None]
    assert "no such file" in list(table["error"])[1]


def test_a_single_prediction_is_a_row(predictions):
    assert rows(predictions[1]) == rows([predictions[1]])
    assert len(flawspot.table(predictions[0])) == 1


@pytest.mark.parametrize("wrong", [3, None, "a.png", [predictions, 3], [{"path": "a" * 1000}]])
def test_what_is_no_prediction(wrong):
    with pytest.raises(ConfigurationError, match="made of predictions") as error:
        flawspot.table(wrong)
    assert len(str(error.value)) < 200
