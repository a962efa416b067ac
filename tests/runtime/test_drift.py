import random

import numpy as np
import pytest

from flawspot.errors import ArtifactError
from flawspot.runtime.drift import ALARM, RECENT, REMEMBERED, Drift, Share
from flawspot.runtime.tensors import read_tensors, write_tensors


def watched(scores, held_out, threshold=np.inf):
    """The number of scores until the alarm; None where there is none."""
    drift = Drift([float(score) for score in held_out], threshold)
    for number, score in enumerate(scores, 1):
        drift.add(float(score))
        if drift.alarm:
            return number
    return None


@pytest.mark.parametrize("count", [3, 20, 200])
def test_good_parts_hardly_ever_alarm(count):
    """200 lines of 2,000 parts each, of which one in 1,000 may; few held-out scores are no excuse."""
    generator = np.random.default_rng(count)
    alarms = [
        watched(generator.normal(size=2000), generator.normal(size=count), threshold=2.0) is not None
        for _ in range(200)
    ]
    assert sum(alarms) <= 2


def test_a_hundred_thousand_good_parts_do_not_alarm():
    generator = np.random.default_rng(0)
    drift = Drift(list(generator.normal(size=50)), 3.0)
    for score in generator.normal(size=100_000):
        drift.add(float(score))
    assert not drift.alarm
    assert drift.seen > 99_000
    assert len(drift._scores) == REMEMBERED


@pytest.mark.parametrize(("shift", "within"), [(1.0, 150), (2.0, 90), (-1.0, 150)])
def test_a_change_is_seen_soon(shift, within):
    generator = np.random.default_rng(1)
    found = []
    for _ in range(20):
        scores = np.concatenate([generator.normal(size=500), generator.normal(shift, size=1000)])
        number = watched(scores, generator.normal(size=50))
        assert number is not None
        found.append(number - 500)
    assert min(found) > 0
    assert np.median(found) < within


def test_what_creeps_in_is_seen():
    generator = np.random.default_rng(2)
    creeping = generator.normal(size=3000) + np.linspace(0, 2, 3000)
    assert watched(creeping, generator.normal(size=50)) < 2000


def test_equal_scores_say_nothing():
    """Ranks of equal scores are drawn, as the theory wants it."""
    assert watched([5.0] * 20_000, [5.0] * 30) is None


def test_anomalous_parts_and_what_is_no_number_are_passed_over():
    drift = Drift([1.0, 2.0, 3.0], 3.0)
    for score in (50.0, float("nan"), float("inf")):
        drift.add(score)
    assert (drift.seen, drift.capital, drift.alarm) == (0, 1.0, False)


def test_the_capital_is_a_martingale():
    """Over many short lines its mean stays 1."""
    generator = np.random.default_rng(3)
    capitals = []
    for _ in range(4000):
        drift = Drift(list(generator.normal(size=10)), np.inf, seed=int(generator.integers(2**31)))
        for score in generator.normal(size=20):
            drift.add(float(score))
        capitals.append(drift.capital)
    assert np.mean(capitals) == pytest.approx(1.0, abs=3 * np.std(capitals) / 4000**0.5)


def test_evidence_is_told_in_powers_of_ten():
    drift = Drift([float(number) for number in range(100)], np.inf)
    assert drift.evidence == 0.0
    while not drift.alarm:
        drift.add(1000.0)
    assert drift.evidence == pytest.approx(np.log10(ALARM), abs=0.5)


def shared(verdicts):
    """The number of verdicts until the share's alarm; None where there is none."""
    share = Share()
    for number, anomalous in enumerate(verdicts, 1):
        share.add(bool(anomalous))
        if share.alarm:
            return number
    return None


