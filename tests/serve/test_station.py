import numpy as np
import pytest

from flawspot.errors import ConfigurationError, FlawspotError
from flawspot.runtime.calibration import proved_rate
from flawspot.serve.lamps import WELL, WRONG, lamps
from flawspot.serve.parts import Part
from flawspot.serve.station import Settings, Station
from flawspot.serve.status import status_of

from .conftest import grey, wait_for


def inspect(station, *levels):
    parts = [Part(grey(level), str(level), "http") for level in levels]
    for part in parts:
        assert station.inspection(None).put(part)
    return [part.outcome.result(10) for part in parts]


def lamp(station, name):
    return next(each for each in lamps(status_of(station)) if each["name"] == name)


def test_drift_is_told_with_what_has_changed(station):
    generator = np.random.default_rng(0)
    inspect(station, *(int(level) for level in generator.integers(40, 60, 80)))
    assert lamp(station, "Drift")["lamp"] == WELL
    inspect(station, *(int(level) for level in generator.integers(65, 90, 150)))
    wait_for(lambda: status_of(station)["detectors"][0]["drift"]["alarm"])
    told = lamp(station, "Drift")
    assert told["lamp"] == WRONG
    assert "brightness" in told["text"]
    assert not any(outcome.content["verdict"] != "good" for outcome in inspect(station, 70))


def test_all_false_alarm_rates_are_told(station):
    calibration = station.inspection(None).loaded.detector.manifest.calibration
    told = status_of(station)["detectors"][0]
    assert told["false_alarm_rate"] == calibration.false_alarm_rate
    assert told["promised_rate"] == calibration.promised_rate
    assert told["proved_rate"] == proved_rate(calibration)


def test_a_fault_in_what_hears_of_outcomes_ends_nothing(station):
    station.listeners.append(lambda outcome: 1 / 0)
    with pytest.warns(RuntimeWarning, match="ZeroDivisionError"):
        assert [outcome.content["verdict"] for outcome in inspect(station, 50, 150)] == ["good", "anomalous"]
        station.inspection(None).close()


def test_a_start_and_an_end_are_recorded(tiny, settings):
    with Station({"tiny": tiny}, settings) as station:
        inspect(station, 50)
    with Station({"tiny": tiny}, settings) as station:
        events = [row.content["event"] for row in reversed(station.record.of_kind("station"))]
    assert events == ["started", "stopped", "started"]


def test_two_stations_do_not_share_a_folder(station, tiny, settings):
    with pytest.raises(FlawspotError, match="another station works in"):
        Station({"tiny": tiny}, settings)


def test_an_artifact_that_cannot_be_loaded_leaves_the_folder_free(tiny, settings, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no artifact")
    with pytest.raises(FlawspotError, match=r"broken\.onnx"):
        Station({"tiny": tiny, "broken": tmp_path / "broken.onnx"}, settings)
    with Station({"tiny": tiny}, settings):
        pass


def test_several_detectors_have_names(tiny, settings):
    with Station({"left": tiny, "right": tiny}, settings) as station:
        with pytest.raises(ConfigurationError, match=r"several detectors: name one .* left, right"):
            station.inspection(None)
        with pytest.raises(ConfigurationError, match="there is no detector middle"):
            station.inspection("middle")
        part = Part(grey(50), "a", "http")
        station.send(part, "right")
        assert part.outcome.result(10).content["detector"] == "right"
        names = [each["name"] for each in lamps(status_of(station))]
        assert {"Queue left", "Queue right", "Drift left"} <= set(names)


def test_settings_name_the_folder(tmp_path, tiny):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FlawspotError, match="choose another --folder"):
        Station({"tiny": tiny}, Settings(tmp_path / "file"))
