"""``flawspot backbones`` as its users meet it."""

import json


def test_backbones(flawspot):
    code, out, _ = flawspot("backbones", "--json")
    assert code == 0
    rows = {row["backbone"]: row for row in json.loads(out)["backbones"]}
    assert rows["mobilenet_v2"]["macs"] == 299_494_272
    assert rows["wide_resnet50_2"]["layer_groups"] == {"equiv": [1, 2, 3]}
    assert "phinet" in flawspot("backbones")[1]
    layers = json.loads(flawspot("backbones", "mobilenet_v2", "--json")[1])["layers"]
    # As section 4.5 of the PaSTe paper has it; its 43.78 counts the batch norms' parameters too.
    assert [round(layers[tap]["percent"], 2) for tap in (3, 8, 14)] == [25.31, 43.79, 75.28]
    code, _, err = flawspot("backbones", "resnet")
    assert code == 1
    assert "the known ones are" in err


def test_backbones_tells_what_layers_stand_for(flawspot):
    code, out, _ = flawspot("backbones", "mobilenet_v2", "--layers", "equiv:wide_resnet50_2", "--json")
    assert code == 0
    printed = json.loads(out)
    assert [layer["index"] for layer in printed["layers"]] == [3, 8, 14]
    assert printed["equivalent"]["reference_taps"] == [1, 2, 3]
    code, out, _ = flawspot("backbones", "mobilenet_v2", "--layers", "equiv:wide_resnet50_2")
    assert "25.31 / 43.79 / 75.28 % of the MACs for 18.39 / 43.64 / 80.61" in out
    assert flawspot("backbones", "--layers", "equiv")[0] == 2
