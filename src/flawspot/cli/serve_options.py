"""The options of ``flawspot serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ARTIFACTS = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=]FILE",
        help="Trained detectors, .onnx files. NAME is by default the file's name. Keep it when the file changes: a "
        "new name is a new detector, which inspects a watched folder from the start.",
        show_default=False,
    ),
]
FOLDER = Annotated[Path, typer.Option("--folder", help="The station's folder: record, pictures, artifacts and tokens.")]
NAME = Annotated[str, typer.Option("--name", help="The station's name, on its page and in MQTT topics.")]
WATCH = Annotated[
    list[str] | None,
    typer.Option(
        "--watch",
        metavar="[DETECTOR=]FOLDER",
        help="Inspect the photographs in a folder and its subfolders, and watch it for new ones; repeatable.",
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
EVERY = Annotated[int, typer.Option(min=1, max=10**6, help="Inspect only every Nth picture of a camera or film.")]
RATE = Annotated[
    float | None,
    typer.Option("--rate", min=0.01, max=1000, help="Inspect at most this many pictures a second of a camera or film."),
]
SILENT = Annotated[
    float,
    typer.Option(
        "--silent", min=1, max=86_400, help="Seconds without a picture after which a camera is reported as silent."
    ),
]
ADDRESS = Annotated[
    str,
    typer.Option("--address", help="Address to listen on; 0.0.0.0 for all. If others can reach it, tokens are needed."),
]
PORT = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
HOST = Annotated[
    list[str] | None,
    typer.Option("--host", metavar="NAME", help="A host name of the station, beside its IP addresses; repeatable."),
]
TLS_CERTIFICATE = Annotated[
    Path | None,
    typer.Option("--tls-certificate", metavar="FILE", help="Certificate (PEM) for HTTPS; goes with --tls-key."),
]
TLS_KEY = Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its private key (PEM), unencrypted.")]
WAITING = Annotated[int, typer.Option("--waiting", min=1, max=10_000, help="Parts that may wait for each detector.")]
KEEP_DAYS = Annotated[float, typer.Option("--keep-days", min=0.01, help="How many days pictures are kept.")]
KEEP_GB = Annotated[
    float, typer.Option("--keep-gb", min=0.01, help="GB that pictures may take. The oldest are deleted.")
]
KEEP_GOOD = Annotated[
    int,
    typer.Option("--keep-good", min=0, max=10**9, help="Keep one in N pictures of good parts; 0 keeps none."),
]
WEBHOOK = Annotated[
    str | None,
    typer.Option("--webhook", metavar="URL", help="Post each result and word to this URL, until it is accepted."),
]
WEBHOOK_SECRET = Annotated[
    Path | None,
    typer.Option("--webhook-secret", metavar="FILE", help="File with the secret that signs posts (HMAC-SHA256)."),
]
MQTT = Annotated[
    str | None,
    typer.Option("--mqtt", metavar="HOST[:PORT]", help="Publish each result and word to this broker. Extra: mqtt."),
]
MQTT_LOGIN = Annotated[
    Path | None, typer.Option("--mqtt-login", metavar="FILE", help="File with two lines: user and password.")
]
MQTT_TLS = Annotated[bool, typer.Option("--mqtt-tls", help="Connect to the broker by TLS.")]
RESULTS = Annotated[
    Path | None,
    typer.Option("--results", metavar="FOLDER", help="Write each result and word to this folder as a JSON file."),
]
CHECK = Annotated[
    bool, typer.Option("--check", help="Check whether the station could start, and exit: with code 0 if it could.")
]
DEMO = Annotated[
    bool,
    typer.Option(
        "--demo",
        help="Train on a product that flawspot draws, and inspect its test photographs. Extra: train.",
    ),
]
