"""Results to an MQTT broker that dies, is silent or refuses: at least once, in order, and nothing left behind."""

import importlib.util
import json
import threading
import time

import pytest

from flawspot.errors import ConfigurationError, MissingPackageError
from flawspot.serve.outputs.mqtt import Mqtt

from .broker import Broker

pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed: pip install 'flawspot[mqtt]'")
STATUS = "flawspot/line 1/status"


@pytest.fixture
def broker():
    opened = Broker()
    yield opened
    opened.close()


@pytest.fixture
def output(record, broker):
    """``output(...)``: to the broker."""
    return lambda **options: Mqtt(
        record, "mqtt", "127.0.0.1", "line 1", port=broker.port, **{"timeout": 0.5, **options}
    )


def numbers(broker):
    return [json.loads(payload)["number"] for _, payload in broker.results()]


def test_what_is_published(record, add, running, eventually, broker, output):
    running(output())
    rows = [add(0), record.add("word", {"result": 1, "word": "hold"}), add(1)]
    eventually(lambda: len(broker.results()) == 3)
    assert [topic for topic, _ in broker.results()] == [
        "flawspot/line 1/result",
        "flawspot/line 1/word",
        "flawspot/line 1/result",
    ]
    assert [json.loads(payload) for _, payload in broker.results()] == [row.as_dict() for row in rows]
    assert broker.login is None


def test_a_result_is_out_at_once_where_the_station_nudges(add, running, eventually, broker, output):
    started = running(output())
    eventually(lambda: broker.retained.get(STATUS) == b"online")
    for index in range(20):
        add(index)
        started.nudge()
        eventually(lambda index=index: len(broker.results()) == index + 1)
    eventually(lambda: started.state.waiting == 0)


def test_status_and_farewell(running, eventually, broker, output):
    before = set(threading.enumerate())
    started = output()
    started.start()
    eventually(lambda: broker.retained.get(STATUS) == b"online")  # though there is nothing to send
    new = {thread.name for thread in set(threading.enumerate()) - before if thread.name != "broker"}
    assert new == {"flawspot output mqtt"}
    assert started.stop()
    assert broker.retained[STATUS] == b"offline"
    eventually(lambda: set(threading.enumerate()) <= before)


def test_the_last_will(running, eventually, broker, output):
    started = running(output())
    eventually(lambda: broker.retained.get(STATUS) == b"online")
    broker.refuse = 5
    broker.hang_up()
    eventually(lambda: broker.retained[STATUS] == b"offline")
    eventually(lambda: started.state.error is not None)
    broker.refuse = 0
    eventually(lambda: broker.retained[STATUS] == b"online")  # it comes back by itself
    eventually(lambda: started.state.error is None)


def test_a_broker_that_dies_and_is_silent(add, running, eventually, broker, output):
    broker.plan = ["take", "die", "take", "lose", "take", "silence", "take"]
    for index in range(5):
        add(index)
    started = running(output(after=0))
    eventually(lambda: started.state.waiting == 0)
    # Rows 3 and 4 were taken by a broker that did not say so, and came twice.
    assert numbers(broker) == [1, 2, 3, 3, 4, 4, 5]
    eventually(lambda: started.state.error is None)


def test_what_is_not_acknowledged_is_not_done(add, running, eventually, broker, output, record):
    broker.plan = ["silence"] * 1000
    first = running(output())
    add(0)
    eventually(lambda: first.state.error is not None)
    assert "did not acknowledge row 1" in first.state.error
    assert first.state.position == 0
    begin = time.monotonic()
    assert first.stop()
    assert time.monotonic() - begin < 4
    broker.plan.clear()
    broker.taken.clear()
    running(output())
    eventually(lambda: numbers(broker) == [1])


def test_a_broker_that_starts_again(add, running, eventually, broker, output):
    started = running(output())
    add(0)
    eventually(lambda: numbers(broker) == [1])
    broker.close()
    add(1)
    eventually(lambda: started.state.failures > 1)
    assert "cannot be reached" in started.state.error
    again = Broker(broker.port)
    try:
        eventually(lambda: numbers(again) == [2])
    finally:
        again.close()


def test_login(running, eventually, broker, output, tmp_path):
    (tmp_path / "login").write_text("anna\npass word\n", encoding="utf-8")
    running(output(login=tmp_path / "login"))
    eventually(lambda: broker.login == ("anna", "pass word"))


def test_a_broker_that_refuses(add, running, eventually, broker, output):
    broker.refuse = 5
    started = running(output())
    add(0)
    eventually(lambda: started.state.error is not None)
    assert "refuses the station: Not authorized" in started.state.error
    assert broker.taken == []
    broker.refuse = 0
    eventually(lambda: numbers(broker) == [1])


def test_pings_keep_an_idle_connection(running, eventually, broker, output, monkeypatch):
    monkeypatch.setattr("flawspot.serve.outputs.mqtt._KEEPALIVE_SECONDS", 1)
    started = running(output())
    eventually(lambda: broker.pings >= 2)
    assert broker.keepalive == 1
    assert started.state.failures == 0


def test_a_broker_without_tls_where_it_is_asked_for(add, running, eventually, broker, output):
    started = running(output(tls=True))
    add(0)
    eventually(lambda: started.state.error is not None)
    assert "cannot be reached" in started.state.error
    assert broker.taken == []


def test_tls(record, add, running, eventually, certificate):
    public, context = certificate
    broker = Broker(tls=context)
    options = {"port": broker.port, "tls": True, "timeout": 2.0, "after": 0}
    try:
        stranger = running(Mqtt(record, "stranger", "127.0.0.1", "line 1", **options))
        add(0)
        eventually(lambda: stranger.state.error is not None)
        assert "CERTIFICATE_VERIFY_FAILED" in stranger.state.error
        assert broker.taken == []
        running(Mqtt(record, "mqtt", "127.0.0.1", "line 1", authorities=public, **options))
        eventually(lambda: numbers(broker) == [1])
    finally:
        broker.close()


@pytest.mark.parametrize("station", ["", "a/b", "a+", "#", "a\0", "a\n", "x" * 61])
def test_no_stations(station, record):
    with pytest.raises(ConfigurationError, match="cannot be in MQTT topics"):
        Mqtt(record, "mqtt", "127.0.0.1", station)


@pytest.mark.parametrize("host", ["", "a b", "tcp://a", "a@b", "[a", "[]", "a\n"])
def test_no_brokers(host, record):
    with pytest.raises(ConfigurationError, match="is not a broker"):
        Mqtt(record, "mqtt", host, "line")


def test_an_ipv6_address_may_stand_in_brackets(record):
    assert [Mqtt(record, "mqtt", host, "line")._host for host in ("[::1]", "::1")] == ["::1", "::1"]


@pytest.mark.parametrize("content", ["anna", "anna\n", "a\nb\nc", "\nb"])
def test_no_logins(content, record, tmp_path):
    (tmp_path / "login").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="two lines: the user, and the password"):
        Mqtt(record, "mqtt", "127.0.0.1", "line", login=tmp_path / "login")


def test_without_the_package_the_extra_is_named(record, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "paho" else found(name, *rest))
    with pytest.raises(MissingPackageError, match=r"an output by MQTT needs paho.*\[mqtt\]"):
        Mqtt(record, "mqtt", "127.0.0.1", "line")
