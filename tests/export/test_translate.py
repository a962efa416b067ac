"""The way from an artifact to files, and the gate on it."""

import dataclasses
import json
import os
import shutil
import subprocess
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from flawspot.errors import ConfigurationError, ExportError
from flawspot.export.c import target as c_target
from flawspot.export.c.compiling import CompiledC
from flawspot.export.gate import rank_correlation
from flawspot.export.photographs import photographs
from flawspot.export.translate import export

from .graphs import pictures

FILES = ["part.c", "part.c.report.json", "part.h", "part_resize.c"]


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["floats", "codes", "gaussians"])
def test_files_and_report(name, detectors, compiler, tmp_path):
    report = export(detectors(name), tmp_path / "part.c")
    assert files(tmp_path) == FILES
    told = json.loads((tmp_path / "part.c.report.json").read_text())
    assert told["verified"] is True
    assert told["arena"] == report.arena >= told["arena_bound"] > 0
    assert told["parity"]["map_difference"] < 1e-5
    assert (told["parity"]["layers"] is None) == (name != "codes")
    assert "generated" in told["parity"]["pictures"]
    assert f"FLAWSPOT_ARENA_BYTES {report.arena}" in (tmp_path / "part.h").read_text()
    assert told["graph_sha256"] in (tmp_path / "part.c").read_text()


def test_a_translation_that_differs_is_not_written(detectors, compiler, tmp_path, monkeypatch):
    run = CompiledC.run

    def wrong(self, several):
        maps, scores = run(self, several)
        return maps * np.float32(1.001), scores

    monkeypatch.setattr(CompiledC, "run", wrong)
    with pytest.raises(ExportError, match="nothing was written"):
        export(detectors("floats"), tmp_path / "part.c")
    assert files(tmp_path) == []


@pytest.mark.parametrize("change", [np.zeros_like, lambda maps: maps[:, :, ::-1]], ids=["zeros", "mirrored"])
def test_a_map_of_codes_that_differs_is_not_written(change, detectors, compiler, tmp_path, monkeypatch):
    """Layers, verdicts and ranks are right; the map is not."""
    run = CompiledC.run

    def wrong(self, several):
        maps, scores = run(self, several)
        return np.ascontiguousarray(change(maps)), scores

    monkeypatch.setattr(CompiledC, "run", wrong)
    with pytest.raises(ExportError, match="map of a picture correlates"):
        export(detectors("codes"), tmp_path / "part.c")
    assert files(tmp_path) == []


@pytest.mark.parametrize("precision", ["floats", "codes"])
def test_files_of_two_detectors_do_not_compile_together(precision, detectors, compiler, tmp_path):
    export(detectors(precision), tmp_path / "part.c")
    header = (tmp_path / "part.h").read_text()
    (tmp_path / "part.h").write_text(header.replace("FLAWSPOT_ARENA_BYTES ", "FLAWSPOT_ARENA_BYTES 1"))
    command = [*compiler, "-std=c99", "-c", "part.c", "-o", "part.o"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "belongs to another detector" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="shell scripts")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exit 0", "has made no program"),
        ("echo no >&2; exit 3", "does not compile the C file: no"),
        (
            'for o; do last=$o; done; printf "#!/bin/sh\\nexit 0\\n" > run; chmod +x run; cp run trace',
            "has written nothing",
        ),
        ('printf "#!/bin/sh\\nprintf x > \\$2\\n" > run; chmod +x run; cp run trace', "has written 1 bytes"),
    ],
)
def test_a_compiler_that_is_none_is_told_in_one_line(text, message, detectors, tmp_path, monkeypatch):
    script = tmp_path / "cc.sh"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))
    with pytest.raises(ExportError, match=message) as error:
        export(detectors("floats"), tmp_path / "out" / "part.c")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize(
    ("command", "message"), [('"gcc', "CC is not a command"), ("no-such-thing -O2", "which does not exist")]
)
def test_a_command_that_is_none(command, message, detectors, tmp_path, monkeypatch):
    monkeypatch.setenv("CC", command)
    with pytest.raises(ExportError, match=message):
        export(detectors("floats"), tmp_path / "part.c")


