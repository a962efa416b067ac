import threading

import pytest

from flawspot.errors import ArtifactError, FlawspotError, FlawspotWarning, SignatureError
from flawspot.runtime.signature import make_key
from flawspot.serve.parts import Part
from flawspot.serve.station import Settings, Station
from flawspot.serve.swapping import Loading

from .conftest import grey, wait_for


def inspect(station, level):
    part = Part(grey(level), "a", "http")
    assert station.inspection(None).put(part)
    return part.outcome.result(10).content


def tried(swap):
    wait_for(lambda: swap.candidate is not None and swap.candidate.state != "trying")
    return swap.candidate


def test_it_is_tried_approved_and_taken_back(station, stricter):
    swap = station.swaps["tiny"]
    for level in (20, 70, 150):
        inspect(station, level)
    found = swap.begin(stricter, "anna")
    assert tried(swap).state == "tried"
    assert (found.pictures, found.of) == (3, 3)
    assert [(each.before, each.after) for each in found.changed] == [("good", "anomalous")]
    assert found.largest_change == pytest.approx(1.5)
    assert inspect(station, 70)["verdict"] == "good"  # it judges nothing yet
    swap.approve(found.sha256, "berta")
    again = inspect(station, 70)
    assert (again["verdict"], again["artifact"]) == ("anomalous", found.sha256)
    swap.back("carla")
    assert inspect(station, 70)["verdict"] == "good"
    history = [row.content for row in reversed(station.record.of_kind("artifact"))]
    assert [(each["how"], each["by"]) for each in history] == [
        ("start", "who started the station"),
        ("approved", "berta"),
        ("rolled back", "carla"),
    ]
    assert history[1]["previous"] == history[0]["artifact"] == history[2]["artifact"]


def test_what_was_approved_stays_after_a_restart_and_can_be_taken_back(tiny, settings, stricter):
    with Station({"tiny": tiny}, settings) as station:
        found = station.swaps["tiny"].begin(stricter, "anna")
        tried(station.swaps["tiny"])
        station.swaps["tiny"].approve(found.sha256, "anna")
    with Station({"tiny": tiny}, settings) as station:
        assert inspect(station, 70)["artifact"] == found.sha256
        station.swaps["tiny"].back("anna")
        assert inspect(station, 70)["verdict"] == "good"
    with Station({"tiny": tiny}, settings) as station:
        assert inspect(station, 70)["verdict"] == "good"


def test_another_file_in_the_place_of_what_was_approved_judges_nothing(tiny, settings, stricter):
    with Station({"tiny": tiny}, settings) as station:
        swap = station.swaps["tiny"]
        found = swap.begin(stricter, "anna")
        tried(swap)
        swap.approve(found.sha256, "anna")
    kept = settings.folder / "artifacts" / f"{found.sha256}.onnx"
    kept.write_bytes(tiny.read_bytes())  # an artifact indeed, but nobody has approved it
    with pytest.raises(ArtifactError, match="not the file that was approved"):
        Station({"tiny": tiny}, settings)
    kept.write_bytes(stricter)
    (first,) = (path for path in kept.parent.iterdir() if path != kept)
    first.write_bytes(stricter)
    with Station({"tiny": tiny}, settings) as station:
        assert first.read_bytes() == tiny.read_bytes()  # whoever starts the station has given it again
        first.write_bytes(stricter)
        with pytest.raises(ArtifactError, match="not the file that was approved"):
            station.swaps["tiny"].back("anna")
        assert inspect(station, 70)["artifact"] == found.sha256


def test_what_has_judged_is_kept_where_it_cannot_be_loaded_any_more(station, tiny, tmp_path):
    private = tmp_path / "line.key"
    make_key(private)
    keys = [path for path in tmp_path.iterdir() if path.name.startswith("line") and path != private]
    station.swaps["tiny"].loading = Loading(trusted_keys=keys)
    with pytest.raises(SignatureError):
        station.swaps["tiny"].begin(tiny.read_bytes(), "anna")
    assert [path.read_bytes() for path in (station.settings.folder / "artifacts").iterdir()] == [tiny.read_bytes()]


def test_another_file_at_the_start_is_recorded(tiny, settings, stricter):
    with Station({"tiny": tiny}, settings) as station:
        first = station.inspection(None).loaded.sha256
    tiny.write_bytes(stricter)
    with Station({"tiny": tiny}, settings) as station:
        assert inspect(station, 70)["verdict"] == "anomalous"
        newest = station.record.of_kind("artifact")[0].content
        assert (newest["how"], newest["previous"]) == ("start", first)


@pytest.mark.parametrize("content", [b"", b"no artifact", b"\x08\x07" * 500])
def test_what_is_no_artifact_changes_nothing(station, content):
    swap, before = station.swaps["tiny"], station.inspection(None).loaded
    with pytest.raises(ArtifactError):
        swap.begin(content, "anna")
    assert swap.candidate is None
    assert station.inspection(None).loaded is before


def test_only_what_was_sent_and_tried_is_approved(station, stricter):
    swap = station.swaps["tiny"]
    with pytest.raises(FlawspotError, match="waits for approval"):
        swap.approve("0" * 64, "anna")
    with pytest.raises(FlawspotError, match="no artifact before"):
        swap.back("anna")
    found = swap.begin(stricter, "anna")
    tried(swap)
    with pytest.raises(FlawspotError, match="waits for approval"):
        swap.approve("0" * 64, "anna")
    swap.approve(found.sha256, "anna")
    with pytest.raises(FlawspotError, match="waits for approval"):
        swap.approve(found.sha256, "anna")


