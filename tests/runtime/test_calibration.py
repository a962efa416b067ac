"""The conformal threshold keeps its promise."""

import numpy as np
import pytest

from flawspot.errors import ConfigurationError, DataError
from flawspot.runtime.calibration import (
    calibrate,
    images_needed,
    outlying,
    p_value,
    price,
    proved_rate,
    recalibrate,
    remarks,
    set_threshold,
    shortfall,
)
from flawspot.runtime.manifest import CalibrationInfo


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.29, 0.5])
@pytest.mark.parametrize("count", [1, 9, 42, 99, 100, 250])
def test_the_threshold_and_the_p_value_agree(rate: float, count: int) -> None:
    scores = np.random.default_rng(count).normal(size=count).tolist()
    calibration = calibrate(scores, rate)
    for score in [*np.linspace(-3, 3, 101).tolist(), *scores]:
        assert (score > calibration.threshold) == (p_value(score, calibration) <= calibration.promised_rate + 1e-12)


def test_the_false_alarm_rate_holds_on_new_good_parts() -> None:
    generator = np.random.default_rng(0)
    alarms = []
    for _ in range(2000):
        held_out = generator.normal(size=60)
        alarms.append(generator.normal() > calibrate(held_out.tolist(), 0.1).threshold)
    assert np.mean(alarms) < 0.1 + 3 * np.sqrt(0.1 * 0.9 / 2000)


def test_ties_count_against_an_alarm() -> None:
    assert p_value(1.0, calibrate([1.0, 1.0, 0.0])) == 3 / 4
    assert calibrate([0.0, 1.0, 1.0], 0.25).threshold == 1.0


def test_too_few_images_promise_what_they_can() -> None:
    calibration = calibrate([3.0, 1.0, 2.0], 0.01)
    assert calibration.threshold == calibration.region_threshold == 3.0
    assert calibration.promised_rate == 0.25
    assert calibration.scores == (1.0, 2.0, 3.0)
    message = shortfall(calibration)
    assert message is not None
    assert "0.25" in message
    assert "99 held-out photographs" in message
    assert "--calibration cross" in message
    for_updates = shortfall(calibration, updatable=True)  # which --calibration cross does not go with
    assert for_updates is not None
    assert "99 held-out photographs" in for_updates
    assert "cross" not in for_updates


def test_enough_images_need_no_warning() -> None:
    scores = list(map(float, range(99)))
    assert shortfall(calibrate(scores, 0.01)) is None
    assert shortfall(calibrate(scores[1:], 0.01)) is not None


@pytest.mark.parametrize(("rate", "count"), [(0.01, 99), (0.05, 19), (0.5, 1), (0.001, 999)])
def test_images_needed(rate: float, count: int) -> None:
    assert images_needed(rate) == count


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="false-alarm rate"):
        calibrate([1.0], rate)


@pytest.mark.parametrize("scores", [[], [float("nan")], [float("inf"), 1.0]])
def test_scores_must_be_there_and_finite(scores: list[float]) -> None:
    with pytest.raises(DataError):
        calibrate(scores, 0.1)


RATES = [5e-324, 1e-300, 1e-17, 1e-10, 1 / 3, 0.5, 1 - 1e-3, 1 - 1e-9, 1 - 1e-10, 1 - 2**-53]


@pytest.mark.parametrize("count", [1, 2, 3, 10, 99, 1000])
@pytest.mark.parametrize("rate", RATES)
def test_rates_at_the_borders(rate: float, count: int) -> None:
    """Every rate in (0, 1) gives the threshold that promises it, or the nearest that so many images can tell."""
    calibration = calibrate([float(score) for score in range(1, count + 1)], rate)
    alarms = (
        sum(score > calibration.threshold for score in calibration.scores) + 1
    )  # of count + 1 equally likely places
    assert 1 <= alarms <= count
    assert alarms / (count + 1) <= calibration.promised_rate * (1 + 1e-9)
    # One more would break the promise, unless there is no lower threshold.
    assert alarms == count or (alarms + 1) / (count + 1) > rate
    warning = shortfall(calibration)
    assert (warning is None) == (count >= images_needed(rate))
    assert warning is None or warning.isprintable()


