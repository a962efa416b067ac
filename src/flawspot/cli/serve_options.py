"""The options of ``flawspot serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ARTIFACTS = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=]FILE",
        help="Trained detectors, .onnx files. NAME, by default that of the file, stays when the file changes: another "
        "name is another detector, which inspects a watched folder anew.",
        show_default=False,
    ),
]
FOLDER = Annotated[Path, typer.Option("--folder", help="Of this station: its record, pictures, artifacts and tokens.")]
NAME = Annotated[str, typer.Option("--name", help="Of this station: on its page, and in the topics of MQTT.")]
WATCH = Annotated[
    list[str] | None,
    typer.Option(
        "--watch",
        metavar="[DETECTOR=]FOLDER",
        help="Inspect the photographs in a folder and below it, now and later; repeatable.",
    ),
]
CAMERA = Annotated[
    list[str] | None,
    typer.Option(
        "--camera",
        metavar="[DETECTOR=]SOURCE",
        help="Inspect the pictures of a camera (0), an address (rtsp://...) or a film; repeatable. Extra: video.",
    ),
]
EVERY = Annotated[int, typer.Option(min=1, max=10**6, help="Of a camera or film, inspect each such picture alone.")]
RATE = Annotated[
    float | None,
    typer.Option("--rate", min=0.01, max=1000, help="Of a camera or film, at most so many a second."),
]
SILENT = Annotated[
    float,
    typer.Option(
        "--silent", min=1, max=86_400, help="Seconds without a picture after which a camera is told of as silent."
    ),
]
ADDRESS = Annotated[
    str,
    typer.Option("--address", help="To listen on; 0.0.0.0 for all. One that others reach demands `flawspot tokens`."),
]
PORT = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")]
HOST = Annotated[
    list[str] | None,
    typer.Option(
        "--host", metavar="NAME", help="A name by which the station is reached, beside its IP addresses; repeatable."
    ),
]
TLS_CERTIFICATE = Annotated[
    Path | None, typer.Option("--tls-certificate", metavar="FILE", help="PEM; serves HTTPS, with --tls-key.")
]
TLS_KEY = Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="PEM, not encrypted.")]
WAITING = Annotated[int, typer.Option("--waiting", min=1, max=10_000, help="Parts that may wait for each detector.")]
KEEP_DAYS = Annotated[float, typer.Option("--keep-days", min=0.01, help="Pictures are kept for so many days.")]
KEEP_GB = Annotated[float, typer.Option("--keep-gb", min=0.01, help="They take so many GB at most; the oldest go.")]
KEEP_GOOD = Annotated[
    int,
    typer.Option(
        "--keep-good", min=0, max=10**9, help="Of good parts one picture in so many is kept; 0 keeps none of them."
    ),
]
WEBHOOK = Annotated[
    str | None,
    typer.Option("--webhook", metavar="URL", help="Post each result and word there, until it is taken."),
]
WEBHOOK_SECRET = Annotated[
    Path | None, typer.Option("--webhook-secret", metavar="FILE", help="Signs what is posted (HMAC-SHA256).")
]
MQTT = Annotated[
    str | None,
    typer.Option("--mqtt", metavar="HOST[:PORT]", help="Publish each result and word at a broker. Extra: mqtt."),
]
MQTT_LOGIN = Annotated[Path | None, typer.Option("--mqtt-login", metavar="FILE", help="Two lines: user and password.")]
MQTT_TLS = Annotated[bool, typer.Option("--mqtt-tls", help="Speak to the broker by TLS.")]
RESULTS = Annotated[
    Path | None, typer.Option("--results", metavar="FOLDER", help="Write each result and word there as a JSON file.")
]
CHECK = Annotated[
    bool, typer.Option("--check", help="See whether all of this could be started, and end: exit code 0 where it could.")
]
DEMO = Annotated[
    bool,
    typer.Option(
        "--demo",
        help="Train on a product that flawspot draws; its test photographs pass. Extra: train.",
    ),
]
