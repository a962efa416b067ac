"""``--to web``: what is written, where it may be, and the gate."""

import dataclasses
import json
import zlib

import pytest

from flawspot.errors import ConfigurationError, ExportError
from flawspot.export.translate import export
from flawspot.export.web import target as web
from flawspot.export.web.browser import find_browser
from flawspot.export.web.runtime import FILES
from flawspot.export.web.target import MADE, PAGE, InBrowser

from .conftest import contents

NAMES = sorted((*FILES, *MADE, *PAGE))


class Notes:
    """A progress that keeps what is noted."""

    def __init__(self):
        self.notes = []

    def track(self, items, description, total=None):
        yield from items

    def step(self, description):
        from contextlib import nullcontext

        return nullcontext()

    def note(self, message):
        self.notes.append(message)


@pytest.fixture
def nowhere(monkeypatch):
    """No browser is here."""
    monkeypatch.setattr(web, "find_browser", lambda: None)


def test_what_is_written(tiny_artifact, made_up, nowhere, tmp_path):
    progress = Notes()
    page = tmp_path / "new" / "page"
    report = export(tiny_artifact, page, "web", runtime=made_up, unverified=True, progress=progress)
    files = contents(page)
    assert sorted(files) == NAMES
    assert report.files == tuple(map(str, (*(page / name for name in (*FILES, *MADE, *PAGE)), f"{page}.report.json")))
    assert not json.loads(page.with_name("page.report.json").read_text())["verified"]
    assert sum(report.parts.values()) == sum(map(len, files.values()))
    setup = json.loads(files["detector.json"])
    assert files["detector.onnx"] == tiny_artifact.model
    assert setup["crc32"] == zlib.crc32(tiny_artifact.model)
    assert (setup["threshold"], setup["input_size"], setup["product"]) == (100.0, 8, "a part")
    assert files["ort.js"] == b"of ort.wasm.bundle.min.mjs"
    assert len(progress.notes) == 1
    assert "not that of onnxruntime-web" in progress.notes[0]


def test_without_a_browser_it_must_be_asked_for(tiny_artifact, made_up, nowhere, tmp_path):
    with pytest.raises(ExportError, match=r"there is no browser.*FLAWSPOT_BROWSER, or say --unverified"):
        export(tiny_artifact, tmp_path / "page", "web", runtime=made_up)
    assert not list(tmp_path.glob("*/*"))


def test_a_browser_that_is_not_there(tiny_artifact, made_up, tmp_path, monkeypatch):
    monkeypatch.setenv("FLAWSPOT_BROWSER", "no-such-browser --flag")
    with pytest.raises(ExportError, match="FLAWSPOT_BROWSER names no-such-browser, which is not there"):
        export(tiny_artifact, tmp_path / "page", "web", runtime=made_up)


def test_a_browser_that_ends_at_once(tiny_artifact, made_up, tmp_path, monkeypatch):
    import shutil

    if shutil.which("true") is None:
        pytest.skip("there is no program that only ends")
    monkeypatch.setenv("FLAWSPOT_BROWSER", "true")
    with pytest.raises(ExportError, match="the browser does not answer"):
        export(tiny_artifact, tmp_path / "page", "web", runtime=made_up)
    assert not list(tmp_path.glob("*/*"))


def test_an_earlier_page_is_replaced_and_what_lies_beside_stays(tiny_artifact, made_up, nowhere, tmp_path):
    page = tmp_path / "page"
    export(tiny_artifact, page, "web", runtime=made_up, unverified=True)
    (page / "favicon.ico").write_bytes(b"mine")
    other = tiny_artifact.with_threshold(50)
    export(other, page, "web", runtime=page, unverified=True)  # an earlier page has the runtime, too
    files = contents(page)
    assert sorted(files) == sorted([*NAMES, "favicon.ico"])
    assert json.loads(files["detector.json"])["threshold"] == 50


@pytest.mark.parametrize("name", ["index.html", "notes.txt"])
def test_the_folder_of_others_stays_as_it_is(name, tiny_artifact, made_up, tmp_path):
    (tmp_path / name).write_text("<!doctype html>mine")
    with pytest.raises(ConfigurationError, match="it holds other files; name a new folder"):
        export(tiny_artifact, tmp_path, "web", runtime=made_up, unverified=True)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_names_that_no_folder_has(tiny_artifact, made_up, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    for name, message in [(".", "a folder of its own"), ("..", "a folder of its own"), ("file", "it is not a folder")]:
        with pytest.raises(ConfigurationError, match=message):
            export(tiny_artifact, tmp_path.__class__(name), "web", runtime=made_up)


def test_only_what_brings_a_runtime_takes_one(tiny_artifact, made_up, tmp_path):
    with pytest.raises(ConfigurationError, match="c includes no runtime"):
        export(tiny_artifact, tmp_path / "part.c", "c", runtime=made_up)


def test_names_of_products_are_shown_as_they_are(tiny_artifact, made_up, nowhere, tmp_path):
    from flawspot.runtime.artifact import assemble

    manifest = dataclasses.replace(tiny_artifact.manifest, product="</script>\x1b\u202e")
    export(assemble(tiny_artifact.model, manifest), tmp_path / "page", "web", runtime=made_up, unverified=True)
    assert json.loads((tmp_path / "page" / "detector.json").read_text())["product"] == "</script>\\x1b\\u202e"


def test_of_int_8_it_is_said_that_it_is_slower(tiny_artifact, made_up, nowhere, tmp_path):
    from flawspot.runtime.artifact import assemble

    manifest = dataclasses.replace(tiny_artifact.manifest, precision="int8")
    progress = Notes()
    artifact = assemble(tiny_artifact.model, manifest)
    export(artifact, tmp_path / "page", "web", runtime=made_up, unverified=True, progress=progress)
    assert any("int8 is slower" in note for note in progress.notes)


@pytest.mark.grid(1)
@pytest.mark.parametrize("name", ["floats", "gaussians", "bank"])
def test_maps_in_a_browser_are_those_of_the_artifact(name, detectors, browser, tarball, tmp_path):
    report = export(detectors(name), tmp_path / "page", "web", runtime=tarball)
    assert report.verified
    assert report.parity.map_difference < 1e-5
    assert report.compared_with == find_browser()[0]
    assert sorted(contents(tmp_path / "page")) == NAMES


def test_a_page_that_differs_is_not_written(detectors, browser, tarball, tmp_path, monkeypatch):
    run = InBrowser.run
    monkeypatch.setattr(InBrowser, "run", lambda self, several: (run(self, several)[0] * 1.001, run(self, several)[1]))
    with pytest.raises(ExportError, match="nothing was written"):
        export(detectors("floats"), tmp_path / "page", "web", runtime=tarball)
    assert not list(tmp_path.glob("*/*"))


def test_a_page_that_does_not_run_is_not_written(detectors, browser, made_up, tmp_path):
    with pytest.raises(ExportError, match="the page does not inspect a picture in the browser") as error:
        export(detectors("floats"), tmp_path / "page", "web", runtime=made_up)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("*/*"))
