"""What enters which of the three tests, and that they go on from what was kept."""

import dataclasses

import numpy as np

from flawspot.data.drift_tests import DriftTests
from flawspot.runtime.reduced import prepare


def photograph(level):
    return prepare(np.full((8, 8, 3), level, np.uint8), 8)


def line(tests, parts):
    for score in parts:
        tests.add(photograph(40), score, score > tests.scores.threshold)
    return tests


def test_anomalous_parts_enter_the_test_on_verdicts_only(tiny_manifest):
    tests = line(DriftTests.against(tiny_manifest.calibration), [75.0, 101.0, 80.0])
    assert (tests.scores.seen, tests.share.test.seen) == (2, 3)
    assert len(tests.looks.as_arrays()["first"]) == 2
    assert tests.alarms == {"scores": False, "looks": False, "verdicts": False}


def test_each_alarm_has_its_name(tiny_manifest):
    calibration = dataclasses.replace(tiny_manifest.calibration, scores=tuple(np.linspace(1, 100, 200)))
    higher = line(DriftTests.against(calibration), [99.5] * 60)
    assert higher.alarms == {"scores": True, "looks": False, "verdicts": False}
    more = line(DriftTests.against(calibration), [*np.linspace(1, 100, 60), *[101.0] * 60])
    assert more.alarms["verdicts"]
    assert not more.alarms["looks"]


def test_they_are_restored_as_they_were(tiny_manifest):
    tests = line(DriftTests.against(tiny_manifest.calibration), [75.0, 101.0, 80.0, 99.0, 71.0, 85.0] * 10)
    restored = DriftTests.restored(tests.as_arrays(), tiny_manifest.calibration.threshold)
    want, got = tests.as_arrays(), restored.as_arrays()
    assert got.keys() == want.keys()
    for name, array in want.items():
        np.testing.assert_array_equal(got[name], array)
    assert restored.scores.evidence == tests.scores.evidence
