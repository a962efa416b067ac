"""Results to an MQTT broker. It needs the extra ``flawspot[mqtt]``."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flawspot.errors import ConfigurationError
from flawspot.extras import require
from flawspot.serve.chain import Row
from flawspot.serve.outputs.follower import DeliveryError, Follower, message
from flawspot.serve.outputs.secrets_file import read_login
from flawspot.serve.outputs.webhook import context
from flawspot.serve.record import Record
from flawspot.texts import shortened

_STATION = re.compile(r"[^+#/\0-\x1f\x7f]{1,60}")
_HOST = re.compile(r"\[[0-9a-fA-F:.]+\]|[^\s/@\[\]]+")
_KEEPALIVE_SECONDS = 30
_FAREWELL_SECONDS = 2.0
_TURN_SECONDS = 0.1
"""Seconds between two checks whether the output should end, while waiting for the broker."""
ONLINE, OFFLINE = "online", "offline"


class Mqtt(Follower):
    """Publishes rows on ``flawspot/STATION/result`` and ``flawspot/STATION/word``. A row is accepted once the broker
    has acknowledged it (QoS 1).

    ``flawspot/STATION/status`` holds ``online`` or ``offline``, retained. The broker itself publishes ``offline`` when
    the connection is lost (last will).
    """

    def __init__(
        self,
        record: Record,
        name: str,
        host: str,
        station: str,
        *,
        port: int | None = None,
        login: Path | None = None,
        tls: bool = False,
        authorities: Path | None = None,
        timeout: float = 10.0,
        after: int | None = None,
        seed: int = 0,
    ) -> None:
        """Check the settings. Nothing is connected yet.

        Args:
            record, name, after, seed: see `Follower`.
            host: name or address of the broker; an IPv6 address may be in brackets.
            station: its name in the topics.
            port: port of the broker; by default 8883 with TLS, else 1883.
            login: a file with two lines, user and password.
            tls: encrypt, and require a certificate for the broker's name.
            authorities: a PEM file with the trusted certificate authorities, instead of the system's.
            timeout: seconds for a connection and for an acknowledgement.

        Raises:
            ConfigurationError: a setting is wrong, or a file cannot be read.
            MissingPackageError: paho-mqtt is not installed.
            FlawspotError: see `Follower`.
        """
        require("paho", "an output by MQTT")
        if not _STATION.fullmatch(station):
            raise ConfigurationError(
                f"{shortened(station)!r} cannot be in MQTT topics: give up to 60 characters without +, # and /"
            )
        if not _HOST.fullmatch(host):
            raise ConfigurationError(
                f"{shortened(host)!r} is not a broker: give its name or address, such as broker.local"
            )
        self._host = host.strip("[]")
        self._port = port if port is not None else (8883 if tls else 1883)
        self._topic = f"flawspot/{station}"
        self._known_as = f"flawspot-{station}-{name}"
        self._login = None if login is None else read_login(login)
        self._context = context(authorities) if tls else None
        self._timeout = timeout
        self._client: Any = None
        self._lost = False
        super().__init__(record, name, after=after, seed=seed)

    def tend(self) -> None:
        """Stay connected, so that the status and the last will are right even if nothing is inspected."""
        if self._client is not None and not self._lost:
            self._turn(0.0)
        if self._client is None or self._lost:
            self.leave()
            self._connect()

    def send(self, row: Row) -> None:
        """See `Follower`."""
        self.tend()
        self._publish(f"{self._topic}/{row.kind}", message(row), f"row {row.number}")

    def leave(self) -> None:
        """Publish ``offline`` if connected, and close the connection."""
        if self._client is None:
            return
        with contextlib.suppress(ValueError, RuntimeError, OSError):
            if not self._lost:
                said = self._client.publish(f"{self._topic}/status", OFFLINE, qos=1, retain=True)
                self._until(said.is_published, _FAREWELL_SECONDS)
                self._client.disconnect()
        with contextlib.suppress(OSError):
            if self._client.socket() is not None:
                self._client.socket().close()
        self._client = None

    def _connect(self) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        # paho's own retries and thread are not used: unacknowledged rows are sent again from the record, and its thread
        # would not end while a broker is silent. By the client's name the broker recognizes it and ends a lost
        # connection before this one, so that the last will of that one does not come after our own status.
        client = Client(CallbackAPIVersion.VERSION2, self._known_as, reconnect_on_failure=False)
        client.connect_timeout = self._timeout
        if self._login is not None:
            client.username_pw_set(*self._login)
        if self._context is not None:
            client.tls_set_context(self._context)
        client.will_set(f"{self._topic}/status", OFFLINE, qos=1, retain=True)
        answers = list[Any]()
        client.on_connect = lambda *given: answers.append(given[3])
        try:
            client.connect(self._host, self._port, _KEEPALIVE_SECONDS)
        except (OSError, ValueError) as error:
            raise DeliveryError(f"{self._broker} cannot be reached: {error}") from error
        self._client, self._lost = client, False
        self._until(lambda: bool(answers), self._timeout, self.stopping)
        if not answers or answers[0].is_failure:
            self._lost = True  # nothing can be sent to it
            why = f"refuses the station: {answers[0]}" if answers else f"does not answer{self._why()}"
            raise DeliveryError(f"{self._broker} {why}")
        self._publish(f"{self._topic}/status", ONLINE, "the status", retain=True)

    def _publish(self, topic: str, payload: str | bytes, what: str, *, retain: bool = False) -> None:
        said = self._client.publish(topic, payload, qos=1, retain=retain)
        if said.rc:
            self._lost = True
            raise DeliveryError(f"{self._broker} did not take {what}: the connection is lost")
        if not self._until(said.is_published, self._timeout, self.stopping):
            raise DeliveryError(f"{self._broker} did not acknowledge {what}{self._why()}")

    def _until(self, done: Callable[[], bool], seconds: float, unless: threading.Event | None = None) -> bool:
        """Let the connection work until `done`. False if it is lost first, or the time is over."""
        end = time.monotonic() + seconds
        while not done():
            if self._lost or time.monotonic() > end or (unless is not None and unless.is_set()):
                return False
            self._turn(_TURN_SECONDS)
        return True

    def _turn(self, seconds: float) -> None:
        """Read and write what is waiting, including pings."""
        if self._client.loop(seconds):
            self._lost = True

    def _why(self) -> str:
        return ": the connection is lost" if self._lost else ""

    @property
    def _broker(self) -> str:
        return f"the broker {self._host}:{self._port}"
