"""The page as a person meets it, in a browser without a window."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from flawspot.export.web.site import serving
from flawspot.runtime.reduced import read_photograph

SHOWN = """
const figures = ["severity", "score", "threshold", "regions", "decoding", "inspection", "pixels"];
const shown = () => ({
  verdict: at("verdict").dataset.verdict, words: at("verdict").innerText,
  ...Object.fromEntries(figures.map((name) => [name, at(name).textContent])),
  view: at("view").hidden ? null : [at("view").width, at("view").height], note: at("note").textContent,
  label: at("view").getAttribute("aria-label"), refused,
});
"""
UPDATER = "http://update.googleapis.com/service/update2/"
DROP = f"{SHOWN} await ready(); await drop('photograph', ''); await settled(); return shown();"


def picture(level=40, size=(64, 48), form="PNG", **settings):
    """Of one grey level, red as high in two corners of the map where it is above 100."""
    pixels = np.full((size[1], size[0], 3), min(level, 90), np.uint8)
    pixels[0, 0] = pixels[4:8, 5:8] = level
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **settings)
    return file.getvalue()


def test_a_dropped_photograph_that_is_good(told, page):
    found = told(page, DROP, photograph=picture(40))
    assert (found["verdict"], found["words"]) == ("good", "good\nphotograph")
    assert (found["severity"], found["score"], found["threshold"], found["regions"]) == ("0.4", "40", "100", "0")
    assert found["pixels"] == "64 × 48"
    assert found["view"] == [256, 192]
    assert all(found[name].endswith(" ms") for name in ("decoding", "inspection"))


def test_a_dropped_photograph_that_is_anomalous(told, page):
    found = told(page, DROP, photograph=picture(200))
    assert (found["verdict"], found["severity"], found["regions"]) == ("anomalous", "2", "2")
    assert found["label"] == "The photograph: anomalous, regions above the threshold: 2"


def test_a_chosen_one(told, page):
    script = """
    await ready();
    const data = new DataTransfer();
    data.items.add(new File([await (await fetch("photograph")).arrayBuffer()], "x.png"));
    at("file").files = data.files;
    at("file").dispatchEvent(new Event("change"));
    await settled();
    return shown();
    """
    assert told(page, SHOWN + script, photograph=picture(101))["verdict"] == "anomalous"


def test_at_the_threshold_it_is_good(told, page):
    found = told(page, DROP, photograph=picture(100))
    assert (found["verdict"], found["severity"]) == ("good", "1")


@pytest.mark.grid(3)
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no picture", "this browser cannot read it: save it as PNG or JPEG"),
        (b"", "this browser cannot read it"),
        (picture(40, (300, 300), "JPEG")[:-300], "this browser cannot read it"),
        (picture(40, (300, 300))[:-100], "this browser cannot read it"),
        (picture(40, (66, 1)), "one side has more than 64 times the other"),
        (picture(40, (7, 7)), ""),
    ],
    ids=["text", "nothing", "half a JPEG", "half a PNG", "strip", "another map"],
)
def test_what_cannot_be_inspected_is_never_good(data, reason, told, page):
    script = f"{SHOWN} await ready(); await drop('good', ''); await settled(); at('verdict').dataset.verdict = 'none';"
    script += "drop('photograph', ''); await settled(); return shown();"
    found = told(page, script, good=picture(40), photograph=data)
    assert found["verdict"] == "not"
    assert found["words"].startswith(f"not inspected\nphotograph: {reason}")
    assert (found["severity"], found["regions"], found["view"]) == ("–", "–", None)


def test_transparent(told, page):
    file = io.BytesIO()
    Image.new("RGBA", (16, 16), (40, 40, 40, 254)).save(file, "PNG")
    assert "transparent" in told(page, DROP, photograph=file.getvalue())["words"]


def test_after_one_that_failed_the_next_is_inspected(told, page):
    script = f"{SHOWN} await ready(); await drop('small', ''); await settled(); at('verdict').dataset.verdict = 'none';"
    script += "await drop('photograph', ''); await settled(); return shown();"
    found = told(page, script, small=picture(40, (7, 7)), photograph=picture(200))
    assert found["verdict"] == "anomalous"


def test_the_one_that_was_given_last_is_shown(told, page):
    script = f"{SHOWN} await ready(); await drop('large', ''); await drop('photograph', '');"
    script += "await until(() => at('verdict').dataset.verdict === 'good'); return shown();"
    found = told(page, script, large=picture(200, (1400, 1400)), photograph=picture(40))
    assert (found["words"], found["pixels"]) == ("good\nphotograph", "64 × 48")


@pytest.mark.grid(2)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright(orientation, told, page):
    from flawspot.runtime.images import to_rgb

    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:8, :8], pixels[:8, 16:], pixels[8:, :8] = 250, 170, 120
    image, exif = Image.fromarray(pixels), Image.Exif()
    exif[0x112] = orientation
    file = io.BytesIO()
    image.save(file, "JPEG", quality=100, subsampling=0, exif=exif)
    with Image.open(file) as saved:
        wanted = to_rgb(saved)[:8, :8, 0].max()
    found = told(page, DROP, photograph=file.getvalue())
    assert float(found["score"]) == wanted
    assert found["pixels"] == ("24 × 16" if orientation < 5 else "16 × 24")


FORMS = {
    "PNG": {},
    "grey": {"form": "PNG", "mode": "L"},
    "palette": {"form": "PNG", "mode": "P"},
    "JPEG": {"quality": 90},
    "JPEG in full colour": {"form": "JPEG", "quality": 90, "subsampling": 0},
    "WEBP": {"quality": 80},
    "BMP": {},
    "GIF": {},
    "AVIF": {"quality": 80},
}


def test_pixels_are_those_that_flawspot_reads(told, page):
    """Of every form that both read; the map of this detector is the red of a corner, as it was decoded."""
    generator = np.random.default_rng(1)
    image = Image.fromarray(generator.integers(0, 256, (9, 12, 3)).astype(np.uint8)).resize((60, 45))
    files = {}
    for name, settings in FORMS.items():
        settings = dict(settings)
        form, mode, file = settings.pop("form", name), settings.pop("mode", "RGB"), io.BytesIO()
        if form == "AVIF" and not features.check("avif"):
            continue
        image.convert(mode).save(file, form, **settings)
        files[name.replace(" ", "_")] = file.getvalue()
    script = f"const names = {json.dumps(list(files))};"
    script += "const { Detector } = await import('./detector.js'); const detector = new Detector(), found = [];"
    script += (
        "for (const name of names) found.push([...(await detector.inspect(await (await fetch(name)).blob())).map]);"
    )
    maps = told(page, f"{script} return found;", **files)
    for (name, data), values in zip(files.items(), maps, strict=True):
        wanted = read_photograph(data, 8).pixels[:8, :8, 0].astype(float)
        assert np.abs(np.reshape(values, (8, 8)) - wanted).max() <= 1, name


def test_a_large_one_is_resized_by_the_rule_of_the_graph(told, page):
    """The map of this detector is the photograph as it enters the graph."""
    generator = np.random.default_rng(0)
    image = Image.fromarray(generator.integers(0, 256, (20, 30, 3)).astype(np.uint8)).resize((1800, 1200))
    file = io.BytesIO()
    image.save(file, "PNG")
    script = (
        "const { Detector } = await import('./detector.js'); const blob = await (await fetch('photograph')).blob();"
    )
    script += "const { map, rows, columns } = await new Detector().inspect(blob); return [rows, columns, ...map];"
    rows, columns, *values = told(page, script, photograph=file.getvalue())
    assert (rows, columns) == (8, 8)
    wanted = np.asarray(image.resize((8, 8), Image.Resampling.BILINEAR))[:, :, 0]
    assert np.abs(np.reshape(values, (8, 8)) - wanted).max() <= 1


def test_several_files(told, page):
    script = """
    await ready();
    const data = new DataTransfer();
    for (const name of ["photograph", "other"]) data.items.add(new File([await (await fetch(name)).blob()], name));
    window.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
    await settled();
    return shown();
    """
    found = told(page, SHOWN + script, photograph=picture(200), other=picture(40))
    assert (found["verdict"], found["note"]) == (
        "anomalous",
        "Of 2 files the first was inspected: one at a time.",
    )


def test_a_detector_of_another_export_inspects_nothing(told, page):
    setup = json.loads(page["detector.json"])
    script = f"{SHOWN} await settled(); await drop('photograph', '');"
    script += "await until(() => at('verdict').innerText.includes('photograph:')); return shown();"
    for change, reason in (({"crc32": 5}, "belongs to another export"), ({"schema": 99}, "reload the page")):
        changed = {**page, "detector.json": json.dumps({**setup, **change}).encode()}
        found = told(changed, script, photograph=picture(40))
        assert found["verdict"] == "not"
        assert reason in found["words"]


def test_a_detector_that_fails_its_self_test_inspects_nothing(told, page):
    setup = json.loads(page["detector.json"])
    setup["self_test"] = {"score": 3.0, "map_means": [1.0] * 64, "tolerance": 0.01}
    changed = {**page, "detector.json": json.dumps(setup).encode()}
    found = told(changed, f"{SHOWN} await settled(); return shown();")
    assert found["verdict"] == "not"
    assert "fails its self-test" in found["words"]


def test_files_that_are_missing(told, page):
    for name in ("ort.js", "ort.wasm", "detector.onnx", "worker.js"):
        files = {other: data for other, data in page.items() if other != name}
        found = told(files, f"{SHOWN} await settled(); return shown();")
        assert found["words"].startswith("not inspected\nnothing can be: "), name


def test_nothing_is_asked_of_others(told, page):
    """All that would leave this machine goes to a proxy, which writes it down. Some builds of the browser ask for their
    own updates in spite of the flags against it."""
    with serving({}) as proxy:
        address = proxy.address.split("/")[2]
        asked = []
        proxy._name = lambda path: None if path.startswith(UPDATER) else asked.append(path)
        script = DROP.replace("return shown()", "return [performance.getEntries().map((e) => e.name), refused]")
        names, refused = told(page, script, flags=(f"--proxy-server=http://{address}",), photograph=picture(40))
        assert asked == []
    assert refused == []
    hosts = {name.split("/")[2] for name in names if "://" in name}
    assert len(hosts) == 1
    assert next(iter(hosts)).startswith("127.0.0.1:")


def test_the_policy_holds(told, page):
    script = "await ready(); await fetch('https://example.org/').catch(() => 0);"
    script += "await until(() => refused.length); return refused;"
    assert told(page, script) == ["https://example.org/"]


def test_threads_where_the_page_is_isolated(told, page):
    headers = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
    script = DROP.replace("return shown()", "return [crossOriginIsolated, shown()]")
    isolated, found = told(page, script, headers=headers, photograph=picture(200))
    assert isolated
    assert found["verdict"] == "anomalous"


def test_the_page_is_in_the_package():
    source = Path(__file__).parents[3] / "src" / "flawspot" / "export" / "web"
    from flawspot.export.web.target import PAGE

    assert {path.name for path in source.iterdir() if path.suffix in (".js", ".css", ".html", ".txt")} == {
        *PAGE,
        "gate.html",
        "gate.js",
    }
