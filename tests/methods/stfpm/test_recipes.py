"""The published schedule, and the one that takes a quarter of its time."""

import pytest

from flawspot.errors import ConfigurationError
from flawspot.methods.stfpm.method import STFPM
from flawspot.methods.stfpm.paste import PaSTe
from flawspot.methods.stfpm.recipes import RECIPES, recipe


def test_the_published_schedule():
    """STFPM, section 4.1."""
    paper = recipe("paper")
    assert (paper.batch_size, paper.learning_rate) == (32, 0.4)
    assert [paper.epochs(images, 32) for images in (5, 134, 10_000)] == [100] * 3
    assert {paper.factor(step, 500) for step in range(500)} == {1.0}


def test_the_fast_one_looks_at_the_images_a_fifth_as_often():
    assert recipe("fast").epochs(167, 4) == 20
    assert recipe("fast").epochs(10_000, 4) == 20


def test_paste_takes_the_fast_one_and_stfpm_the_published_one():
    assert (PaSTe().recipe, STFPM().recipe) == ("fast", "paper")


@pytest.mark.parametrize(("images", "epochs"), [(1, 100), (12, 100), (20, 60), (32, 38)])
def test_few_images_take_more_epochs_but_no_more_than_the_paper(images, epochs):
    assert recipe("fast").epochs(images, 4) == epochs


def test_the_fast_one_warms_up_and_cools_down():
    factors = [recipe("fast").factor(step, 400) for step in range(400)]
    assert factors[:40] == pytest.approx([(step + 1) / 40 for step in range(40)])
    assert set(factors[40:240]) == {1.0}
    assert factors[240:] == pytest.approx([(160 - step) / 160 for step in range(160)])


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("steps", [1, 2, 5, 10, 11])
def test_few_steps_have_a_schedule_too(name, steps):
    factors = [recipe(name).factor(step, steps) for step in range(steps)]
    assert factors[0] > 0
    assert all(0 <= factor <= 1 for factor in factors)


def test_an_unknown_one_lists_the_known_ones():
    with pytest.raises(ConfigurationError, match="the known ones are paper, fast"):
        recipe("slow")