@pytest.mark.parametrize("defective", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_a_share_that_stays_hardly_ever_alarms(defective):
    generator = np.random.default_rng(int(100 * defective))
    assert sum(shared(generator.random(1000) < defective) is not None for _ in range(100)) <= 1


@pytest.mark.parametrize(("before", "after", "within"), [(0.02, 1.0, 40), (0.02, 0.5, 90), (0.0, 1.0, 40)])
def test_where_all_parts_become_anomalous_it_is_seen_soon(before, after, within):
    generator = np.random.default_rng(3)
    found = []
    for _ in range(20):
        verdicts = np.concatenate([generator.random(200) < before, generator.random(300) < after])
        found.append(shared(verdicts) - 200)
    assert min(found) > 0
    assert np.median(found) <= within


def test_a_share_is_told():
    share = Share()
    for number in range(250):
        share.add(number >= 200)
    assert str(share) == "called anomalous: 100 % of the last 50 parts, 0 % of all before these"


@pytest.fixture
def without_chance(monkeypatch):
    """Ranks have no random part, which a restored test draws anew."""
    monkeypatch.setattr(random.Random, "uniform", lambda self, low, high: (low + high) / 2)


def filed(arrays):
    """They come from a file."""
    return read_tensors(b"".join(write_tensors(arrays, {})))[0]


@pytest.mark.parametrize("when", [0, 1, 150, 260])
def test_a_restored_test_goes_on_as_if_never_interrupted(without_chance, when):
    generator = np.random.default_rng(5)
    held_out, scores = generator.normal(size=30).tolist(), generator.normal(np.linspace(0, 3, 300)).tolist()
    whole, drift = Drift(held_out, 5.0), Drift(held_out, 5.0)
    for number, score in enumerate(scores):
        if number == when:
            drift = Drift.restored(filed(drift.as_arrays()), 5.0)
        whole.add(score)
        drift.add(score)
    assert (drift.capital, drift.highest, drift.seen, drift.alarm) == (whole.capital, whole.highest, 300, True)
    assert (drift._scores, drift._shares) == (whole._scores, whole._shares)


@pytest.mark.parametrize("level", [1.0, 1000.0])
def test_the_least_and_the_largest_capital_are_restored(level):
    """Long after a change and after very long without one, when capital was put aside or lent."""
    drift = Drift([float(number) for number in range(100)], np.inf)
    generator = np.random.default_rng(0)
    for number in range(3000):
        drift.add(level + number if level > 1 else float(generator.uniform(0, 99)))
    restored = Drift.restored(drift.as_arrays(), np.inf)
    assert (restored.capital, restored.highest, restored.evidence) == (drift.capital, drift.highest, drift.evidence)


def test_ties_stay_ties_and_their_order_is_drawn_anew():
    drift = Drift([0.1 + 0.2, 0.3], 1.0)
    orders = []
    for _ in range(3):
        drift.add(0.1 + 0.2)
        drift = Drift.restored(filed(drift.as_arrays()), 1.0)
        orders.append(drift._random.random())
    assert drift._scores == [0.3, *[0.1 + 0.2] * 4]
    assert len(set(orders)) == 3
    assert orders[-1] == Drift.restored(drift.as_arrays(), 1.0)._random.random()
    assert orders[-1] != Drift.restored(drift.as_arrays(), 1.0, seed=1)._random.random()


@pytest.mark.parametrize(
    "damage",
    [
        {"scores": np.array([2.0, 1.0, 3.0])},
        {"scores": np.array([1.0, 2.0, 9.0])},
        {"scores": np.array([1.0, np.nan, 3.0])},
        {"scores": np.array([1.0, 2.0, 3.0], np.float32)},
        {"scores": np.array([[1.0, 2.0, 3.0]])},
        {"scores": np.array([1.0])},
        {"shares": np.array([0.5, 0.5])},
        {"shares": np.array([2.0, -0.5, -0.5])},
        {"shares": np.array([1.0, 1.0, 1.0])},
        {"shares": np.array([np.inf, 0.5, 0.5])},
        {"capitals": np.array([1.0, 0.5])},
        {"capitals": np.array([0.0, 1.0])},
        {"capitals": np.array([1.0, 1e13])},
        {"seen": np.array([-1])},
        {"seen": np.array([2**62])},
        {"seen": np.array([2.0])},
        {"seen": None},
    ],
)
def test_hostile_arrays_are_no_test(damage):
    drift = Drift([1.0, 2.0], 3.0)
    drift.add(1.5)
    drift.add(2.5)
    arrays = {name: array for name, array in {**drift.as_arrays(), **damage}.items() if array is not None}
    with pytest.raises(ArtifactError, match="damaged"):
        Drift.restored(arrays, 3.0)


@pytest.mark.parametrize("count", [0, 7, RECENT, RECENT + 40])
def test_a_restored_share_says_the_same(count):
    share = Share()
    for number in range(count):
        share.add(number % 3 == 0)
    restored = Share.restored(filed(share.as_arrays()))
    assert str(restored) == str(share)
    for number in range(200):
        share.add(number > 20)
        restored.add(number > 20)
    assert str(restored) == str(share)
    assert restored.alarm
    assert restored.test.seen == share.test.seen == count + 200


@pytest.mark.parametrize(
    "damage",
    [
        {"before": np.array([31])},
        {"before": np.array([-1])},
        {"recent": np.array([0, 1], np.uint8)},
        {"recent": np.full(RECENT, 2, np.uint8)},
        {"recent": np.zeros(RECENT)},
        {"test/scores": np.full(80, 0.5)},
    ],
)
def test_hostile_arrays_are_no_share(damage):
    share = Share()
    for number in range(80):
        share.add(number % 2 == 0)
    with pytest.raises(ArtifactError, match="damaged"):
        Share.restored({**share.as_arrays(), **damage})
