"""What is kept for the next update stays within its budget, over all that it is kept for together."""

import flawspot
from flawspot.runtime.state import CALIBRATION, REPLAY, VALIDATION, beside, read_state, shared_out

from .conftest import folder

MEGABYTE = 2**20


def test_a_budget_is_shared_in_proportion():
    assert shared_out({"a": 30, "b": 10}, 20) == {"a": 15, "b": 5}
    assert shared_out({"a": 0}, 20) == {"a": 0}


def test_where_all_fits_each_may_take_what_it_needs():
    for sizes in ({"a": 3, "b": 1}, {"a": 7, "b": 7, "c": 5}):
        assert all(limit >= sizes[role] for role, limit in shared_out(sizes, sum(sizes.values())).items())


def test_a_student_with_all_that_it_replays_stays_within_the_budget(tmp_path):
    options = {"layers": (1, 2, 3), "random_weights": True, "input_size": 128, "progress": False, "seed": 0}
    old, new = tmp_path / "old.onnx", tmp_path / "new.onnx"
    good = folder(tmp_path / "good", 20)
    settings = {"epochs": 1, "batch_size": 4}
    flawspot.train(good, method="stfpm", settings=settings, state=4, false_alarm_rate=0.3, output=old, **options)
    before = read_state(beside(old))
    assert sum(kept.nbytes for kept in before.kept.values()) <= 4 * MEGABYTE
    flawspot.update(old, folder(tmp_path / "more", 10, first=100), output=new, progress=False)
    after = read_state(beside(new))
    assert sum(kept.nbytes for kept in after.kept.values()) <= 4 * MEGABYTE
    assert len(before.of(REPLAY)) < 16 * 0.8  # so that there was something to leave out
    assert all(len(state.of(role)) for state in (before, after) for role in (CALIBRATION, VALIDATION, REPLAY))
