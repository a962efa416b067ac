"""The outputs that a station is asked for."""

import pytest

from flawspot.errors import ConfigurationError
from flawspot.serve.outputs import outputs_of
from flawspot.serve.outputs.mqtt import Mqtt

from .broker import Broker


def test_none(record, tmp_path):
    assert outputs_of(record, tmp_path / "line", "line 1") == []


def test_all(record, add, running, eventually, tmp_path):
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed: pip install 'flawspot[mqtt]'")
    broker = Broker()
    try:
        outputs = outputs_of(
            record,
            tmp_path / "line",
            "line 1",
            webhook="http://127.0.0.1:9/",
            mqtt=f"127.0.0.1:{broker.port}",
            results=tmp_path / "out",
        )
        assert [output.state()["name"] for output in outputs] == ["webhook", "mqtt", "results"]
        for output in outputs:
            running(output)
        add(0)
        eventually(lambda: (tmp_path / "out" / "1.json").exists() and broker.results())
        eventually(lambda: outputs[0].state()["failures"])  # and holds up none of the others
    finally:
        broker.close()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("broker.local", "broker.local", 1883),
        ("10.0.0.1:99", "10.0.0.1", 99),
        ("[::1]:7", "::1", 7),
        ("[::1]", "::1", 1883),
    ],
)
def test_brokers(text, host, port, record, tmp_path):
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed: pip install 'flawspot[mqtt]'")
    (output,) = outputs_of(record, tmp_path / "line", "line 1", mqtt=text)
    assert isinstance(output, Mqtt)
    assert (output._host, output._port) == (host, port)


@pytest.mark.parametrize(
    "options",
    [
        {"webhook_secret": "secret"},
        {"mqtt_login": "login"},
        {"mqtt_tls": True},
        *({"mqtt": text} for text in ("", "a b", "a:0", "a:65536", "a:b", "tcp://a", "::1", "a@b", "a:1:2")),
        {"results": "line"},
        {"results": "line/pictures"},
        {"results": "line/pictures/out"},
    ],
    ids=str,
)
def test_settings_that_are_wrong(options, record, tmp_path):
    paths = ("webhook_secret", "mqtt_login", "results")
    given = {name: tmp_path / value if name in paths else value for name, value in options.items()}
    with pytest.raises(ConfigurationError):
        outputs_of(record, tmp_path / "line", "line 1", **given)