def test_a_compiler_beside_the_user(detectors, compiler, tmp_path, monkeypatch):
    """It is run in another folder."""
    found = shutil.which(compiler[0])
    (tmp_path / "mine").write_text(f'#!/bin/sh\nexec "{found}" "$@"\n')
    (tmp_path / "mine").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CC", "./mine")
    assert export(detectors("floats"), tmp_path / "part.c").verified


def test_a_layer_that_differs_is_named(detectors, compiler, tmp_path, monkeypatch):
    trace = CompiledC.trace

    def wrong(self, photograph, expected):
        for step, data in trace(self, photograph, expected):
            yield step, data if step != 3 else bytes(min(each + 2, 255) for each in data)

    monkeypatch.setattr(CompiledC, "trace", wrong)
    with pytest.raises(ExportError, match=r"in layer .*\.codes: .* by up to 2: nothing was written"):
        export(detectors("codes"), tmp_path / "part.c")
    assert files(tmp_path) == []


def test_a_score_that_is_not_finite_is_not_written(detectors, compiler, tmp_path, monkeypatch):
    run = CompiledC.run
    monkeypatch.setattr(CompiledC, "run", lambda self, several: (run(self, several)[0] * np.nan, run(self, several)[1]))
    with pytest.raises(ExportError, match="not finite"):
        export(detectors("floats"), tmp_path / "part.c")


def test_without_a_compiler_it_must_be_asked_for(detectors, tmp_path, monkeypatch):
    monkeypatch.setattr(c_target, "find_compiler", lambda: None)
    with pytest.raises(ExportError, match="no C compiler here"):
        export(detectors("floats"), tmp_path / "part.c")
    assert files(tmp_path) == []
    report = export(detectors("floats"), tmp_path / "part.c", unverified=True)
    assert not report.verified
    assert json.loads((tmp_path / "part.c.report.json").read_text())["verified"] is False


def test_a_compiler_that_is_not_there(detectors, tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    with pytest.raises(ExportError, match="CC names no-such-compiler"):
        export(detectors("floats"), tmp_path / "part.c")


@pytest.mark.parametrize("name", ["part", "part.cpp", 'a"b.c', "a b.c", "é.c"])
def test_names_that_no_c_file_has(name, detectors, tmp_path):
    with pytest.raises(ConfigurationError, match="name it as a C file"):
        export(detectors("floats"), tmp_path / name)


def test_held_out_photographs_are_known_by_their_content(detectors, tmp_path):
    manifest = detectors("floats").manifest
    hashes = []
    for index, picture in enumerate(pictures(4, 64)):
        path = tmp_path / "train" / "good" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
        hashes.append(sha256(path.read_bytes()).hexdigest()[:16])
    plain = photographs(tmp_path, manifest)
    assert (len(plain.good), plain.held_out) == (4, False)
    assert plain.good.shape == plain.defective.shape == (4, 40, 40, 3)
    calibration = dataclasses.replace(manifest.calibration, hashes=tuple(hashes[:2]))
    known = photographs(tmp_path, dataclasses.replace(manifest, calibration=calibration))
    assert (len(known.good), known.held_out) == (2, True)


def test_figures_of_both(detectors, compiler, product_folder, tmp_path):
    report = export(detectors("codes"), tmp_path / "part.c", data=product_folder)
    artifact, translation = report.figures["artifact"], report.figures["translation"]
    assert artifact["image_auroc"] is not None
    for name, value in artifact.items():
        assert translation[name] == pytest.approx(value, abs=0.2)  # of 8 photographs, rounded where they are resized


def test_no_folder_is_left_where_nothing_is_written(detectors, compiler, tmp_path, monkeypatch):
    monkeypatch.setattr(CompiledC, "run", lambda self, several: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(detectors("floats"), tmp_path / "new" / "part.c")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    with pytest.raises(ZeroDivisionError):
        export(detectors("floats"), tmp_path / "old" / "part.c")
    assert (tmp_path / "old").is_dir()


def test_a_name_of_a_header_of_c_is_refused(detectors, tmp_path):
    with pytest.raises(ConfigurationError, match=r"math\.h is a header of C"):
        export(detectors("floats"), tmp_path / "math.c")


def test_ranks():
    first = np.array([1, 2, 2, 5], np.float32)
    assert rank_correlation(first, first * 3) == pytest.approx(1)
    assert rank_correlation(first, -first) == pytest.approx(-1)
    assert rank_correlation(np.zeros(3, np.float32), np.zeros(3, np.float32)) == 1
