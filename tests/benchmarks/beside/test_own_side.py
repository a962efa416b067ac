"""Flawspot's own process, asked as the others are."""

import numpy as np
from beside.own_side import Own
from beside.subjects import Subject

import flawspot
from flawspot.runtime.artifact import assemble
from flawspot.runtime.images import read_image


def test_it_looks_as_the_detector_does(product_folder, tmp_path, tiny_model, tiny_manifest) -> None:
    artifact = assemble(tiny_model, tiny_manifest)
    artifact.save(tmp_path / "patchcore-20.onnx")
    own, photograph = Own(), product_folder / "test" / "spot" / "000.png"
    request = {"subject": Subject("patchcore", bank=20).as_dict(), "folder": str(tmp_path), "threads": 1}
    assert own({"do": "load", **request, "exported": False}) == {}
    told = own({"do": "look", "photograph": str(photograph), "keep": str(tmp_path / "map.npy")})
    anomaly_map, score = flawspot.load(artifact, threads=1).run(read_image(photograph)[None])
    assert told["score"] == score[0]
    assert tuple(told["size"]) == (64, 64)
    assert told["ms"] > 0
    assert (np.load(tmp_path / "map.npy") == anomaly_map[0]).all()
