"""What a report on an update says of the detector."""

import pytest

from flawspot.updating import Report


def report(before: int, found: int, lost: int) -> Report:
    numbers = {"pasted": 60, "pasted_shown_before": before, "pasted_shown": found, "pasted_lost": lost}
    same = {"threshold_before": 1.0, "threshold_alike": 1.0, "threshold": 1.0, "promised_rate": 0.05}
    return Report(known=0, not_inspected=(), **same, **numbers)


@pytest.mark.parametrize(
    ("before", "found", "lost", "worse"),
    [
        (0, 0, 0, False),  # none found by either
        (50, 50, 0, False),
        (50, 46, 4, False),  # 1 of 16 by chance
        (50, 45, 5, True),  # 1 of 32
        (50, 48, 6, False),  # 6 lost, 4 gained
        (50, 43, 8, True),  # 8 lost, 1 gained: 10 of 512
        (50, 56, 0, False),
        (60, 0, 60, True),
    ],
)
def test_it_is_called_worse_beyond_chance_alone(before, found, lost, worse):
    assert report(before, found, lost).worse is worse
    assert report(before, found, lost).as_dict()["worse"] is worse
