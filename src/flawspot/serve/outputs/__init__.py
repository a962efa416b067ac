"""Results to other systems: each output is a thread that follows the record, and delivers every result at least once.

An output keeps nothing in memory that could be lost: it remembers on the disk up to which row everything was taken,
and begins there again after whatever has ended it. What was taken just before may come twice; by its number a receiver
knows it again.
"""

from __future__ import annotations

import re
from pathlib import Path

from flawspot.errors import ConfigurationError
from flawspot.serve.outputs.follower import Follower
from flawspot.serve.outputs.json_folder import JsonFolder
from flawspot.serve.outputs.mqtt import Mqtt
from flawspot.serve.outputs.webhook import Webhook
from flawspot.serve.record import Record
from flawspot.texts import shortened

_BROKER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/@\[\]]+)(?::([0-9]{1,5}))?")


def outputs_of(
    record: Record,
    folder: Path,
    station: str,
    *,
    webhook: str | None = None,
    webhook_secret: Path | None = None,
    mqtt: str | None = None,
    mqtt_login: Path | None = None,
    mqtt_tls: bool = False,
    results: Path | None = None,
) -> list[Follower]:
    """The outputs that are asked for; none is started yet.

    Args:
        record: that they follow.
        folder: of the station, whose own files no output may meet.
        station: its name, in MQTT's topics.
        webhook: where results are posted.
        webhook_secret: a file with the key that signs them.
        mqtt: the broker, ``HOST`` or ``HOST:PORT``.
        mqtt_login: a file with user and password in two lines.
        mqtt_tls: speak to the broker by TLS.
        results: the folder into which each is written as a file.

    Raises:
        ConfigurationError: a setting is wrong, or belongs to an output that is not asked for.
        FlawspotError: see the outputs.
    """
    found = list[Follower]()
    if webhook is not None:
        found.append(Webhook(record, "webhook", webhook, secret=webhook_secret))
    elif webhook_secret is not None:
        raise ConfigurationError("there is a secret for a webhook, and no webhook: give its address too")
    if mqtt is not None:
        host, port = _broker(mqtt)
        found.append(Mqtt(record, "mqtt", host, station, port=port, login=mqtt_login, tls=mqtt_tls))
    elif mqtt_login is not None or mqtt_tls:
        raise ConfigurationError("there are settings for MQTT, and no broker: give its address too")
    if results is not None:
        own = folder.resolve()
        if results.resolve() == own or results.resolve().is_relative_to(own / "pictures"):
            raise ConfigurationError(f"{results} is where the station keeps its own files: give another folder")
        found.append(JsonFolder(record, "results", results))
    return found


def _broker(text: str) -> tuple[str, int | None]:
    """Host and port; None for the usual one."""
    found = _BROKER.fullmatch(text)
    port = None if found is None or found[2] is None else int(found[2])
    if found is None or (port is not None and not 0 < port < 65536):
        raise ConfigurationError(f"{shortened(text)!r} is no broker: give HOST or HOST:PORT, such as broker.local:1883")
    return found[1].strip("[]"), port
