"""Several students, and students that learn from the hardest positions alone: against the formulas in plain numpy."""

import copy

import numpy as np
import pytest
import torch

from flawspot.backbones.block_list import initialise
from flawspot.costs.configuration import configuration_costs
from flawspot.costs.folding import folded_numbers
from flawspot.errors import ConfigurationError, TrainingError
from flawspot.methods.stfpm.paste import PaSTe
from flawspot.methods.stfpm.training import position_loss, student_seed
from flawspot.runtime.detector import OUTPUTS
from flawspot.runtime.session import open_session

PLANNED = {"backbone": "mobilenet_v2", "method": "paste", "input_size": 64, "images": 12}
QUICK = {"epochs": 1}


def same(one, two):
    """Whether two lists of blocks hold the same bits."""
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def directions(maps):
    """(N, C, H, W) -> the same, of length 1 at each position, in double precision."""
    numbers = maps.double().numpy()
    return numbers / np.linalg.norm(numbers, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def three(fit_method):
    """Three students behind one teacher."""
    return fit_method("paste", students=3, **QUICK)


def test_the_map_is_the_mean_of_the_students(three, make_photographs):
    """Which is half of the regression error of their mean and of the predictive variance."""
    images = make_photographs(3, seed=9)
    images[1, 5:25, 5:25] = 220
    maps, head = three.maps(images), three.method.head()
    want = torch.ones(())
    with torch.no_grad():
        outputs = [student.blocks(maps[6]) for student in three.method.students_]
        for upsample, tap in zip(head.upsample, three.taps, strict=True):
            teacher, students = directions(maps[tap]), np.stack([directions(each[tap]) for each in outputs])
            distance = 0.5 * ((students - teacher) ** 2).sum(2).mean(0)
            mean = students.mean(0)
            error = ((teacher - mean) ** 2).sum(1)
            variance = (students**2).sum(2).mean(0) - (mean**2).sum(1)
            np.testing.assert_allclose(distance, 0.5 * (error + variance), atol=1e-12)
            assert variance.min() > 0
            want = want * upsample.double()(torch.from_numpy(distance))
            upsample.float()
        got, score = head(maps)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5 * float(want.max()))
    assert torch.equal(score, got.amax(dim=(1, 2)))


def test_the_graph_computes_the_same_where_a_part_is_looked_at(three, exported_head, make_photographs):
    """In double precision, and one photograph alone as among others."""
    maps, head = three.maps(make_photographs(3, seed=9)), three.method.head()
    inside = torch.zeros(3, 64, 64)
    inside[0, 10:40, 5:30] = inside[1] = 1
    model, fed = exported_head(head, maps, inside)
    session = open_session(model, threads=1)
    got, score = session.run(OUTPUTS, fed)
    with torch.no_grad():
        doubles = {layer: each.double() for layer, each in maps.items()}
        want, _ = copy.deepcopy(head).double()(doubles, inside.double())
    np.testing.assert_allclose(got, want, atol=1e-4 * float(want.max()))
    np.testing.assert_array_equal(score, got.max(axis=(1, 2)))
    assert (got[inside.numpy() == 0] == 0).all()
    alone, _ = session.run(OUTPUTS, {name: each[1:2] for name, each in fed.items()})
    np.testing.assert_allclose(alone[0], got[1], rtol=1e-4, atol=1e-5 * got.max())


def test_the_first_is_the_one_that_would_be_trained_alone(three, fit_method, one_thread):
    alone = fit_method("paste", **QUICK).method
    several = fit_method("paste", students=2, **QUICK).method
    assert len(alone.students_) == 1
    assert same(alone.student_, several.student_)
    assert not same(*(student.blocks for student in several.students_))
    assert several.training_losses_ == alone.training_losses_
    assert (several.best_epoch_, several.validation_losses_) == (alone.best_epoch_, alone.validation_losses_)
    assert [len(student.validation_losses) for student in three.method.students_] == [1, 1, 1]


def test_ensembles_of_two_seeds_have_no_student_in_common():
    seeds = [student_seed(seed, index) for seed in range(4) for index in range(8)]
    assert len(set(seeds)) == len(seeds)
    assert [student_seed(seed, 0) for seed in range(4)] == [0, 1, 2, 3]


