"""What is compared with another library, and that a run goes on where it was; the peer itself is not here."""

from pathlib import Path

import peer
import pytest
from beside.rows import Rows
from beside.subjects import OWN, PEER, SIDES, Subject

from flawspot.data.samples import Sample

ASKED = ["--data", "photographs", "--work", "kept"]
TRAINED = {"photographs": 2, "seconds": 1.0, "peak_mib": 1.0}


class FakeSides:
    """Trains nothing and notes what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked, self.drawn = folder, [], []

    def train(self, side, subject, photographs, threads, drawn):
        self.asked.append((side, subject.name, len(photographs), threads))
        self.drawn.append(drawn)
        self.trained(side, subject).touch()
        return TRAINED

    def trained(self, side, subject):
        return self.folder / f"{subject.name}-{side}"


def test_items_are_spread_evenly() -> None:
    paths = [Path(str(index)) for index in range(10)]
    assert [path.name for path in peer.evenly(paths, 4)] == ["0", "2", "5", "7"]
    assert peer.evenly(paths, None) == peer.evenly(paths, 11) == paths


def test_what_is_compared_follows_the_options() -> None:
    options = peer.parsed([*ASKED, "--methods", "stfpm", "patchcore", "--banks", "50", "--epochs", "3"])
    assert peer.subjects(options) == [Subject("patchcore", bank=50), Subject("stfpm", epochs=3)]


@pytest.mark.parametrize(
    "wrong",
    [["--threads", "0"], ["--banks", "-1"], ["--rounds", "0"], ["--training-threads", "0"], ["--threads", "100000"]],
)
def test_counts_that_cannot_be_are_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        peer.parsed([*ASKED, *wrong])
    assert error.value.code == 2


def test_a_folder_that_cannot_be_is_told_before_any_work(tmp_path, capsys) -> None:
    (tmp_path / "file").touch()
    for work in ("file", "file/below"):
        with pytest.raises(SystemExit) as error:
            peer.parsed(["--data", "photographs", "--work", str(tmp_path / work)])
        assert error.value.code == 2
        assert "--work: cannot write into" in capsys.readouterr().err.splitlines()[-1]


def test_a_run_that_was_ended_goes_on_behind_its_last_row(tmp_path, monkeypatch) -> None:
    options = peer.parsed([*ASKED, "--banks", "10", "--methods", "patchcore", "padim", "--threads", "1"])
    options.bank_photographs = 2
    good = [Path(str(index)) for index in range(5)]
    test = [Sample(Path("test.png"), None, None)]
    done = []
    monkeypatch.setattr(peer, "take_turns", lambda sides, subject, *_: done.append(("turns", subject.name)) or {})

    def accuracy(sides, side, subject, *_):
        if side == SIDES[-1] and len(done) == 3 and not stopped:
            stopped.append(True)
            raise KeyboardInterrupt
        done.append((side, subject.name))
        return {}

    stopped: list[bool] = []
    monkeypatch.setattr(peer, "accuracy", accuracy)
    sides = FakeSides(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        peer.measure(options, Rows(tmp_path / "rows.jsonl", {}), sides, good, test)
    peer.measure(options, Rows(tmp_path / "rows.jsonl", {}), sides, good, test)
    assert done == [(what, name) for name in ("patchcore-10", "padim") for what in ("turns", *SIDES)]
    assert sides.asked == [(side, "patchcore-10", 2, 1) for side in (OWN, PEER)] + [
        (side, "padim", 5, 1) for side in (OWN, PEER)
    ]


def test_a_detector_that_is_gone_is_trained_again(tmp_path, monkeypatch) -> None:
    options = peer.parsed([*ASKED, "--methods", "padim", "--threads", "1"])
    monkeypatch.setattr(peer, "take_turns", lambda *_: {})
    monkeypatch.setattr(peer, "accuracy", lambda *_: {})
    sides, test = FakeSides(tmp_path), [Sample(Path("test.png"), None, None)]
    for _ in range(2):
        peer.measure(options, Rows(tmp_path / "rows.jsonl", {}), sides, [Path("a")], test)
        sides.trained(PEER, Subject("padim")).unlink()
    assert [side for side, *_ in sides.asked] == [OWN, PEER, PEER]


def test_what_a_bank_at_random_cannot_tell_is_left_out(tmp_path, monkeypatch) -> None:
    options = peer.parsed([*ASKED, "--methods", "patchcore", "padim", "--banks", "10", "--draw-banks"])
    asked = []
    monkeypatch.setattr(peer, "take_turns", lambda *_: {})
    monkeypatch.setattr(peer, "accuracy", lambda sides, side, subject, *_: asked.append((subject.name, side)) or {})
    sides, rows = FakeSides(tmp_path), Rows(tmp_path / "rows.jsonl", {})
    peer.measure(options, rows, sides, [Path("a")], [Sample(Path("test.png"), None, None)])
    assert sides.drawn == [False, True, False, False]
    assert asked == [("patchcore-10", OWN), *(("padim", side) for side in SIDES)]
    assert rows.find(row="training", subject="patchcore-10", side=PEER)["drawn"]
