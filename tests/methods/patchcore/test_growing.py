"""A bank that grows within its budget."""

import numpy as np
import pytest

from flawspot.errors import ArtifactError
from flawspot.methods.patchcore import growing
from flawspot.methods.patchcore.coreset import farthest_first
from flawspot.methods.patchcore.growing import GrowingBank, nearest_squared


def at_most(count):
    def places(members):
        def taking(rows):
            free = iter(range(count - len(rows)))
            return lambda row: next(free, None) is not None

        return growing.Places(np.arange(len(members)), lambda rows: len(rows) <= count, taking)

    return places


def shared_by(width, count, groups=None):
    """A place for each `width` members that follow each other, and `count` places; `groups`: what goes together."""

    def places(members):
        place = np.arange(len(members)) // width

        def taking(rows):
            taken = set(place[rows].tolist())

            def take(row):
                if place[row] not in taken and len(taken) == count:
                    return False
                taken.add(int(place[row]))
                return True

            return take

        own = place if groups is None else np.arange(len(members)) // groups
        return growing.Places(own, lambda rows: len(np.unique(place[rows])) <= count, taking)

    return places


def clouds(count, *centres, seed=0):
    generator = np.random.default_rng(seed)
    parts = [generator.normal(centre, 1, (count, 6)) for centre in centres]
    return np.concatenate(parts).astype(np.float32)


def distances(points, members):
    return np.sqrt(((points[:, None] - members[None]) ** 2).sum(2))


def grown(count, *more):
    first = clouds(300, 0)
    coreset = farthest_first(first, count)
    bank = GrowingBank(first[coreset.indices], coreset.radius, coreset.radius, at_most(count))
    for points in more:
        bank.add(points)
    bank.fit()
    return bank, np.concatenate([first, *more])


def test_pairs_are_the_same_however_many_are_compared_at_once(monkeypatch):
    points = clouds(60, 0)
    first, second, distance = growing._pairs(points, 2.5)
    apart = distances(points, points)
    assert set(zip(first, second, strict=True)) == set(zip(*np.nonzero(np.triu(apart <= 2.5, 1)), strict=True))
    np.testing.assert_allclose(distance, apart[first, second], rtol=1e-4)
    monkeypatch.setattr(growing, "_AT_ONCE", 7 * len(points))
    assert [each.tolist() for each in growing._pairs(points, 2.5)[:2]] == [first.tolist(), second.tolist()]


def test_what_is_known_changes_nothing():
    bank, _ = grown(50, clouds(300, 0))
    assert bank.taken == bank.dropped == 0
    assert len(bank.members) == 50


def test_what_is_new_enters_and_the_budget_holds():
    bank, _ = grown(50, clouds(300, 10, seed=1), clouds(300, -10, seed=2))
    assert 40 <= len(bank.members) <= 50
    for centre in (0, 10, -10):
        assert (np.abs(bank.members - centre).max(1) < 5).sum() > 8


def test_every_patch_ever_seen_is_covered_as_is_told():
    bank, points = grown(50, clouds(300, 10, seed=1), clouds(300, 3, seed=2), clouds(300, 0, seed=3))
    assert distances(points, bank.members).min(1).max() <= bank.covering * (1 + 1e-5)


def test_members_are_as_far_apart_as_is_told():
    bank, _ = grown(50, clouds(300, 10, seed=1))
    apart = distances(bank.members, bank.members)
    apart[np.diag_indices(len(apart))] = np.inf
    assert apart.min() >= bank.separation * (1 - 1e-4)


def test_it_covers_nearly_as_well_as_a_selection_from_everything():
    bank, points = grown(60, clouds(300, 10, seed=1), clouds(300, 20, seed=2))
    anew = farthest_first(points, 60).radius
    assert distances(points, bank.members).min(1).max() < 2 * anew  # twice is what is proved of either


def test_with_room_nothing_goes():
    first = clouds(100, 0)
    bank = GrowingBank(first, 0.0, 0.0, at_most(1000))
    more = clouds(50, 3, seed=1)
    bank.add(more)
    bank.fit()
    assert (bank.taken, bank.dropped) == (50, 0)
    assert distances(more, bank.members).min(1).max() < 1e-3


def test_members_that_are_all_the_same_can_be_made_to_fit():
    bank = GrowingBank(np.zeros((10, 3), np.float32), 0.0, 0.0, at_most(4))
    bank.fit()
    assert len(bank.members) == 1


def test_members_of_a_group_go_together():
    points = np.repeat(np.arange(30, dtype=np.float32)[:, None] * 3, 2, axis=0) + np.array([[0, 0], [0, 1]] * 30)

    bank = GrowingBank(points.astype(np.float32), 0.5, 0.5, shared_by(2, 10))
    bank.fit()
    assert 8 <= len(bank.members) // 2 <= 10
    assert (bank.members[::2, 0] == bank.members[1::2, 0]).all()
    assert distances(points, bank.members).min(1).max() <= bank.covering * (1 + 1e-5)


def test_no_room_is_left_unused_where_many_must_be_near_to_free_a_place():
    """Twenty photographs of sixteen patches, all about equally far apart: to free the place of one photograph, all of
    its patches must be near others, and by then most patches of all photographs are."""
    points = np.random.default_rng(0).normal(size=(320, 64)).astype(np.float32)
    bank = GrowingBank(points, 0.5, 0.5, shared_by(16, 16, groups=4))
    bank.fit()
    assert len(bank.members) == 256
    assert len(np.unique([np.flatnonzero((points == row).all(1))[0] // 16 for row in bank.members])) == 16
    assert distances(points, bank.members).min(1).max() <= bank.covering


def test_order_does_not_matter_for_the_budget():
    for seed in range(3):
        bank, _ = grown(40, clouds(200, 5, seed=seed), clouds(200, -5, seed=seed + 9))
        assert len(bank.members) <= 40


def test_nearest_squared_is_that_of_differences():
    patches, members = clouds(40, 0, seed=4), clouds(1500, 1, seed=5)
    np.testing.assert_allclose(
        nearest_squared(patches, members), distances(patches, members).min(1) ** 2, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("count", [1, 7])
def test_a_small_budget(count):
    bank, _ = grown(count, clouds(100, 4, seed=1))
    assert 1 <= len(bank.members) <= count


def test_it_stays_small_while_it_grows():
    bank = GrowingBank(clouds(100, 0), 0.0, 0.0, at_most(100))
    for seed in range(20):
        bank.add(clouds(100, 0, seed=seed + 1))
        assert len(bank.members) <= (growing.OVERFULL + 1) * 100  # one photograph of 100 patches more


def test_room_is_used_before_anything_goes():
    bank = GrowingBank(clouds(10, 0), 0.0, 0.0, at_most(100))
    for seed in range(9):
        bank.add(clouds(10, 0, seed=seed + 1))
    bank.fit()
    assert (len(bank.members), bank.dropped) == (100, 0)


def test_a_bank_without_any_room_is_refused():
    with pytest.raises(ArtifactError, match="no place"):
        GrowingBank(clouds(10, 0), 0.0, 0.0, at_most(0)).fit()
