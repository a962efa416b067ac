"""``flawspot weights`` as its users meet it."""

import json


def test_list(flawspot, monkeypatch, tmp_path):
    monkeypatch.setenv("FLAWSPOT_CACHE", str(tmp_path))
    monkeypatch.delenv("FLAWSPOT_WEIGHTS_PATH", raising=False)
    code, out, _ = flawspot("weights", "list", "--json")
    assert code == 0
    rows = json.loads(out)["weights"]
    assert {"imagenet1k_v1", "imagenet1k_v2", "imagenet1k_tonylins"} <= {row["weights"] for row in rows}
    assert not any(row["path"] for row in rows)
    assert "mobilenet_v2" in flawspot("weights", "list")[1]


def test_path(flawspot, monkeypatch, tmp_path):
    monkeypatch.setenv("FLAWSPOT_CACHE", str(tmp_path))
    monkeypatch.delenv("FLAWSPOT_WEIGHTS_PATH", raising=False)
    assert flawspot("weights", "path")[1].strip() == str(tmp_path / "weights")
    code, _, err = flawspot("weights", "path", "mobilenet_v2")
    assert code == 1
    assert "flawspot weights pull mobilenet_v2" in err
