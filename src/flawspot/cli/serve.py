"""``flawspot serve``: run detectors on a production line."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from flawspot.cli import serve_options as options
from flawspot.cli.console import note, out
from flawspot.cli.detectors import DEVICE, MAX_PIXELS, THREADS, TRUSTED_KEYS
from flawspot.cli.interruption import exit_code_of
from flawspot.errors import ConfigurationError
from flawspot.extras import import_module, require
from flawspot.serve.keeping import Keeping
from flawspot.texts import counted

if TYPE_CHECKING:
    from flawspot.serve.outputs.follower import Follower
    from flawspot.serve.station import Station
    from flawspot.serve.tokens import Tokens

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LOCAL = ("127.0.0.1", "::1", "localhost")


def serve(
    artifacts: options.ARTIFACTS = None,
    folder: options.FOLDER = Path("station"),
    name: options.NAME = "station",
    watch: options.WATCH = None,
    camera: options.CAMERA = None,
    every: options.EVERY = 1,
    rate: options.RATE = None,
    silent: options.SILENT = 10.0,
    address: options.ADDRESS = "127.0.0.1",
    port: options.PORT = 8080,
    host: options.HOST = None,
    tls_certificate: options.TLS_CERTIFICATE = None,
    tls_key: options.TLS_KEY = None,
    waiting: options.WAITING = 16,
    keep_days: options.KEEP_DAYS = Keeping.days,
    keep_gb: options.KEEP_GB = Keeping.gigabytes,
    keep_good: options.KEEP_GOOD = Keeping.one_good_in,
    webhook: options.WEBHOOK = None,
    webhook_secret: options.WEBHOOK_SECRET = None,
    mqtt: options.MQTT = None,
    mqtt_login: options.MQTT_LOGIN = None,
    mqtt_tls: options.MQTT_TLS = False,
    results: options.RESULTS = None,
    check: options.CHECK = False,
    demo: options.DEMO = False,
    threads: THREADS = None,
    device: DEVICE = None,
    max_pixels: MAX_PIXELS = None,
    trusted_keys: TRUSTED_KEYS = None,
) -> None:
    """Inspect the parts on a line: from folders, from cameras and by HTTP. A page shows the verdicts, and a record
    keeps every one. Ends with Ctrl-C or SIGTERM."""
    _require(rate, silent)
    artifacts = _given(artifacts or [], folder, demo, check)
    from flawspot.serve.station import Settings, Station, in_use
    from flawspot.serve.swapping import Loading
    from flawspot.serve.trying import copied

    tokens = _tokens(folder, address)
    loading = Loading(threads=threads, device=device, max_pixels=max_pixels, trusted_keys=trusted_keys or None)
    keeping = Keeping(days=keep_days, gigabytes=keep_gb, one_good_in=keep_good)
    busy = check and in_use(folder)
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(copied(folder)) if check else folder
        settings = Settings(place, name, waiting, keeping, loading, tried_for=folder if check else None)
        station = Station(_named(artifacts), settings)
        stack.enter_context(station.abandoned_on_error())
        for detector, where in (_split(given, station) for given in watch or []):
            station.watch(Path(where), detector)
        for detector, where in (_split(given, station) for given in camera or []):
            station.look_through(where, detector, every=every, a_second=rate, silent=silent)
        station.outputs += _outputs(station, (webhook, webhook_secret), (mqtt, mqtt_login, mqtt_tls), results)
        if demo:
            from flawspot.cli.serve_demo import demo_line

            station.sources.append(demo_line(folder, station))
        # The other station's port may be the same one.
        _run(station, tokens, (address, 0 if busy else port), host or [], (tls_certificate, tls_key), check)
        if busy:
            note(f"another station works in {folder}, perhaps at this port: end it before this one starts")


def _given(artifacts: list[str], folder: Path, demo: bool, check: bool) -> list[str]:
    """The artifacts to start with, the demo's among them."""
    if check and demo:
        raise ConfigurationError("--check changes nothing, but --demo draws and trains first: leave one out")
    if demo:
        from flawspot.cli.serve_demo import demo_artifact

        artifacts = [f"demo={demo_artifact(folder)}", *artifacts]
    if not artifacts:
        raise ConfigurationError("there is no detector: give an .onnx file that `flawspot train` wrote, or --demo")
    return artifacts


def _outputs(
    station: Station,
    webhook: tuple[str | None, Path | None],
    mqtt: tuple[str | None, Path | None, bool],
    results: Path | None,
) -> list[Follower]:
    """The outputs that the options ask for. A file of secrets without its output is an error."""
    found: list[Follower] = []
    for name, place, secret in (("webhook", webhook[0], webhook[1]), ("mqtt", mqtt[0], mqtt[1])):
        if secret is not None and place is None:
            raise ConfigurationError(f"{secret} is for --{name}: give that too, or leave the file out")
    if webhook[0] is not None:
        from flawspot.serve.outputs.webhook import Webhook

        found.append(Webhook(station.record, "webhook", webhook[0], secret=webhook[1]))
    if mqtt[0] is not None:
        found.append(_mqtt(station, mqtt[0], mqtt[1], mqtt[2]))
    if results is not None:
        from flawspot.serve.outputs.json_folder import JsonFolder

        found.append(JsonFolder(station.record, "results", results, own=station.settings.own))
    return found


