"""The published schedule, and the one that takes a quarter of its time."""

import pytest

from flawspot.errors import ConfigurationError
from flawspot.methods.recipes import RECIPES, recipe


def test_the_published_schedule():
    """STFPM, section 4.1."""
    paper = recipe("paper")
    assert (paper.batch_size, paper.learning_rate) == (32, 0.4)
    assert [paper.epochs(images, 32) for images in (5, 134, 10_000)] == [100] * 3
    assert {paper.factor(step, 500) for step in range(500)} == {1.0}


def test_the_fast_one_looks_at_the_images_a_fifth_as_often():
    assert recipe("fast").epochs(167, 8) == 20
    assert recipe("fast").epochs(10_000, 8) == 20


@pytest.mark.parametrize(("images", "epochs"), [(1, 100), (15, 100), (40, 60), (64, 38)])
def test_few_images_take_more_epochs_but_no_more_than_the_paper(images, epochs):
    assert recipe("fast").epochs(images, 8) == epochs


def test_the_fast_one_warms_up_and_cools_down():
    factors = [recipe("fast").factor(step, 340) for step in range(340)]
    peak = factors.index(max(factors))
    assert factors[0] == pytest.approx(1 / 34)
    assert 33 <= peak <= 34
    assert factors[peak] == 1.0
    assert factors == sorted(factors[: peak + 1]) + sorted(factors[peak + 1 :], reverse=True)
    assert factors[187] == pytest.approx(0.5)
    assert 0 < factors[-1] < 1e-4


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("steps", [1, 2, 5, 10, 11])
def test_few_steps_have_a_schedule_too(name, steps):
    factors = [recipe(name).factor(step, steps) for step in range(steps)]
    assert factors[0] > 0
    assert all(0 <= factor <= 1 for factor in factors)


def test_an_unknown_one_lists_the_known_ones():
    with pytest.raises(ConfigurationError, match="the known ones are paper, fast"):
        recipe("slow")
