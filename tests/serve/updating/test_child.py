"""The process that makes an update: it can update every method, with torch where that is needed."""

import pytest

import flawspot
from flawspot.methods.registry import methods
from flawspot.serve.parts import GOOD
from flawspot.serve.station import Station

from ..conftest import pass_by, say
from .test_updates import ASKED, done, tried


@pytest.mark.slow
@pytest.mark.parametrize("method", [name for name in methods() if name != "padim"])
def test_every_method_is_updated(method, trained, tmp_path, settings):
    """PaDiM is updated in test_updates."""
    detector = tmp_path / "part.onnx"
    settings_of = {"jury": {"members": "padim:channels=4 + paste:epochs=1"}}.get(method, methods()[method].shortest_fit)
    quick = {"input_size": 32, "random_weights": True, "state": True, "calibration_fraction": 0.5, "progress": False}
    flawspot.train(trained.parent / "good", method=method, settings=settings_of, output=detector, **quick)
    with Station({"part": detector}, settings) as station:
        pass_by(station, range(500, 508))
        for row in station.record.results():
            say(station, row.number, "confirmed" if row.content["verdict"] == GOOD else "false alarm")
        station.updates["part"].ask(ASKED)
        found = done(station)
        assert found["state"] == "made", found["reason"]
        assert sum(found["report"][role] for role in ("learned", "held_out", "validated")) == 8
        candidate = tried(station)
        station.swaps["part"].approve(candidate.sha256, "berta")
        assert pass_by(station, [900])[0]["artifact"] == candidate.sha256
