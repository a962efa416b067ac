"""The page's camera, with a made-up one of the browser."""

ONE_TAKEN = """
const shown = () => ({ verdict: at("verdict").dataset.verdict, words: at("verdict").innerText });
await ready();
at("camera").click();
await until(() => !at("take").hidden);
at("take").click();
await settled();
"""
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


def test_the_camera(told, page):
    script = """
    const once = shown();
    let count = 0;
    new MutationObserver(() => count++).observe(at("inspection"), { childList: true });
    at("continuously").click();
    await until(() => count > 3);
    at("camera").click();
    return [once, shown(), at("film").hidden, at("take").hidden, at("continuously").checked];
    """
    once, then, *after = told(page, ONE_TAKEN + script, flags=CAMERA)
    for found in (once, then):
        assert found["verdict"] in ("good", "anomalous")
        assert found["words"].endswith("camera")
    assert after == [True, True, False]


def test_a_camera_that_is_stopped_while_a_frame_is_inspected(told, page):
    script = """
    at("take").click();
    at("camera").click();
    await new Promise((done) => setTimeout(done, 300));
    return shown();
    """
    found = told(page, ONE_TAKEN + script, flags=CAMERA)
    assert found["verdict"] in ("good", "anomalous"), found["words"]


def test_no_camera(told, page):
    script = "await ready(); at('camera').click(); await until(() => at('note').textContent);"
    assert told(page, f"{script} return at('note').textContent;").startswith("The camera cannot be used: ")
