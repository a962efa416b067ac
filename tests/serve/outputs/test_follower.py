"""Every result is delivered at least once and in order, whatever fails and whenever the output ends."""

import itertools
import random

import pytest

from flawspot.errors import ConfigurationError
from flawspot.serve.outputs import follower
from flawspot.serve.outputs.follower import DeliveryError, Follower, delays
from flawspot.serve.record import Record, RecordError

from ..written import tamper


class Taken(Follower):
    """Keeps what it is sent, and fails as often as it is told."""

    def __init__(self, record, name="taken", **options):
        self.numbers, self.failures, self.kill, self.left = [], [], None, 0
        super().__init__(record, name, **options)

    def send(self, row):
        if self.failures:
            raise self.failures.pop(0)
        if row.number == self.kill:
            self.stopping.set()
            raise SystemExit  # nothing after it happens, as where the process is killed
        self.numbers.append(row.number)

    def leave(self):
        self.left += 1


def test_it_follows(record, add, running, eventually):
    output = running(Taken(record))
    for index in range(5):
        add(index)
        output.nudge()
    eventually(lambda: output.numbers == [1, 2, 3, 4, 5])
    eventually(lambda: output.state.waiting == 0)
    assert (output.state.delivered, output.state.position, output.state.error) == (5, 5, None)
    assert output.state.running
    assert output.stop()
    assert not output.state.running
    assert output.left == 1


def test_without_a_nudge_it_looks_itself(record, add, running, eventually):
    output = running(Taken(record))
    with Record(record.path) as other:  # another process
        other.add("station", {"event": "start"})
    eventually(lambda: output.state.position == 1)


def test_only_results_and_words_are_sent(record, add, running, eventually):
    output = running(Taken(record))
    record.add("station", {"event": "start"})
    add(0)
    record.add("artifact", {"detector": "cap"})
    record.add("word", {"result": 2, "word": "confirmed"})
    record.add("removed", {"pictures": 1})
    output.nudge()
    eventually(lambda: output.state.position == 5)
    assert output.numbers == [2, 4]


def test_where_it_begins(record, add, running, eventually):
    for index in range(4):
        add(index)
    outputs = [Taken(record), Taken(record, "all", after=0), Taken(record, "some", after=3)]
    add(4)
    for output in outputs:
        running(output)
        eventually(lambda output=output: output.state.waiting == 0)
    assert [output.numbers for output in outputs] == [[5], [1, 2, 3, 4, 5], [4, 5]]
    with pytest.raises(ConfigurationError, match="cannot begin after row 7"):
        Taken(record, "none", after=7)


def test_a_new_output_of_an_empty_record_that_never_ran_misses_nothing(record, add, running, eventually):
    Taken(record)  # and the process ends before anything is sent
    add(0)
    output = running(Taken(record))
    eventually(lambda: output.numbers == [1])


def test_it_goes_on_where_it_was(record, add, running, eventually):
    first = running(Taken(record))
    add(0)
    eventually(lambda: first.state.position == 1)
    first.stop()
    add(1)
    second = running(Taken(record, after=0))  # which speaks of new outputs alone
    eventually(lambda: second.numbers == [2])


@pytest.mark.parametrize("killed", [1, 2, 7])
def test_what_was_killed_in_the_middle_loses_nothing(killed, record, add, running, eventually, monkeypatch):
    for index in range(7):
        add(index)
    first = Taken(record, after=0)
    first.kill = killed
    with monkeypatch.context() as patch:
        patch.setattr(Follower, "_save", lambda _: None)  # no position was saved before the end
        with pytest.raises(SystemExit):
            first._run()
    second = running(Taken(record))
    eventually(lambda: second.state.waiting == 0)
    assert first.numbers == list(range(1, killed))
    assert second.numbers == [1, 2, 3, 4, 5, 6, 7]


def test_failures_are_told_and_tried_again(record, add, running, eventually):
    output = Taken(record)
    output.failures = [DeliveryError("no\nbody is there"), OSError("gone"), ZeroDivisionError("a bug"), KeyError("x")]
    errors = set()
    add(0), add(1)
    running(output)

    def taken():
        errors.add(output.state.error)
        return output.numbers == [1, 2]

    eventually(taken)
    eventually(lambda: output.state.error is None and output.state.failures == 0)
    assert "no\\nbody is there" in errors
    assert output.left == 4  # connections are let go


def test_a_full_disk_is_told_and_tried_again(record, add, running, eventually, monkeypatch):
    output = Taken(record)
    add(0)
    written, full = follower.write_bytes, [True]

    def write(path, data):
        if full:
            raise OSError(28, "No space left on device")
        written(path, data)

    monkeypatch.setattr(follower, "write_bytes", write)
    running(output)
    eventually(lambda: output.state.error is not None)
    assert "No space left" in output.state.error
    full.clear()
    eventually(lambda: output.state.error is None)
    assert output.stop()
    add(1)
    second = running(Taken(record))
    eventually(lambda: second.numbers == [2])


def test_delays(monkeypatch):
    monkeypatch.undo()
    found = list(itertools.islice(delays(random.Random(3)), 12))
    assert found == list(itertools.islice(delays(random.Random(3)), 12))
    assert found != list(itertools.islice(delays(random.Random(4)), 12))
    longest = [min(0.5 * 2**index, 60.0) for index in range(12)]
    assert all(most / 2 <= delay <= most for delay, most in zip(found, longest, strict=True))


@pytest.mark.parametrize("name", ["", "a b", "../x", "a/b", "ü", "a" * 61])
def test_no_names(name, record):
    with pytest.raises(ConfigurationError, match="cannot name an output"):
        Taken(record, name)


def test_a_damaged_position(record, add):
    add(0)
    Taken(record)
    (record.path.parent / "outputs" / "taken.position").write_bytes(b"soon")
    with pytest.raises(RecordError, match="is not an anchor"):
        Taken(record)


def test_a_position_of_another_record(record, add, tmp_path):
    add(0), add(1)
    Taken(record)
    tamper(record.path.parent, "DELETE FROM rows WHERE number = 2")
    with Record(record.path) as cut, pytest.raises(ConfigurationError, match="belongs to another record"):
        Taken(cut)


def test_a_backlog_saves_its_position_now_and_then(record, add, running, eventually, monkeypatch):
    monkeypatch.setattr(follower, "_SAVE_SECONDS", -1.0)
    monkeypatch.setattr(follower, "_ROWS", 3)
    for index in range(10):
        add(index)
    output = Taken(record, after=0)
    saved = []
    written = follower.write_bytes
    monkeypatch.setattr(follower, "write_bytes", lambda path, data: (saved.append(data), written(path, data)))
    running(output)
    eventually(lambda: output.state.waiting == 0)
    assert output.numbers == list(range(1, 11))
    assert [int(data.split()[0]) for data in saved] == list(range(1, 11))