def test_every_rate_that_a_count_can_promise_exactly() -> None:
    for count in range(1, 60):
        scores = [float(score) for score in range(count)]
        for alarms in range(1, count + 1):
            for rate in (alarms / (count + 1), np.nextafter(alarms / (count + 1), 1), alarms / (count + 1) + 1e-6):
                assert calibrate(scores, float(rate)).threshold == count - alarms


def test_another_rate_from_the_same_images() -> None:
    first = calibrate([4.0, 1.0, 3.0, 2.0], 0.2)
    assert recalibrate(first, 0.6) == calibrate([4.0, 1.0, 3.0, 2.0], 0.6)


def test_an_old_calibration_keeps_a_threshold_for_the_map() -> None:
    old = CalibrationInfo(0.2, 0.2, 4.0, (1.0, 2.0, 3.0, 4.0), pixel_threshold=8.0, map_maxima=(5.0, 6.0, 7.0, 8.0))
    assert old.region_threshold == 8.0
    changed = recalibrate(old, 0.6)
    assert (changed.threshold, changed.pixel_threshold, changed.region_threshold) == (2.0, 6.0, 6.0)
    assert (changed.scores, changed.map_maxima) == (old.scores, old.map_maxima)


def test_groups_of_one_are_no_groups() -> None:
    scores = [3.0, 1.0, 2.0]
    assert calibrate(scores, 0.3, groups=[7, 2, 9]) == calibrate(scores, 0.3)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3])
def test_frames_of_one_part_are_no_news(rate: float) -> None:
    """Ten parts, each photographed several times: the threshold and the p-value are as for one photograph a part."""
    generator = np.random.default_rng(1)
    parts = generator.normal(size=10)
    sizes = generator.integers(1, 5, 10)
    scores, groups = np.repeat(parts, sizes).tolist(), np.repeat(np.arange(10), sizes).tolist()
    grouped, single = calibrate(scores, rate, groups=groups), calibrate(parts.tolist(), rate)
    assert grouped.threshold == single.threshold
    assert grouped.promised_rate == single.promised_rate
    for score in np.linspace(-3, 3, 41).tolist():
        assert p_value(score, grouped) == pytest.approx(p_value(score, single))
    assert "10 held-out groups" in (shortfall(calibrate(scores, 0.01, groups=groups)) or "")


def test_the_rate_holds_on_new_parts_of_many_frames() -> None:
    """Frames of a part score alike: without groups the rate would be missed by far, with them it holds."""
    generator = np.random.default_rng(0)
    grouped, naive = [], []
    for _ in range(1500):
        parts = generator.normal(size=20)
        sizes = generator.integers(1, 8, 20)
        frames = np.repeat(parts, sizes) + generator.normal(size=sizes.sum(), scale=0.1)
        new = generator.normal() + generator.normal(scale=0.1)
        groups = np.repeat(np.arange(20), sizes)
        grouped.append(new > calibrate(frames.tolist(), 0.1, groups=groups.tolist()).threshold)
        naive.append(new > calibrate(frames.tolist(), 0.02).threshold)
    assert np.mean(grouped) < 0.1 + 3 * np.sqrt(0.1 * 0.9 / 1500)
    assert np.mean(naive) > 0.03


@pytest.mark.parametrize("groups", [[], [0, 0, 1, 1, 1, 2, 3, 4]])
def test_a_threshold_and_its_p_value_agree_with_groups(groups: list[int]) -> None:
    scores = [1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 5.0, 6.0]
    for rate in (0.1, 0.2, 0.25, 0.4, 0.6, 0.9):
        calibration = calibrate(scores, rate, groups=groups)
        for score in np.arange(0, 8, 0.25).tolist():
            alarm = score > calibration.threshold
            promised = p_value(score, calibration) <= calibration.promised_rate + 1e-12
            # Below all scores nothing is told apart, so there an alarm may be missing.
            assert alarm == promised or score <= min(scores)


