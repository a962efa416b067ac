"""Budgets as people write them."""

import pytest

from flawspot.choosing.budget import Budget, bytes_text, macs_text, seconds
from flawspot.errors import ConfigurationError


def test_units():
    assert Budget.read("5MB", "300M", "20ms", "256KB") == Budget(5_000_000, 300_000_000, 20.0, 256_000)
    assert Budget.read("2.5 MiB", "1.2 G", "0.5s", "320kib") == Budget(2_621_440, 1_200_000_000, 500.0, 327_680)
    assert Budget.read(4096, 1e6, 7, None) == Budget(4096, 1_000_000, 7.0, None)
    assert Budget.read() == Budget()
    assert (seconds("30min"), seconds("90 s"), seconds("2h"), seconds(5), seconds(None)) == (1800, 90, 7200, 5, None)


@pytest.mark.parametrize(
    "text", ["", "5", "MB", "-5MB", "0MB", "5 furlongs", "5MBps", "1e9MB", "nan", "5MB 5MB", "٣MB"]
)
def test_what_is_no_size_is_refused(text):
    if text == "5":  # of bytes
        assert Budget.read(text).memory == 5
        return
    with pytest.raises(ConfigurationError, match="memory must be a number above 0 with one of"):
        Budget.read(text)


@pytest.mark.parametrize("number", [0, -1, float("nan"), float("inf"), 10**400, True])
def test_what_is_no_number_is_refused(number):
    with pytest.raises(ConfigurationError, match="latency must be a number above 0"):
        Budget.read(latency=number)


def test_units_of_one_are_not_those_of_another():
    for wrong in ({"memory": "5M"}, {"macs": "5MB"}, {"latency": "5min"}, {"arena": "5ms"}):
        with pytest.raises(ConfigurationError, match=f"{next(iter(wrong))} must be"):
            Budget.read(**wrong)


def test_what_goes_beyond_is_told():
    budget = Budget.read("1MB", "10M", "5ms", "100KB")
    assert budget.beyond_plan(10**6, 10**7, 10**5) is None
    told = budget.beyond_plan(2 * 10**6, 2 * 10**7, 2 * 10**5)
    assert told == "stores 2 MB, computes 20 M, needs at least 200 KB of working memory"
    assert budget.said() == "1 MB of memory, 10 M multiply-accumulates, 5 ms, 100 KB of working memory"
    assert Budget().said() == "no limit"
    assert (bytes_text(999), bytes_text(4_310_000), macs_text(1.25e9), macs_text(4e5)) == (
        "999 bytes",
        "4.31 MB",
        "1.25 G",
        "0.4 M",
    )


def test_rounded_up_it_is_one_of_the_next_unit():
    assert [bytes_text(count) for count in (1, 999_400, 999_999, 999_999_999)] == ["1 byte", "999 KB", "1 MB", "1 GB"]
    assert (macs_text(999_999_999), macs_text(999_400_000)) == ("1 G", "999 M")
