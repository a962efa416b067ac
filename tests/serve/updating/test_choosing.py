"""Which pictures an update learns from: by what people said, and by a draw among what none spoke of."""

import threading

import pytest

from flawspot.errors import ConfigurationError, DataError, FlawspotError
from flawspot.serve.keeping import Keeping
from flawspot.serve.parts import Part
from flawspot.serve.station import Settings, Station
from flawspot.serve.updating import choosing
from flawspot.serve.updating.choosing import Asked, choose

from ..conftest import grey, say


def judged(station, *levels):
    """The numbers of the results of grey pictures."""
    numbers = []
    for level in levels:
        part = Part(grey(level), "a", "http")
        assert station.inspection(None).put(part)
        numbers.append(part.outcome.result(10).row.number)
    return numbers


def chosen(station, folder, *, since="", stopping=None, **more):
    return choose(
        station.record,
        station.pictures,
        "tiny",
        since,
        Asked("ann", **more),
        folder / "chosen",
        stopping or threading.Event(),
    )


def names(folder):
    return sorted(int(path.stem) for path in (folder / "chosen").iterdir())


def test_what_people_called_good_is_taken_and_what_is_defective_never(station, tmp_path):
    alarm, twice, real, *_ = judged(station, 150, 160, 170)
    good, missed, taken_back, held, released, unspoken = judged(station, 10, 20, 30, 40, 50, 60)
    for number, word in (
        (alarm, "false alarm"),
        (twice, "confirmed"),
        (twice, "false alarm"),
        (real, "confirmed"),
        (good, "confirmed"),
        (missed, "missed defect"),
        (taken_back, "missed defect"),
        (taken_back, "confirmed"),
        (held, "confirmed"),
        (held, "hold"),
        (released, "hold"),
        (released, "release"),
    ):
        say(station, number, word)
    found = chosen(station, tmp_path)
    assert found.results == (alarm, twice, good, unspoken)
    assert names(tmp_path) == list(found.results)
    assert (found.false_alarms, found.confirmed, found.sampled, found.kept_good) == (2, 1, 1, 1)
    assert found.barred == 2  # taken_back and held
    for number in found.results:
        content = station.record.row(number).content
        copy = next((tmp_path / "chosen").glob(f"{number:08}.*"))
        assert copy.read_bytes() == station.pictures.find(content["picture"]).read_bytes()


def test_a_picture_that_is_defective_by_another_result_is_not_taken(station, tmp_path):
    first, second, other = judged(station, 20, 20, 30)
    say(station, first, "missed defect")
    say(station, second, "confirmed")
    found = chosen(station, tmp_path)
    assert (found.results, found.contradicted) == ((other,), 1)


def test_each_picture_is_taken_once(station, tmp_path):
    numbers = judged(station, 20, 20, 20, 150, 150)
    say(station, numbers[3], "false alarm")
    say(station, numbers[4], "false alarm")
    found = chosen(station, tmp_path)
    assert found.results == (numbers[2], numbers[4])
    assert (found.false_alarms, found.sampled) == (1, 1)


def test_the_draw_has_a_seed_and_a_size(station, tmp_path):
    numbers = judged(station, *range(1, 60))
    draws = [chosen(station, tmp_path / str(each), sample=10, seed=seed) for each, seed in enumerate((0, 0, 1))]
    assert draws[0].results == draws[1].results != draws[2].results
    assert all(len(each.results) == each.sampled == 10 and each.kept_good == 59 for each in draws)
    assert set(draws[0].results) <= set(numbers)
    with pytest.raises(DataError, match="no picture to learn from: mark"):
        chosen(station, tmp_path / "none", sample=0)


def test_only_what_was_judged_since_a_time_is_taken(station, tmp_path):
    _, second = judged(station, 20, 30)
    assert chosen(station, tmp_path, since=station.record.row(second).time).results == (second,)


def test_what_is_not_kept_any_more_is_counted(station, tmp_path):
    gone, there = judged(station, 150, 160)
    for number in (gone, there):
        say(station, number, "false alarm")
    station.pictures.find(station.record.row(gone).content["picture"]).unlink()
    found = chosen(station, tmp_path)
    assert (found.results, found.not_kept) == ((there,), 1)


def test_bytes_that_are_not_those_that_were_judged_are_not_learned_from(station, tmp_path):
    changed, there = judged(station, 150, 160)
    for number in (changed, there):
        say(station, number, "false alarm")
    station.pictures.find(station.record.row(changed).content["picture"]).write_bytes(grey(1))
    found = chosen(station, tmp_path)
    assert (found.results, found.changed) == ((there,), 1)
    assert names(tmp_path) == [there]


def test_what_is_chosen_stays_where_the_station_lets_go_of_it(station, tmp_path):
    (number,) = judged(station, 20)
    chosen(station, tmp_path)
    path = station.pictures.find(station.record.row(number).content["picture"])
    content = path.read_bytes()
    path.unlink()
    assert next((tmp_path / "chosen").iterdir()).read_bytes() == content


def test_a_disk_without_links_gets_copies(station, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(choosing.os, "link", refuse)
    (number,) = judged(station, 20)
    assert chosen(station, tmp_path).results == (number,)


def test_the_last_pictures_are_drawn_from_even_where_few_good_ones_are_kept(tiny, tmp_path):
    with Station({"tiny": tiny}, Settings(tmp_path / "few", keeping=Keeping(one_good_in=0))) as station:
        numbers = judged(station, *range(1, 31))
        assert chosen(station, tmp_path, sample=100).results == tuple(numbers)


def test_one_update_takes_so_many_of_what_people_spoke_of(station, tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "MOST_SPOKEN", 2)
    numbers = judged(station, 150, 160, 170)
    for number in numbers:
        say(station, number, "false alarm")
    found = chosen(station, tmp_path)
    assert (found.results, found.beyond) == (tuple(numbers[1:]), 1)


def test_it_ends_with_the_station(station, tmp_path):
    judged(station, 20)
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(FlawspotError, match="the station was ended"):
        chosen(station, tmp_path, stopping=stopping)


@pytest.mark.parametrize(
    "wrong", [{"sample": -1}, {"sample": 1001}, {"sample": "50"}, {"sample": True}, {"seed": 2**32}]
)
def test_numbers_out_of_their_range_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="give a whole number from 0 to"):
        Asked("ann", **wrong)
