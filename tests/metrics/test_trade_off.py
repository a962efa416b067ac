"""What a threshold costs, and the ones that are chosen by it."""

import numpy as np
import pytest

from flawspot.errors import ConfigurationError, DataError
from flawspot.metrics.trade_off import at_escape_rate, at_recall, best_f1, trade_off

SCORES = [1.0, 2.0, 3.0, 4.0, 2.0, 3.5, 5.0, 6.0]
LABELS = np.array([False] * 4 + [True] * 4)


def test_every_threshold_once() -> None:
    points = trade_off(SCORES, LABELS)
    counted = [(p.threshold, p.false_alarms, p.found) for p in points[1:]]
    assert counted == [(1.5, 3, 4), (2.5, 2, 3), (3.25, 1, 3), (3.75, 1, 2), (4.5, 0, 2), (5.5, 0, 1), (6, 0, 0)]
    assert points[0].threshold < 1
    assert (points[0].false_alarms, points[0].escapes) == (4, 0)


def test_choices() -> None:
    points = trade_off(SCORES, LABELS)
    assert best_f1(points).threshold == 3.25
    assert at_recall(points, 0.75).threshold == 3.25
    assert at_recall(points, 1.0).threshold == 1.5
    assert at_recall(points, 0.01).threshold == 5.5


def test_an_escape_rate_with_its_confidence() -> None:
    """59 photographs without an escape show 5 % with 95 % confidence; 93 are needed where one may escape (Wilks)."""
    for count, allowed in ((59, 0), (93, 1)):
        scores = [0.0, *np.arange(1.0, count + 1).tolist()]
        labels = np.array([False] + [True] * count)
        assert at_escape_rate(trade_off(scores, labels), 0.05).escapes == allowed
    with pytest.raises(DataError, match="this needs 59"):
        at_escape_rate(trade_off(scores[:30], labels[:30]), 0.05)


def test_the_escape_rate_holds() -> None:
    generator = np.random.default_rng(0)
    missed = 0
    for _ in range(400):
        scores = [-9.0, *generator.normal(size=100).tolist()]
        point = at_escape_rate(trade_off(scores, np.array([False] + [True] * 100)), 0.1)
        missed += np.mean(generator.normal(size=4000) <= point.threshold) > 0.1
    assert missed / 400 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize("labels", [[True, True], [False, False]])
def test_one_class_trades_nothing(labels: list[bool]) -> None:
    with pytest.raises(DataError, match=r"no (good|defective) photographs"):
        trade_off([1.0, 2.0], np.array(labels))


def test_out_of_range() -> None:
    points = trade_off(SCORES, LABELS)
    for wrong in (0.0, 1.5):
        with pytest.raises(ConfigurationError):
            at_recall(points, wrong)
    with pytest.raises(ConfigurationError):
        at_escape_rate(points, 0.0)
