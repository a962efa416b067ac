"""What is said before anything is run."""

import dataclasses

from flawspot.benchmark.estimate import RESIDENT, Estimator
from flawspot.benchmark.forecast import make_plan
from flawspot.benchmark.machine import machine
from flawspot.benchmark.record import DONE, FAILED


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


def test_more_work_takes_longer_and_larger_photographs_more_memory(task, cell):
    estimator = Estimator()

    def of(**changed):
        return estimator.estimate(task(cell=cell(**changed)))

    assert of(method="stfpm").seconds > of(method="padim").seconds
    assert of(method="stfpm", settings={"epochs": 5}).seconds < of(method="stfpm", settings={"epochs": 50}).seconds
    assert of(input_size=448).memory_bytes > of().memory_bytes
    assert of(shots=5).seconds < of().seconds
    assert Estimator(threads=4).estimate(task()).seconds < of().seconds


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