def test_what_is_proved() -> None:
    scores = list(map(float, range(100)))
    assert proved_rate(calibrate(scores, 0.05)) == 0.05
    cross = proved_rate(calibrate(scores, 0.05, folds=5))
    assert cross == pytest.approx(0.1 + min(2 * 0.8 / 21, 0.95 / 6))  # theorem 4 of Barber et al.
    assert proved_rate(calibrate(scores, 0.05, rule="pareto")) is None
    assert proved_rate(set_threshold(calibrate(scores, 0.05), 3.5)) is None


def test_files_stay_with_their_scores() -> None:
    calibration = calibrate([3.0, 1.0, 2.0], 0.3, names=["c", "a", "b"], hashes=["3", "1", "2"], groups=[5, 5, 6])
    assert calibration.names == ("a", "b", "c")
    assert calibration.hashes == ("1", "2", "3")
    assert calibration.groups == (0, 1, 0)
    assert recalibrate(calibration, 0.5).names == calibration.names


def test_a_given_threshold_tells_the_rate_that_goes_with_it() -> None:
    calibration = set_threshold(calibrate(list(map(float, range(9))), 0.1), 6.5)
    assert (calibration.threshold, calibration.rule) == (6.5, "value")
    assert calibration.promised_rate == pytest.approx(3 / 10)
    assert shortfall(calibration) is None
    assert set_threshold(calibration, 8.0).promised_rate == pytest.approx(1 / 10)
    for wrong in (float("nan"), float("inf"), 1e20):
        with pytest.raises(ConfigurationError, match="finite"):
            set_threshold(calibration, wrong)
    assert recalibrate(calibration, calibration.false_alarm_rate).threshold == 8.0  # the rate that was asked stays


def test_an_unknown_rule() -> None:
    with pytest.raises(ConfigurationError, match="conformal, pareto"):
        calibrate([1.0], 0.1, rule="guess")


def test_a_rate_has_its_price_in_recall() -> None:
    scores, pasted = list(map(float, range(100))), list(map(float, range(50, 150)))
    prices = price(calibrate(scores, 0.05, pasted=pasted), (0.01, 0.02, 0.05))
    assert [(p.rate, p.threshold, p.recall) for p in prices] == [(0.01, 99, 0.5), (0.02, 98, 0.51), (0.05, 95, 0.54)]
    few = price(calibrate([1.0, 2.0], 0.05, pasted=[1.5, 3.0]))
    assert [(p.rate, p.recall) for p in few] == [(1 / 3, 0.5)]  # all three rates come to the same threshold
    assert price(calibrate(scores, 0.05)) == []


def test_the_shipped_threshold_has_its_own_share_of_pasted_defects() -> None:
    """Also where it was given by hand, so that it is none of those that rates give."""
    calibration = calibrate(list(map(float, range(100))), 0.05, pasted=list(map(float, range(50, 150))))
    assert calibration.pasted_found == 0.54
    assert set_threshold(calibration, 120.5).pasted_found == 0.29
    assert calibrate([1.0, 2.0], 0.05).pasted_found is None


def test_bad_parts_among_the_good_are_named() -> None:
    """One bad photograph raised the threshold from 12 to 24, and nobody was told."""
    scores = [*np.linspace(8, 12, 40).tolist(), 24.0]
    names = [f"{index}.png" for index in range(41)]
    calibration = calibrate(scores, 0.01, names=names)
    assert outlying(calibration.scores) == [40]
    told = remarks(calibration)
    assert len(told) == 2
    assert told[1].startswith(
        "40.png scores unusually high for good photographs: 24; the next scores 12, three quarters at most 11"
    )
    assert "would be 12, not 24" in told[1]
    assert outlying(scores[:-1]) == []
    assert outlying([1.0, 1.0, 1.0, 1.0, 1.0, 1.0000001]) == []
    assert remarks(calibrate(list(map(float, range(99))), 0.01)) == []
