"""What is said before anything is run."""

import dataclasses

import pytest

from flawspot.benchmark.estimate import DECODING, OVERHEAD, RESIDENT, Estimator
from flawspot.benchmark.forecast import make_plan
from flawspot.benchmark.machine import machine
from flawspot.benchmark.record import DONE, FAILED
from flawspot.costs.configuration import configuration_costs
from flawspot.data.layouts import DataSource


def test_runs_are_counted_by_what_became_of_them(task):
    tasks = [task("a", 0), task("a", 1), task("b", 2), task("b", 3, missing="no weights: pull them"), task("b", 4)]
    statuses = {tasks[0].key: DONE, tasks[2].key: FAILED}
    found = make_plan(tasks, statuses, Estimator(), workers=2, threads=1)
    assert [(m.label, m.runs, m.done, m.failed, m.missing, m.open) for m in found.methods] == [
        ("a", 2, 1, 0, 0, 1),
        ("b", 3, 0, 1, 1, 1),
    ]
    total = found.total
    assert (total.runs, total.done, total.failed, total.missing, total.open) == (5, 1, 1, 1, 2)
    assert found.reasons == {"no weights: pull them": 1}
    assert found.wall_seconds == total.seconds / 2 > 0
    assert total.memory_bytes > RESIDENT
    assert found.as_dict()["methods"][0]["label"] == "a"


@pytest.mark.slow
def test_more_work_takes_longer_and_larger_photographs_more_memory(task, cell):
    estimator = Estimator()

    def of(**changed):
        return estimator.estimate(task(cell=cell(**changed)))

    assert of(method="stfpm").seconds > of(method="padim").seconds
    assert of(method="stfpm", settings={"epochs": 5}).seconds < of(method="stfpm", settings={"epochs": 50}).seconds
    assert of(input_size=448).memory_bytes > of().memory_bytes
    assert of(shots=5).seconds < of().seconds
    assert Estimator(threads=4).estimate(task()).seconds < of().seconds


def test_a_detector_is_trained_once_for_all_runs_that_test_it(task, cell):
    def noisy(severity, **changed):
        made = task(cell=cell(method="stfpm", corruption="noise", severity=severity))
        return dataclasses.replace(made, key=f"noise {severity}", training_key="one detector", **changed)

    first, second = noisy(1), noisy(3)
    estimator = Estimator()
    alone = estimator.estimate(first)
    both = estimator.estimates([first, second])
    assert both[first.key] == alone
    assert 0 < both[second.key].seconds < alone.seconds / 4
    assert both[second.key].memory_bytes == alone.memory_bytes
    planned = make_plan([first, second], {first.key: DONE}, estimator, workers=1, threads=1)
    assert planned.wall_seconds == both[second.key].seconds


def test_copies_of_photographs_take_time_and_memory(task, cell):
    plain, two, four = (
        Estimator().estimate(task(str(tolerate), cell=cell(method="paste", layers="paste", tolerate=tolerate)))
        for tolerate in (None, "line", "line,copies=4")
    )
    assert 2 < two.seconds / plain.seconds < 3.1
    assert plain.memory_bytes < two.memory_bytes < four.memory_bytes


def test_estimates_learn_from_runs_on_this_machine(task, record):
    plain = Estimator().estimate(task())
    done = record(
        measured={"run_seconds": 3 * plain.seconds, "training_seconds": 1.0},
        metrics={"images": 100},
        machine=machine(),
    )
    assert Estimator([done]).estimate(task()).seconds == plain.seconds * 3
    elsewhere = dataclasses.replace(done, machine={"host_hash": "another"})
    assert Estimator([elsewhere]).estimate(task()).seconds == plain.seconds
    # A run that only tested another one's detector says nothing of how long a whole one takes.
    reused = dataclasses.replace(done, measured={"run_seconds": 1.0, "training_seconds": 9.0})
    assert Estimator([reused]).estimate(task()).seconds == plain.seconds


