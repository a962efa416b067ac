"""What a report on an update says of the detector."""

import pytest

from flawspot.updating.report import Found, Report


def report(alone: Found, alike: Found) -> Report:
    same = {"threshold_before": 1.0, "threshold_alike": 1.0, "threshold": 1.0, "promised_rate": 0.05}
    return Report(known=0, not_inspected=(), **same, pasted=60, pasted_alone=alone, pasted_alike=alike)


@pytest.mark.parametrize(
    ("before", "now", "lost", "fewer"),
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
def test_fewer_is_beyond_chance_alone(before, now, lost, fewer):
    found, same = Found(before, now, lost), Found(50, 50, 0)
    assert found.fewer is fewer
    assert found.gained == now - before + lost
    assert report(same, found).as_dict() | {"worse": fewer, "finds_fewer": False} == report(same, found).as_dict()
    assert report(found, same).as_dict() | {"worse": False, "finds_fewer": fewer} == report(found, same).as_dict()