def _require(*numbers: float | None) -> None:
    """Check that the needed packages are installed and that the numbers are not NaN."""
    require("starlette", "the station")
    require("uvicorn", "the station")
    if any(number is not None and math.isnan(number) for number in numbers):
        raise ConfigurationError("--rate and --silent take numbers, not nan: give a number")


def _mqtt(station: Station, place: str, login: Path | None, tls: bool) -> Follower:
    host, _, port = place.rpartition(":") if re.search(r":[0-9]+$", place) else (place, "", "")
    if port and not 0 < int(port) < 65536:
        raise ConfigurationError(f"--mqtt {place}: {port} is not a port: give 1 to 65535")
    mqtt = import_module("flawspot.serve.outputs.mqtt", "MQTT")
    name = station.settings.name
    found: Follower = mqtt.Mqtt(
        station.record, "mqtt", host, name, port=int(port) if port else None, login=login, tls=tls
    )
    return found


def _run(
    station: Station,
    tokens: Tokens,
    place: tuple[str, int],
    hosts: Sequence[str],
    files: tuple[Path | None, Path | None],
    check: bool,
) -> None:
    guard = import_module("flawspot.serve.guard", "the station")
    serving = import_module("flawspot.serve.guard.server", "the station")
    listening = import_module("flawspot.serve.guard.listening", "the station")
    app = import_module("flawspot.serve.api.app", "the station").application(station, tokens)
    admit = import_module("flawspot.serve.api.access", "the station").admission(tokens)
    certificate, key = files
    if (certificate is None) != (key is None):
        raise ConfigurationError("--tls-certificate and --tls-key go together: give both")
    tls = listening.TLS(certificate, key) if certificate is not None else None
    limits = guard.Limits()
    guarded = guard.Guard(app, limits, hosts=hosts, admit=admit)
    server = serving.server(guarded, host=place[0], port=place[1], limits=limits, tls=tls)
    if check:
        server.close()
        out.print(f"{station.settings.name}: everything is ready; nothing was started")
        return
    ended_by = None
    with station:
        try:
            with serving.running(server) as running:
                scheme, shown = "http" if tls is None else "https", place[0] if ":" not in place[0] else f"[{place[0]}]"
                out.print(f"{station.settings.name}: {scheme}://{shown}:{server.port}/  (Ctrl-C ends it)")
                try:
                    running.wait()
                finally:
                    station.events.close()  # open streams would delay the end
        except KeyboardInterrupt as error:
            ended_by = error  # a station always ends this way
    out.print(summary(station))
    if ended_by is not None:
        raise typer.Exit(exit_code_of(ended_by))


def summary(station: Station) -> str:
    """The counts of the run in one line. Parts that were not inspected, dropped or not recorded are always named."""
    tallies = [inspection.tally for inspection in station.inspections.values()]
    judged, failed, dropped, refused, unrecorded = (
        sum(getattr(tally, field) for tally in tallies)
        for field in ("judged", "not_inspected", "dropped", "refused", "unrecorded")
    )
    text = f"{counted(judged - failed, 'part')} inspected, {failed} not inspected"
    for count, what in ((dropped, "dropped"), (refused, "refused"), (unrecorded, "not recorded")):
        text += f", {count} {what}" if count else ""
    return text


def _tokens(folder: Path, address: str) -> Tokens:
    from flawspot.serve.tokens import Tokens

    tokens = Tokens(folder / "tokens.json")
    if tokens.people():
        return tokens
    if address not in _LOCAL:
        raise ConfigurationError(
            f"others can reach {address}, and there is no token: make one with `flawspot tokens add {folder} "
            "--role engineer --name NAME`"
        )
    note(
        "without tokens everybody on this machine may do everything here: make one with "
        f"`flawspot tokens add {folder} --role engineer --name NAME`"
    )
    return tokens


def _named(given: Sequence[str]) -> dict[str, Path]:
    """The detectors' files by name."""
    found: dict[str, Path] = {}
    for text in given:
        name, _, path = text.partition("=") if "=" in text and not Path(text).exists() else ("", "", text)
        name = name or re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).stem).strip("-.")
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"{name!r} cannot name a detector: give NAME=FILE, with letters, digits and .-_")
        if name in found:
            raise ConfigurationError(f"two detectors are called {name}: give them as NAME=FILE")
        found[name] = Path(path)
    return found


def _split(text: str, station: Station) -> tuple[str | None, str]:
    """Split ``DETECTOR=PLACE`` if there is such a detector."""
    name, equals, place = text.partition("=")
    if equals and name in station.inspections:
        return name, place
    if len(station.inspections) > 1:
        names = ", ".join(station.inspections)
        raise ConfigurationError(f"there are several detectors: write it as DETECTOR={text}, with one of {names}")
    return None, text
