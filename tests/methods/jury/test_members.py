"""Members are read as they are written, and what cannot be read is refused with the cure."""

import pytest

from flawspot.errors import ConfigurationError
from flawspot.methods.jury.members import Member, parse, part_name
from flawspot.methods.registry import create_method


def test_they_are_read_as_they_are_written():
    found = parse("patchcore:bank_size=2000, sigma=2 + 0.3*pasted@3,6,10 +padim@equiv:covariance=diagonal")
    assert found == (
        Member("patchcore", None, (("bank_size", "2000"), ("sigma", "2")), 1.0),
        Member("pasted", "3,6,10", (), 0.3),
        Member("padim", "equiv", (("covariance", "diagonal"),), 1.0),
    )
    assert [member.taps((3, 8), "mobilenet_v2") for member in found] == [(3, 8), (3, 6, 10), (3, 8, 14)]


def test_a_plus_in_a_number_separates_nothing():
    assert parse("paste:learning_rate=1e+0 + padim")[0].settings == (("learning_rate", "1e+0"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("padim", "a jury has 2 to 8 members, not 1"),
        ("", "cannot be read"),
        ("padim + ", "cannot be read"),
        ("padim + Paste", "cannot be read"),
        ("padim + paste:epochs", "'epochs' of paste is not NAME=VALUE"),
        ("padim:channels=20,channels=30 + paste", "channels of padim is given twice: leave one out"),
        ("padim + -1*paste", "the weight -1 of paste must be above 0"),
        ("padim + 0*paste", "the weight 0 of paste must be above 0"),
        ("padim + 1e999*paste", "must be above 0 and at most 1000"),
        ("padim + nothing", "unknown method 'nothing'"),
        ("padim + paste:epochs=0", "epochs must be at least 1"),
        ("padim + paste:colour=1", "paste has no hyperparameter 'colour'"),
        (" + ".join(["padim"] * 9), "a jury has 2 to 8 members, not 9"),
        ("padim + jury", "a jury cannot sit on a jury"),
    ],
)
def test_what_cannot_be_read_is_refused(text, message):
    with pytest.raises(ConfigurationError, match=message):
        create_method("jury", {"members": text})


def test_layers_that_the_backbone_has_not_are_refused():
    jury = create_method("jury", {"members": "padim@3,99 + pasted"})
    with pytest.raises(ConfigurationError, match="99"):
        jury.required((3, 6), "mobilenet_v2")


def test_parts_are_told_apart():
    members = parse("padim + pasted + padim")
    assert [part_name(number, members, "network") for number in range(3)] == [
        "padim 1: network",
        "pasted: network",
        "padim 2: network",
    ]
