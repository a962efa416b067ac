"""A station with the tiny detector: what is brighter than grey level 100 in its first 8 x 8 pixels is anomalous."""

import contextlib
import http.client
import io
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawspot.runtime.artifact import assemble
from flawspot.serve.api.access import admission
from flawspot.serve.api.app import application
from flawspot.serve.guard import Guard
from flawspot.serve.guard.server import running, server
from flawspot.serve.keeping import Keeping
from flawspot.serve.parts import Part
from flawspot.serve.station import Settings, Station
from flawspot.serve.tokens import Role, Tokens

from ..conftest import photograph
from .at_work import AtWork, artifact


def grey(level: int, size: int = 16) -> bytes:
    """A grey picture as the bytes of a PNG; its score is its grey level."""
    file = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), level, np.uint8)).save(file, "PNG")
    return file.getvalue()


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not come to be"
        time.sleep(0.01)


def small_part(seed: int) -> bytes:
    """A photograph of a good part as the bytes of a PNG."""
    file = io.BytesIO()
    Image.fromarray(photograph(seed)).save(file, "PNG")
    return file.getvalue()


def pass_by(station: Station, seeds: Iterable[int]) -> list[dict[str, Any]]:
    """Let good parts be judged; returns their results."""
    results = []
    for seed in seeds:
        part = Part(small_part(seed), str(seed), "http")
        assert station.inspection(None).put(part)
        results.append(part.outcome.result(20).as_dict())
    return results


def say(station: Station, number: int, word: str) -> None:
    """What a person says of a result."""
    said = {"result": number, "word": word, "boxes": [], "note": None, "by": "ann", "role": "operator"}
    station.record.add("word", said)


@pytest.fixture
def tiny(tmp_path, tiny_model, tiny_manifest):
    """The artifact."""
    path = tmp_path / "tiny.onnx"
    assemble(tiny_model, tiny_manifest).save(path)
    return path


@pytest.fixture
def stricter(tmp_path, tiny_model, tiny_manifest):
    """The bytes of an artifact that says *anomalous* from grey level 50 on."""
    return artifact(tmp_path, tiny_model, tiny_manifest, threshold=50.0).read_bytes()


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The file of a PaDiM of random weights that can be updated, with its state beside it."""
    pytest.importorskip("torch", reason="training needs torch")
    from flawspot.training.road import train

    folder = tmp_path_factory.mktemp("trained")
    (folder / "good").mkdir()
    for number in range(20):
        (folder / "good" / f"{number:03}.png").write_bytes(small_part(number))
    made = folder / "part.onnx"
    train(folder / "good", method="padim", input_size=32, random_weights=True, output=made, state=True, progress=False)
    return made


@pytest.fixture
def updatable(trained, tmp_path):
    """A copy of it for one test."""
    for path in (trained, trained.with_suffix(".state")):
        shutil.copy(path, tmp_path)
    return tmp_path / trained.name


@pytest.fixture
def line(updatable, settings):
    """A station whose detector, ``part``, can be updated; 8 parts have passed."""
    with Station({"part": updatable}, settings) as found:
        pass_by(found, range(500, 508))
        yield found


@pytest.fixture
def settings(tmp_path):
    """In a folder with a space in its name; every good picture is kept."""
    return Settings(tmp_path / "my station", keeping=Keeping(one_good_in=1))


@pytest.fixture
def station(tiny, settings):
    """At work; one detector, ``tiny``."""
    with Station({"tiny": tiny}, settings) as found:
        yield found


@dataclass(frozen=True)
class Answer:
    """Of the station's server."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """A station behind its server, and a client that speaks to it."""

    def __init__(self, station: Station, port: int) -> None:
        self.station, self.port = station, port

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """One request; a body that is no bytes is sent as JSON."""
        sent = dict(headers)
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, bytes):
            body, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def get(self, path: str, **more: Any) -> Answer:
        return self.ask("GET", path, **more)

    def post(self, path: str, body: Any = b"", **more: Any) -> Answer:
        return self.ask("POST", path, body, **more)


@contextlib.contextmanager
def serving(station: Station, tokens: Tokens | None = None) -> Iterator[Served]:
    """The station behind its guard and server, on a free port."""
    started = server(Guard(application(station, tokens), admit=admission(tokens)))
    with running(started):
        yield Served(station, started.port)


@pytest.fixture
def served(station):
    """For everybody at this machine."""
    with serving(station) as found:
        yield found


@pytest.fixture
def guarded(station):
    """With tokens; and those of a viewer, an operator and an engineer."""
    tokens = Tokens(station.settings.folder / "tokens.json")
    given = {role.name.lower(): tokens.add(role.name.lower(), role) for role in Role}
    with serving(station, tokens) as found:
        yield found, given


@pytest.fixture
def opened(browser):
    """Open a page; what its console complains of, or the policy forbids, fails the test."""
    complaints, contexts = [], []

    def hear(message):
        # That a picture cannot be shown, or nothing answers, the browser tells by itself.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def open_(url, **options):
        context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def at_work(tiny, tmp_path):
    """A station with a folder that it watches."""
    station = Station({"washer": tiny}, Settings(tmp_path / "station", name="Line <b>1</b>"))
    (tmp_path / "in").mkdir()
    station.watch(tmp_path / "in")
    with station:
        found = AtWork(station)
        yield found
        found.end()
