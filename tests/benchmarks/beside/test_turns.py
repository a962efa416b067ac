"""Who looks when, and what comes of the times and maps."""

import contextlib
import sys
from pathlib import Path

import numpy as np
import pytest
from beside import turns
from beside.subjects import OWN, PEER, SIDES, SIZE, Subject
from PIL import Image

from flawspot.data.samples import Sample

PADIM = Subject("padim")


class FakeSides:
    """Answers as a process would, and notes who was asked for what."""

    def __init__(self, folder: Path, maps: dict[str, np.ndarray] | None = None) -> None:
        self.folder, self.maps, self.asked = folder, maps or {}, []

    def loaded(self, side, subject, threads, stack: contextlib.ExitStack):
        def ask(request):
            name = Path(request["photograph"]).name
            self.asked.append((side, name))
            if "keep" in request:
                np.save(request["keep"], self.maps[name])
                return {"score": float(self.maps[name].max()), "size": [450, 450]}
            return {"ms": 10.0 * (1 + SIDES.index(side)), "alone": 15.0 if side == PEER else None, "peak": 2**21}

        return ask


def test_sides_take_turns_photograph_by_photograph(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(turns, "PAUSE", 0)
    monkeypatch.setattr(turns, "WARM_UP", 0)
    sides = FakeSides(tmp_path)
    found = turns.take_turns(sides, PADIM, 1, [Path("a"), Path("b")], rounds=2)
    assert [name for _, name in sides.asked] == ["a"] * 3 + ["b"] * 3 + ["a"] * 3 + ["b"] * 3
    assert [side for side, _ in sides.asked[:9]] == [*SIDES, *SIDES[1:], SIDES[0], *SIDES[2:], *SIDES[:2]]
    assert found[PEER] == {
        "calls": 4,
        "ms": 20.0,
        "ms_p95": 20.0,
        "alone": 15.0,
        "times": [2.0, 2.0, 2.0],
        "peak_mib": 2.0,
    }
    assert found[OWN]["times"] == [1.0, 1.0, 1.0]


def test_ratios_are_of_the_same_turns() -> None:
    looks = [{"ms": ms, "peak": None} for ms in (10, 40, 30, 80, 100)]
    found = turns.figures(looks, own=[10, 10, 10, 10, 10])
    assert found["times"] == [3.0, 4.0, 8.0]
    assert (found["ms"], found["alone"], found["peak_mib"]) == (40, None, None)
    uneven = turns.figures([{"ms": 10, "peak": 0}, {"ms": 30, "peak": 0}], own=[5, 30])
    assert uneven["times"][1] == 1.5


def test_accuracy_is_flawspot_s_own_of_any_side_s_maps(tmp_path) -> None:
    marked = np.zeros((450, 450), np.uint8)
    marked[:225] = 255
    Image.fromarray(marked).save(tmp_path / "mask.png")
    samples = [
        Sample(tmp_path / "good.png", None, None),
        Sample(tmp_path / "bad.png", "cut", tmp_path / "mask.png"),
    ]
    right = np.zeros((SIZE, SIZE), np.float32)
    right[: SIZE // 2] = 1
    sides = FakeSides(tmp_path, {"good.png": np.zeros((SIZE, SIZE), np.float64), "bad.png": right})
    found = turns.accuracy(sides, PEER, PADIM, 1, samples)
    assert found == {"pixel_f1_max": 1.0, "pixel_auroc": 1.0, "image_auroc": 1.0, "images": 2}
    sides.maps["bad.png"] = 1 - right
    assert turns.accuracy(sides, PEER, PADIM, 1, samples)["pixel_f1_max"] == pytest.approx(0.4)


def test_each_side_is_trained_in_a_process_of_its_own(tmp_path, monkeypatch) -> None:
    started = []

    class FakeSide(contextlib.nullcontext):
        def __init__(self, name, command, environment, log) -> None:
            super().__init__(self)
            started.append((name, command, environment))

        def ask(self, request):
            assert (request["do"], request["photographs"], request["drawn"]) == ("train", ["a", "b"], False)
            return {"seconds": 3.0, "peak": 2**22}

    monkeypatch.setattr(turns, "Side", FakeSide)
    sides = turns.Sides(Path("peer-python"), tmp_path)
    for side, subject in ((OWN, PADIM), (PEER, PADIM), (PEER, Subject("patchcore", bank=5))):
        row = sides.train(side, subject, [Path("a"), Path("b")], 2, drawn=False)
        assert row == {"photographs": 2, "seconds": 3.0, "peak_mib": 4.0}
    (own, first, ours), (peer, second, theirs), (_, _, selecting) = started
    assert (own, peer) == (OWN, PEER)
    assert first == [sys.executable, "-m", "beside.own_side"]
    assert second == ["peer-python", "-m", "beside.peer_side"]
    assert ours["OMP_NUM_THREADS"] == theirs["OMP_NUM_THREADS"] == "2"
    assert theirs == ours
    assert selecting.items() - ours.items() == turns.LARGE.items()