def test_costs_count_every_student():
    one, three = (configuration_costs(**PLANNED, settings={"students": count}) for count in (1, 3))
    (alone,), (together,) = ([part for part in costs.parts if "student" in part.name] for costs in (one, three))
    assert (alone.name, together.name) == ("student", "students")
    assert (together.bytes, together.macs) == (3 * alone.bytes, 3 * alone.macs)
    assert one.parts[0] == three.parts[0]
    (folded, folded_together) = (
        next(memory.folded for memory in costs.memory if "student" in memory.name) for costs in (one, three)
    )
    assert folded_together == 3 * folded
    assert three.training.macs == 3 * one.training.macs
    assert three.training.epochs == one.training.epochs
    more = {item.name: item.bytes for item in three.training.items}
    assert more.pop("students before") == 2 * more["weights"]
    assert more == {item.name: item.bytes for item in one.training.items}
    assert three.paper_bytes - one.paper_bytes == 2 * 4 * 642_304
    assert three.paper_macs - one.paper_macs == 2 * alone.macs
    assert three.training.ram_paper == one.training.ram_paper


def test_planned_students_are_those_that_are_fitted(three):
    costs = configuration_costs(**PLANNED, settings={"students": 3, **QUICK})
    assert list(costs.parts[1:]) == three.method.parts()
    students = torch.nn.ModuleList(student.blocks for student in three.method.students_)
    assert costs.memory[1].folded == folded_numbers(students)


@pytest.mark.parametrize("region", [False, True])
@pytest.mark.parametrize(
    ("share", "count"), [(0.1, (4, 10)), (0.5, (18, 48)), (1e-6, (1, 1)), (1.0, (37, 96)), (None, (37, 96))]
)
def test_the_loss_is_the_mean_of_the_hardest_positions(share, count, region):
    generator = np.random.default_rng(2)
    distance = generator.random((2, 6, 8)).astype(np.float32)
    cells = np.zeros(distance.shape, bool)
    cells.ravel()[generator.permutation(96)[:37]] = True
    values = np.sort(distance[cells] if region else distance.ravel())
    want = values[len(values) - count[0 if region else 1] :].mean(dtype=np.float64)
    got = position_loss(torch.from_numpy(distance), cells if region else None, share)
    assert float(got) == pytest.approx(want, rel=1e-6)


def test_of_each_position_that_is_among_them_the_gradient_is_the_same():
    distance = torch.tensor([[[3.0, 1.0], [2.0, 5.0]]], requires_grad=True)
    position_loss(distance, None, 0.5).backward()
    assert distance.grad.tolist() == [[[0.5, 0.0], [0.0, 0.5]]]


def test_where_nothing_is_looked_at_the_loss_is_none():
    assert float(position_loss(torch.ones(1, 2, 2), np.zeros((1, 2, 2), bool), 0.1)) == 0


def test_all_positions_are_the_default_to_the_bit(fit_method, region, one_thread):
    for more in ({}, {"size": (64, 96), "region": region}):
        default, whole = (fit_method("paste", **QUICK, **more, **hard).method for hard in ({}, {"hard_share": 1.0}))
        assert same(default.student_, whole.student_)
        assert default.training_losses_ == whole.training_losses_


def test_training_is_the_plain_loop_with_the_hardest_positions(fit_method, make_photographs, one_thread):
    """The first step, before weights differ by rounding."""
    fitted = fit_method("paste", hard_share=0.2, batch_size=12, **QUICK)
    maps = fitted.maps(make_photographs(12))
    student = fitted.method.student(fitted.taps, "mobilenet_v2")
    initialise(student, 0)
    with torch.no_grad():
        outputs = student.train()(maps[6])
    want = 0.0
    for tap in fitted.taps:
        distance = np.sort(0.5 * ((directions(maps[tap]) - directions(outputs[tap])) ** 2).sum(1).ravel())
        want += distance[-round(0.2 * distance.size) :].mean()
    assert fitted.method.training_losses_ == pytest.approx([want], rel=1e-4)


def test_the_epoch_is_chosen_by_all_positions(fit_method, make_photographs, one_thread):
    fitted = fit_method("paste", hard_share=0.1, epochs=2)
    maps = fitted.maps(make_photographs(4, seed=1))
    with torch.no_grad():
        outputs = fitted.method.student_(maps[6])
    loss = sum(0.5 * ((directions(maps[tap]) - directions(outputs[tap])) ** 2).sum(1).mean() for tap in fitted.taps)
    assert loss == pytest.approx(min(fitted.method.validation_losses_), rel=1e-4)


def test_which_of_them_diverged_is_told(fit_method, one_thread):
    with pytest.raises(TrainingError, match="student 1 of 2 of paste diverged: lower learning_rate"):
        fit_method("paste", learning_rate=1e30, students=2, **QUICK)


@pytest.mark.parametrize("settings", [{"hard_share": 0.0}, {"hard_share": 1.5}, {"students": 0}, {"students": 9}])
def test_settings_out_of_range(settings):
    with pytest.raises(ConfigurationError):
        PaSTe(**settings)
