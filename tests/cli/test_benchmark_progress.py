"""What is said of the runs while they are done."""

import pytest

from flawspot.benchmark.engines.board import Counts
from flawspot.benchmark.record import DONE, Cell, Record
from flawspot.cli.benchmark_progress import LiveProgress, said


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        ({"pixel_f1_max": 0.5, "image_auroc": 0.9}, "d/c b equiv padim: pixel F1 0.500, image AUROC 0.900 in 1 s"),
        ({"pixel_f1_max": None}, "d/c b equiv padim: done in 1 s"),
    ],
)
def test_a_run_is_a_line_with_its_figures(metrics, says, capsys):
    cell = Cell(data="d", category="c", backbone="b", layers="equiv", method="padim", label="padim")
    with LiveProgress() as live:
        live.ended(Record(key="k", cell=cell, status=DONE, metrics=metrics, measured={"run_seconds": 1.0}), Counts())
    assert says in capsys.readouterr().err.splitlines()


def test_failed_runs_are_not_among_those_that_are_done():
    counts = Counts(done=1, failed=1, stored=5, failed_before=3, running=1, left=4)
    assert said(counts) == "3 done, 4 failed, 1 running, 4 left"
