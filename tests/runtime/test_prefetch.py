"""Reading ahead: the order, the bounds, the errors and the end."""

import gc
import itertools
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

from flawspot.runtime.prefetch import prefetch

WAIT = 10  # seconds after which a test that should not wait at all gives up


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("flawspot-prefetch")]


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("ahead", [1, 2, 50])
@pytest.mark.parametrize("count", [0, 1, 20])
def test_everything_comes_in_order(workers: int, ahead: int, count: int) -> None:
    def read(item: int) -> int:
        time.sleep(0.002 * (item % 3))  # later ones may be done earlier
        return item * item

    found = list(prefetch(range(count), read, workers=workers, ahead=ahead))
    assert found == [(item, item * item) for item in range(count)]
    assert not reading_threads()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_exception_stands_in_its_place(workers: int) -> None:
    def read(item: int) -> int:
        if item == 2:
            raise KeyError("two")
        return item

    results = [result for _, result in prefetch(range(5), read, workers=workers)]
    assert [results[i] for i in (0, 1, 3, 4)] == [0, 1, 3, 4]
    assert isinstance(results[2], KeyError)


@pytest.mark.parametrize("workers", [0, 2])
def test_what_ends_a_program_is_not_taken_for_a_bad_file(workers: int) -> None:
    def read(item: int) -> int:
        raise SystemExit(7)

    with pytest.raises(SystemExit):
        next(prefetch(range(5), read, workers=workers))


def test_readings_overlap() -> None:
    # Each waits for the other: it can only end where both run at once.
    meeting = threading.Barrier(2, timeout=WAIT)
    assert [item for item, result in prefetch("ab", lambda _: meeting.wait(), workers=2)] == ["a", "b"]
    assert not meeting.broken


@pytest.mark.parametrize(("workers", "ahead"), [(1, 1), (2, 3), (4, 2)])
def test_it_looks_no_further_ahead_than_asked(workers: int, ahead: int) -> None:
    taken, started = 0, []

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield taken

    with_result = prefetch(endless(), started.append, workers=workers, ahead=ahead)
    for yielded in range(1, 6):
        next(with_result)
        assert taken <= yielded + ahead
    time.sleep(0.02)
    assert len(started) <= 5 + ahead
    with_result.close()


def test_nothing_is_begun_before_it_is_asked_for() -> None:
    prefetch([1], lambda item: pytest.fail("read"))
    assert not reading_threads()


def test_results_are_not_kept() -> None:
    held = prefetch(range(3), lambda _: np.zeros(10), workers=1, ahead=1)
    first = weakref.ref(next(held)[1])
    next(held)
    gc.collect()
    assert first() is None
    held.close()


def test_closing_drops_what_has_not_begun() -> None:
    begun, go = [], threading.Event()

    def read(item: int) -> int:
        begun.append(item)
        if item:
            go.wait(WAIT)
        return item

    results = prefetch(range(100), read, workers=1, ahead=8)
    assert next(results) == (0, 0)
    threading.Timer(0.05, go.set).start()
    results.close()
    assert begun in ([0], [0, 1])
    assert not reading_threads()


def test_an_error_in_the_loop_ends_the_reading() -> None:
    def consume() -> None:
        for item, _ in prefetch(itertools.count(), lambda item: item):
            if item == 3:
                raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        consume()
    gc.collect()
    assert not reading_threads()


def test_an_error_of_the_items_themselves_is_raised() -> None:
    def items():
        yield 1
        raise OSError("the folder is gone")

    with pytest.raises(OSError, match="the folder is gone"):
        list(prefetch(items(), lambda item: item))
    assert not reading_threads()


def test_an_interrupt_ends_the_process_at_once() -> None:
    program = """
import signal, time, _thread, threading
from flawspot.runtime.prefetch import prefetch
signal.signal(signal.SIGINT, signal.default_int_handler)  # which tests in a shell's background inherit as ignored
for item, result in prefetch(range(100_000), lambda item: time.sleep(0.01), workers=2, ahead=4):
    if item == 0:  # not while modules are imported, where Python may lose an interrupt
        threading.Timer(0.3, _thread.interrupt_main).start()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "KeyboardInterrupt" in done.stderr


@pytest.mark.parametrize(("workers", "ahead"), [(-1, 1), (1, 0)])
def test_bounds_that_make_no_sense(workers: int, ahead: int) -> None:
    with pytest.raises(ValueError, match="at least"):
        prefetch([], len, workers=workers, ahead=ahead)
