"""Runs of streams, from photographs to records: all real, but tiny."""

import dataclasses
import shutil

import pytest
import yaml

import flawspot
from flawspot.benchmark.record import DONE, FAILED
from flawspot.benchmark.run_grid import cells_of, plan
from flawspot.benchmark.store import Store
from flawspot.benchmark.streams import one_stream
from flawspot.benchmark.streams.one_stream import execute
from flawspot.benchmark.streams.photographs import steps_of, together
from flawspot.benchmark.streams.stream import CATEGORIES, Stream
from flawspot.benchmark.task_list import prepare

DETECTOR = {"method": "padim", "layers": "1,2", "input_size": 64, "random_weights": True}
COMMON = {"calibration": "split", "group": "none", "seed": 0, "progress": False}


@pytest.fixture
def followed(make):
    """Run a strategy."""

    def follow(strategy, **changed):
        record = execute(make(strategy, **changed))
        assert (record.status, record.error) == (DONE, None)
        return record

    return follow


def on_each(record, name):
    return [[figures[name] for figures in step["on_each"]] for step in record.steps]


def test_a_frozen_detector_forgets_nothing_and_learns_nothing(followed, make, tmp_path, one_thread):
    record = followed("frozen")
    task = make("frozen")
    first, *_ = steps_of(task.cell, task.cell.stream, task.source)
    detector = flawspot.train(together(first.folder.train), **DETECTOR, **COMMON)
    expected = flawspot.evaluate(detector, first.folder, progress=False).metrics.as_dict()
    assert record.steps[0]["on_all"] == record.steps[0]["on_each"][0] == expected
    assert [len(step["on_each"]) for step in record.steps] == [1, 2, 3]
    for name in ("image_auroc", "pixel_f1_max"):
        columns = on_each(record, name)
        assert {row[0] for row in columns} == {columns[0][0]}
    assert {step["threshold"] for step in record.steps} == {detector.manifest.calibration.threshold}
    assert [step["on_all"]["images"] for step in record.steps] == [8, 16, 24]
    assert record.metrics == record.steps[-1]["on_all"]
    assert [step["kept_bytes"] for step in record.steps] == [0, 0, 0]
    assert not (tmp_path / "runs.files" / "streams" / record.key).exists()
    with Store(tmp_path / "runs.sqlite") as store:
        store.finish(record)
        assert store.records() == [dataclasses.replace(record)]


def test_updates_learn_from_what_is_new_alone(followed, make, tmp_path, one_thread):
    record = followed("update=2")
    task = make("update=2")
    steps = steps_of(task.cell, task.cell.stream, task.source)
    parts = [together(step.arrived(tmp_path / step.name)) for step in steps]
    artifact = flawspot.train(parts[0], **DETECTOR, **COMMON, state=2)
    for number, step in enumerate(record.steps):
        if number:
            artifact = flawspot.update(artifact, parts[number], group="none", progress=False).artifact
        assert step["threshold"] == artifact.manifest.calibration.threshold
        assert step["images"] == 8
        assert step["state_bytes"] == step["kept_bytes"] > 0
    found = flawspot.evaluate(artifact, steps[2].folder, alter=steps[2].alteration(), progress=False)
    assert record.steps[2]["on_each"][2] == found.metrics.as_dict()


def test_training_anew_keeps_all_photographs_and_learns_from_them(followed, make, light, tmp_path, one_thread):
    two = dataclasses.replace(light, steps=light.steps[:2])
    record = followed("anew", stream=two)
    task = make("anew", stream=two)
    steps = steps_of(task.cell, task.cell.stream, task.source)
    paths = [path for step in steps for path in step.arrived(tmp_path / step.name)]
    artifact = flawspot.train(together(paths), **DETECTOR, **COMMON)
    assert record.steps[-1]["threshold"] == artifact.manifest.calibration.threshold
    assert record.steps[-1]["kept_bytes"] == sum(path.stat().st_size for path in paths)
    assert record.steps[-1]["state_bytes"] == 0
    assert record.measured["cpu_seconds"] == pytest.approx(sum(step["cpu_seconds"] for step in record.steps), abs=0.01)


def test_categories_one_after_the_other_are_run_once(tmp_path, product_folder, one_thread):
    for name in ("a", "b"):
        shutil.copytree(product_folder, tmp_path / "data" / name)
    for path in (tmp_path / "data" / "b" / "train" / "good").iterdir():
        path.write_bytes(path.read_bytes() + b" ")  # other files, or an update would know them
    grid = {
        "data": [{"name": "parts", "layout": "mvtec_ad", "path": "data", "categories": ["a", "b"]}],
        **{"backbones": ["mobilenet_v2"], "layers": ["1,2"], "methods": ["padim"], "random_weights": True},
        **{"input_size": 64, "streams": [{"name": "products", "categories": ["a", "b"]}], "strategies": ["update=1"]},
    }
    file = tmp_path / "grid.yaml"
    file.write_text(yaml.safe_dump(grid))
    with Store(tmp_path / "runs.sqlite") as store:
        (task,) = prepare(*cells_of(str(file)), store)
        assert plan([task], store).total.open == 1
        record = execute(task)
        assert (record.status, record.error) == (DONE, None)
        assert [step["name"] for step in record.steps] == ["a", "b"]
        store.finish(record)
        (again,) = prepare(*cells_of(str(file)), store)
        assert plan([again], store).total.done == 1
        (tmp_path / "data" / "b" / "test" / "good" / "000.png").unlink()
        (other,) = prepare(*cells_of(str(file)), store)
        assert other.key != task.key, "photographs of every category decide the key"
        shutil.rmtree(tmp_path / "data" / "b")
        (gone,) = prepare(*cells_of(str(file)), store)
        assert "there is no folder" in gone.missing


def test_what_goes_wrong_is_in_the_record_and_leaves_nothing(make, tmp_path):
    twice = Stream(name="products", of=CATEGORIES, steps=("a", "b"))
    record = execute(make("update=1", stream=twice))
    assert record.status == FAILED
    assert "\n" not in record.error
    assert execute(dataclasses.replace(make("frozen"), code_version="another")).status == FAILED
    assert not list((tmp_path / "runs.files").rglob("*.onnx"))


def test_runs_without_a_stream_are_worked_on_as_before(make, monkeypatch):
    task = make("anew")
    plain = dataclasses.replace(task, cell=dataclasses.replace(task.cell, stream=None, strategy=None))
    monkeypatch.setattr(one_stream.one_run, "execute", lambda task: task.record(DONE))
    assert execute(plain) == plain.record(DONE)
