"""The command line of the paper's second table; training is not done here."""

from pathlib import Path

import pytest
import table2


@pytest.fixture
def data(tmp_path) -> Path:
    (tmp_path / "mvtec_ad" / "bottle").mkdir(parents=True)
    return tmp_path


def test_what_is_asked_for_is_understood(data) -> None:
    options = table2.parsed(["--data", str(data), "--epochs", "1"])
    assert (options.data, options.epochs, options.rounds) == (data, 1, 3)
    assert table2.parsed(["--order", "{}"]).order == "{}"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("--data {data} --rounds 0", "--epochs and --rounds are 1 or more"),
        ("--data {data} --epochs 0", "--epochs and --rounds are 1 or more"),
        ("--data {data}/none", "--data must be a folder with mvtec_ad/bottle, not "),
        ("--rounds 1", "--data must be a folder with mvtec_ad/bottle, not left out"),
    ],
)
def test_mistakes_are_told_before_any_work(wrong, says, data, capsys) -> None:
    with pytest.raises(SystemExit) as error:
        table2.parsed(wrong.format(data=data).split())
    assert error.value.code == 2
    assert says in capsys.readouterr().err.splitlines()[-1]


def test_photographs_that_cannot_be_used_are_told_in_one_line(data, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["table2.py", "--data", str(data)])
    with pytest.raises(SystemExit) as error:
        table2.main()
    assert str(error.value.code).count("\n") == 0
    assert str(data) in str(error.value.code)
