"""Who is a member of a jury, as its state has it."""

import numpy as np
import pytest

from flawspot.errors import ArtifactError, ConfigurationError
from flawspot.methods.jury.updating import Seat, Updater, nested, seats_of
from flawspot.methods.registry import create_method
from flawspot.methods.updating import Before


def test_members_are_told_with_what_they_go_on_from():
    seats = (Seat("padim", {"ridge": 0.01, "rank": None}, (3, 8), (3, 8)), Seat("pasted", {}, (3,), (3,)))
    learned = nested(seats, [{"count": np.array([7])}, {}])
    assert seats_of(learned) == seats
    np.testing.assert_array_equal(learned["0/count"], [7])


@pytest.mark.parametrize("told", [b"", b"{", b"[1]", b'[{"method": "padim"}]', b"\xff"])
def test_damaged_members_are_told_as_such(told):
    with pytest.raises(ArtifactError, match="damaged"):
        seats_of({"seats": np.frombuffer(told, np.uint8)})


def test_a_jury_cannot_sit_on_a_jury():
    learned = nested([Seat("jury", {}, (3,), (3,))], [{}])
    with pytest.raises(ArtifactError, match="is a member of a jury"):
        Updater(Before(b"", None, learned))


def test_a_jury_replays_if_a_member_does():
    assert create_method("jury").replays()
    assert not create_method("jury", {"members": "padim + pasted"}).replays()


def test_a_jury_always_keeps_what_its_scales_come_from():
    assert create_method("jury", {"members": "padim + pasted"}).validates()
    assert not create_method("padim").validates()


def test_a_member_that_cannot_be_updated_is_told_before_the_training():
    with pytest.raises(ConfigurationError, match="quantization"):
        create_method("jury", {"members": "padim + patchcore:quantization=product"}).leave_room()


def test_a_jury_of_thousands_is_refused():
    with pytest.raises(ArtifactError, match="at most 8"):
        seats_of(nested([Seat("pasted", {}, (3,), (3,))] * 1000, []))