@pytest.mark.parametrize("seconds", ["x", None, float("nan"), float("inf"), -1e9, 0, 1e300, 10**400])
@pytest.mark.parametrize("trained", [True, None])
def test_nothing_is_learned_from_a_time_that_nobody_can_have_measured(task, record, seconds, trained):
    plain = Estimator().estimate(task())
    broken = record(
        measured={"run_seconds": seconds, "training_seconds": seconds, "evaluation_seconds": seconds},
        metrics={"images": 100},
        training_images=200,
        trained=trained,
        machine=machine(),
    )
    assert Estimator([broken]).estimate(task()) == plain
    # Nor from numbers of photographs that nobody can have counted.
    good = dataclasses.replace(broken, measured={"run_seconds": 5.0})
    assert Estimator([dataclasses.replace(good, metrics={"images": seconds})]).estimate(task()) == plain
    if seconds is not None:
        assert Estimator([dataclasses.replace(good, training_images=seconds)]).estimate(task()) == plain


def product(folder, good, test):
    """A product of empty files in the MVTec layout: counted, never read."""
    for place, count in (("train/good", good), ("test/good", test - 1), ("test/hole", 1)):
        (folder / "bottle" / place).mkdir(parents=True)
        for number in range(count):
            (folder / "bottle" / place / f"{number}.png").touch()
    return DataSource("mvtec_ad", "mvtec_ad", folder)


@pytest.mark.parametrize("method", ["cfa", "patchcore", "padim"])
def test_memory_grows_with_the_photographs_whatever_it_is_called(task, cell, tmp_path, method):
    def memory(name, count):
        of = cell(method=method, backbone="wide_resnet50_2")
        return Estimator().estimate(task(cell=of, source=product(tmp_path / name, count, 10))).memory_bytes

    few, many = memory("few", 100), memory("many", 391)
    grows, fixed = (
        sum(
            item.bytes
            for item in configuration_costs(backbone="wide_resnet50_2", layers="equiv", method=method).training.items
            if item.per_image == per_image
        )
        for per_image in (True, False)
    )
    assert many - few == pytest.approx(grows * (391 - 100) / 200, rel=1e-6)
    assert many > RESIDENT + fixed + grows * 391 / 200
    if method == "cfa":  # as measured
        assert many > 2096 << 20


def test_runs_say_how_many_photographs_they_had(task, record, cell, tmp_path):
    """Whatever the estimator has been asked before."""
    of = task(source=product(tmp_path, 391, 83))
    plain = Estimator().estimate(of)
    counted = record(
        training_images=391,
        trained=True,
        measured={"run_seconds": 2 * plain.seconds, "training_seconds": 1.0},
        metrics={"images": 83},
        machine=machine(),
    )
    other = task(cell=cell(category="screw"))
    for records, tasks in (
        ([counted], []),
        # An older one does not say; the task of its product knows.
        ([dataclasses.replace(counted, training_images=None, trained=None)], [of]),
    ):
        estimator = Estimator(records, tasks)
        unscaled = Estimator().estimate(other).seconds
        assert estimator.estimate(other).seconds == pytest.approx(2 * unscaled)
        assert estimator.estimate(of).seconds == pytest.approx(2 * plain.seconds)
    # Where nobody knows, the run says nothing.
    forgotten = dataclasses.replace(counted, training_images=None, cell=cell(category="gone"))
    assert Estimator([forgotten]).estimate(of).seconds == plain.seconds


def test_a_detector_that_was_taken_over_says_nothing_however_long_it_is_tested(task, record):
    plain = Estimator().estimate(task())
    taken_over = record(
        trained=False,
        training_images=200,
        measured={"run_seconds": 90.0, "training_seconds": 3.0, "evaluation_seconds": 80.0},
        metrics={"images": 100},
        machine=machine(),
    )
    assert Estimator([taken_over]).estimate(task()).seconds == plain.seconds
    # Of an older record: training does not fit into the run beside the test.
    assert Estimator([dataclasses.replace(taken_over, trained=None)]).estimate(task()).seconds != plain.seconds
    longer = {"run_seconds": 90.0, "training_seconds": 20.0, "evaluation_seconds": 80.0}
    older = dataclasses.replace(taken_over, trained=None, measured=longer)
    assert Estimator([older]).estimate(task()).seconds == plain.seconds


def test_defective_photographs_that_are_learned_from_are_counted_once(task, cell, tmp_path):
    source = product(tmp_path, 100, 40)
    # Nothing is known of the method, so only photographs count.
    found = Estimator().estimate(task(cell=cell(method="new", contamination=0.2), source=source))
    assert found.seconds == OVERHEAD + DECODING * (125 + 3 * 15)
    assert found.memory_bytes == RESIDENT + 5 * 15 * 224**2
