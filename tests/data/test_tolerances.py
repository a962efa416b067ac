"""What may be tolerated is read from what users write, and drawn within it."""

import pytest

from flawspot.data.corruptions import CORRUPTIONS
from flawspot.data.tolerances import PRESETS, Tolerance, as_tolerance
from flawspot.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("line", "line"),
        ("rotation=1, noise=2,brightness=2,blur=1,shift=2", "line"),
        ("line,copies=3", "line,copies=3"),
        ("line,rotation=0", "blur=1,noise=2,brightness=2,shift=2"),
        ({"shift": 1.25, "noise": 2}, "noise=2,shift=1.25"),
    ],
)
def test_equal_tolerances_have_one_text_which_reads_as_the_same(given, text):
    found = as_tolerance(given)
    assert found.text == text
    assert as_tolerance(text) == found


def test_what_is_asked_for_is_understood():
    assert as_tolerance("shift=2, noise=1.5").severities == {"noise": 1.5, "shift": 2}
    assert as_tolerance({"jpeg": 5, "contrast": "1"}).severities == {"jpeg": 5, "contrast": 1}
    assert as_tolerance("line").severities == PRESETS["line"]
    assert as_tolerance("line,noise=0,blur=3").severities == {
        "blur": 3,
        "brightness": 2,
        "shift": 2,
        "rotation": 1,
    }
    assert as_tolerance("line,copies=5").copies == as_tolerance({"jpeg": 1, "copies": 5}).copies == 5
    for nothing in (None, {}, "noise=0", {"noise": 0}):
        assert as_tolerance(nothing) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("fog=1", "tolerate 'fog': choose of blur, noise, jpeg, brightness, contrast, shift, rotation"),
        ({3: 1}, "tolerate '3': choose of"),
        ("noise", "tolerate 'noise': give NAME=SEVERITY with a name of .*, or a preset: line"),
        ("noise=6", "tolerate noise=6: a severity is a number from 0 to 5"),
        ("noise=-1", "a severity is a number from 0 to 5"),
        ("noise=nan", "a severity is a number from 0 to 5"),
        ("noise=", "a severity is a number from 0 to 5"),
        ({"noise": True}, "a severity is a number from 0 to 5"),
        ({"noise": None}, "a severity is a number from 0 to 5"),
        ("noise=1,noise=2", "tolerate noise is given twice"),
        (3, "tolerate 3: give severities by name"),
        ("", "tolerate '' names nothing: give NAME=SEVERITY"),
        (" , ", "names nothing: give NAME=SEVERITY"),
        ("copies=3", "tolerate 'copies=3' names nothing: give NAME=SEVERITY with a name of .*, or a preset: line"),
    ],
)
def test_what_cannot_be_is_refused_with_the_cure(given, message):
    with pytest.raises(ConfigurationError, match=message):
        as_tolerance(given)


@pytest.mark.parametrize("copies", [0, 21, True, 1.5, None, "", "9" * 5000, "\u0663"])
def test_copies_are_few(copies):
    with pytest.raises(ConfigurationError, match="give a whole number from 1 to 20"):
        as_tolerance({"noise": 1, "copies": copies})


def test_severities_are_drawn_up_to_the_stated_ones():
    tolerance = Tolerance({"noise": 2.0, "shift": 0.5})
    drawn = [tolerance.drawn(seed) for seed in range(400)]
    assert drawn[7] == tolerance.drawn(7)
    for name, most in tolerance.severities.items():
        values = [each[name] for each in drawn]
        assert 0 <= min(values) < 0.05 * most
        assert 0.95 * most < max(values) <= most
        assert sum(values) / len(values) == pytest.approx(most / 2, rel=0.1)
    more = Tolerance(dict.fromkeys(CORRUPTIONS, 2.0)).drawn(7)
    assert more["noise"] == drawn[7]["noise"]
