"""A browser and onnxruntime-web, where they are; and pages of a tiny detector."""

import io
import json
import os
import tarfile

import pytest

from flawspot.errors import ExportError, FlawspotError
from flawspot.export.translate import export
from flawspot.export.web import runtime as runtimes
from flawspot.export.web.browser import find_browser, opened
from flawspot.export.web.runtime import FILES, fetched
from flawspot.export.web.site import serving
from flawspot.runtime.artifact import assemble

PATIENCE = 120


@pytest.fixture(scope="session")
def browser():
    """The command that starts a browser."""
    found = find_browser()
    if found is None:
        pytest.skip("there is no Chromium, Chrome or Edge here")
    return found


@pytest.fixture(scope="session")
def tarball(tmp_path_factory):
    """onnxruntime-web as npm packs it: from flawspot's cache, or fetched for these tests."""
    with pytest.MonkeyPatch.context() as patch:
        try:
            cached = runtimes._cached()
            if runtimes._known(cached) is not None:
                return cached
        except FlawspotError:
            pass
        patch.setenv("FLAWSPOT_CACHE", str(tmp_path_factory.mktemp("cache")))
        try:
            fetched()
        except ExportError as error:
            pytest.skip(f"onnxruntime-web is not at hand: {error}")
        return runtimes._cached()


@pytest.fixture(scope="session")
def tiny_artifact(tiny_model, tiny_manifest):
    """Its map is the red channel of the first 8 x 8 pixels; above 100 is anomalous."""
    return assemble(tiny_model, tiny_manifest)


@pytest.fixture(scope="session")
def made_up(tmp_path_factory):
    """A tarball of the right shape, in which nothing runs."""
    path = tmp_path_factory.mktemp("made up") / "runtime.tgz"
    path.write_bytes(packed({f"package/dist/{name}": f"of {name}".encode() for name in FILES.values()}))
    return path


def packed(files, *, change=lambda member: member):
    """A tarball: names and contents in this order; `change` is given each member before it is written."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(change(member), io.BytesIO(data))
    return file.getvalue()


@pytest.fixture(scope="session")
def page(tiny_artifact, browser, tarball, tmp_path_factory):
    """The files of a tiny detector's page: above grey level 100 in the first 8 x 8 pixels is anomalous."""
    path = tmp_path_factory.mktemp("exported") / "page"
    assert export(tiny_artifact, path, "web", runtime=tarball).verified
    return contents(path)


@pytest.fixture
def told(browser):
    """``told(files, script, **more)``: what `script`, run within the page that `files` hold, posts as JSON.

    The page is as it was exported but for that script, which its content security policy takes from the same server.
    """

    def run(files, script, flags=(), headers=None, **more):
        helpers = (
            "const at = (id) => document.getElementById(id);\n"
            "const until = async (done) => { while (!done()) await new Promise((go) => setTimeout(go, 20)); };\n"
            "const ready = () => until(() => at('about').textContent);\n"
            "const settled = () => until(() => at('verdict').dataset.verdict !== 'none');\n"
            "const drop = async (name, type) => {\n"
            "  const data = new DataTransfer();\n"
            "  data.items.add(new File([await (await fetch(name)).arrayBuffer()], name, { type }));\n"
            "  window.dispatchEvent(new DragEvent('drop', { dataTransfer: data, cancelable: true }));\n"
            "};\n"
            "const refused = [];\n"
            "document.addEventListener('securitypolicyviolation', (event) => refused.push(event.blockedURI));\n"
        )
        text = f"{helpers}\nconst answer = await (async () => {{\n{script}\n}})();\n"
        text += "await fetch('told', { method: 'POST', body: JSON.stringify(answer) });\n"
        index = files["index.html"].replace(b"</body>", b'<script type="module" src="script.js"></script></body>')
        assert index != files["index.html"]
        served = {**files, **more, "index.html": index, "script.js": text.encode()}
        with serving(served, headers) as site, opened(browser, site.address, flags) as process:
            found = site.posted(PATIENCE, lambda: process.poll() is not None)
        assert found is not None, "the page has said nothing"
        return json.loads(found[1])

    return run


def contents(folder):
    """Of each file in a folder, by name."""
    return {name: (folder / name).read_bytes() for name in os.listdir(folder)}  # noqa: PTH208