def test_unsigned_artifacts_are_refused_where_keys_are_named(tmp_path, tiny, stricter):
    private = tmp_path / "line.key"
    make_key(private)
    public = next(path for path in tmp_path.iterdir() if path.name.startswith("line") and path != private)
    loading = Loading(trusted_keys=[public])
    with pytest.raises(SignatureError):
        Station({"tiny": tiny}, Settings(tmp_path / "signed", loading=loading))
    with Station({"tiny": tiny}, Settings(tmp_path / "unsigned")) as station:
        station.swaps["tiny"].loading = loading
        with pytest.raises(SignatureError):
            station.swaps["tiny"].begin(stricter, "anna")
        assert not list((tmp_path / "unsigned" / "artifacts").glob(f"*{hash(stricter)}*"))


def test_no_part_is_lost_while_it_is_switched(station, stricter):
    swap = station.swaps["tiny"]
    found = swap.begin(stricter, "anna")
    tried(swap)
    parts = [Part(grey(70), str(number), "http") for number in range(150)]
    feeding = threading.Thread(target=lambda: [station.inspection(None).put(part) for part in parts])
    feeding.start()
    parts[30].outcome.result(10)
    swap.approve(found.sha256, "anna")
    parts[90].outcome.result(10)
    swap.back("anna")
    feeding.join(20)
    contents = [part.outcome.result(10).content for part in parts]
    assert {(each["verdict"], each["artifact"] == found.sha256) for each in contents} == {
        ("good", False),
        ("anomalous", True),
    }
    assert len({part.outcome.result().row.number for part in parts}) == 150
    assert not list(station.record.verify())


def test_what_a_start_changes_is_told(tiny, settings, stricter):
    with Station({"tiny": tiny}, settings) as station:
        found = station.swaps["tiny"].begin(stricter, "anna")
        tried(station.swaps["tiny"])
        station.swaps["tiny"].approve(found.sha256, "anna")
        before = station.swaps["tiny"].previous
    with pytest.warns(FlawspotWarning, match=f"{found.sha256[:12]} judges, which was approved"):
        station = Station({"tiny": tiny}, settings)
    with station:
        assert station.swaps["tiny"].previous == before
    with pytest.warns(FlawspotWarning, match="knows no detector other, but tiny: .* give tiny="):
        station = Station({"other": tiny}, settings)
    with station:
        assert station.trouble is None


def test_a_state_beside_what_was_given_is_kept_and_renewed(tiny, settings):
    given = tiny.with_suffix(".state")
    with Station({"tiny": tiny}, settings) as station:
        swap = station.swaps["tiny"]
        kept = swap.folder / f"{swap.inspection.loaded.sha256}.state"
        assert swap.state is None
        given.write_bytes(b"one")
        assert swap.state == given
    with Station({"tiny": tiny}, settings) as station:
        assert (station.swaps["tiny"].state, kept.read_bytes()) == (kept, b"one")
    given.write_bytes(b"another")
    with Station({"tiny": tiny}, settings):
        assert kept.read_bytes() == b"another"
    given.unlink()
    with Station({"tiny": tiny}, settings) as station:
        assert station.swaps["tiny"].state == kept


def test_the_state_of_an_update_goes_with_its_approval(station, stricter, tmp_path, monkeypatch):
    swap, state = station.swaps["tiny"], tmp_path / "new.state"
    state.write_bytes(b"new")
    found = swap.begin(stricter, "anna", update_of=swap.inspection.loaded.sha256, state=state)
    tried(swap)
    kept = swap.folder / f"{found.sha256}.state"
    assert not kept.exists()
    switch = swap._switch

    def fail(*_):
        raise FlawspotError("the record is full")

    monkeypatch.setattr(swap, "_switch", fail)
    with pytest.raises(FlawspotError, match="full"):
        swap.approve(found.sha256, "anna")
    monkeypatch.setattr(swap, "_switch", switch)
    swap.approve(found.sha256, "anna")  # there is nothing left to move
    assert (swap.state, kept.read_bytes()) == (kept, b"new")


def test_an_update_of_what_judges_no_longer_is_no_candidate(station, stricter):
    swap = station.swaps["tiny"]
    with pytest.raises(FlawspotError, match="another artifact judges now"):
        swap.begin(stricter, "anna", update_of="0" * 64)
    assert swap.candidate is None


def test_a_candidate_is_turned_down(station, stricter):
    swap, before = station.swaps["tiny"], station.inspection(None).loaded
    with pytest.raises(FlawspotError, match="waits for approval"):
        swap.turn_down("0" * 64, "anna")
    found = swap.begin(stricter, "anna")
    tried(swap)
    swap.turn_down(found.sha256, "berta")
    assert swap.candidate is None
    assert station.inspection(None).loaded is before
    content = station.record.of_kind("candidate")[0].content
    assert (content["artifact"], content["by"], content["how"]) == (found.sha256, "berta", "turned down")
    with pytest.raises(FlawspotError, match="waits for approval"):
        swap.approve(found.sha256, "anna")
