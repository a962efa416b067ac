"""Numbers that fit nothing: refused in one line, in every option, in grids and in Python."""

import numpy as np
import pytest
import torch

import flawspot as package
from flawspot.errors import ConfigurationError
from flawspot.seeds import MAX_SEED, check_seed

from .conftest import GRID
from .every_command import command_line, later, parameters

HUGE = "9" * 400
NUMBERS = parameters(int, float)


def test_there_are_options_with_numbers():
    assert len(NUMBERS) >= 15


@pytest.mark.parametrize(
    "number", [HUGE, "nan", *later(f"-{HUGE}", "9" * 5000, "1e999")], ids=["huge", "nan", "low", "long", "inf"]
)
@pytest.mark.parametrize(("name", "option"), NUMBERS, ids=[f"{n} {o.name}" for n, o in NUMBERS])
def test_options(name, option, number, places, flawspot):
    line = command_line(name, places)
    code, _, err = flawspot(*line, f"{option.opts[0]}={number}")
    harmless = option.name in ("limit",)  # where more than there is means all
    assert code in (1, 2) or (harmless and code == 0)
    assert code == 0 or err.splitlines()[-1].startswith("error: ")
    assert len(err.splitlines()) <= 3


@pytest.mark.parametrize("method", ["padim", "patchcore", "cfa", "stfpm", "paste"])
@pytest.mark.parametrize("value", [HUGE, *later(f"-{HUGE}", "9" * 5000, "1e999")], ids=["huge", "low", "long", "inf"])
def test_every_hyperparameter(method, value, flawspot, product_folder, tmp_path):
    from flawspot.methods.registry import method_class
    from flawspot.methods.settings import hyperparameters_of

    for known in hyperparameters_of(method_class(method)):
        command = ["train", product_folder, "-o", tmp_path / "x.onnx", "--method", method, "--random-weights"]
        code, out, err = flawspot(*command, "--set", f"{known.name}={value}")
        assert (code, out) == (1, ""), known.name
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert len(err) < 300


@pytest.mark.parametrize(
    "change",
    [
        ("input_size: 64", f"input_size: 64\nseeds: [{HUGE}]"),
        ("input_size: 64", f"input_size: 64\nseeds: [{MAX_SEED + 1}]"),
        ("input_size: 64", "input_size: 64\nseeds: [" + "9" * 5000 + "]"),
        ("input_size: 64", f"input_size: {HUGE}"),
        ("input_size: 64", f"input_size: 64\nshots: [{HUGE}]"),
        ("input_size: 64", f"input_size: 64\nseverities: [{HUGE}]"),
        ('layers: ["1"]', f"layers: [[{HUGE}]]"),
        ("- padim", f"- {{name: padim, settings: {{channels: {HUGE}}}}}"),
        ("- padim", f"- {{name: patchcore, settings: {{bank_size: {HUGE}}}}}"),
        *(("train: 12", f"train: 12, {key}: {HUGE}") for key in ("seed",)),
        ("train: 12", f"train: {HUGE}"),
        ("size: 64}", f"size: {HUGE}}}"),
    ],
)
def test_grids(change, grid, flawspot, tmp_path):
    assert change[0] in GRID
    grid.write_text(GRID.replace(*change, 1), encoding="utf-8")
    code, out, err = flawspot("benchmark", "run", grid, "--store", tmp_path / "runs.sqlite", "--workers", "1")
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, 10**400, 10**5000, 1.5, True, None, "1"], ids=range(8))
def test_python_refuses_what_is_no_seed(seed, product_folder, tmp_path):
    with pytest.raises(ConfigurationError, match="seed"):
        check_seed(seed)
    with pytest.raises(ConfigurationError, match="seed"):
        package.PaDiM(seed=seed)
    if seed is None:  # no seed is given: the method's own, or 0
        return
    for method in ("padim", package.PaDiM()):
        with pytest.raises(ConfigurationError, match="seed"):
            package.train(product_folder, method=method, random_weights=True, seed=seed, progress=False)


def test_the_largest_seed_is_one_everywhere(product_folder):
    np.random.default_rng(MAX_SEED)
    np.random.RandomState(MAX_SEED)
    torch.manual_seed(MAX_SEED)
    method = package.PaDiM(seed=MAX_SEED, channels=4)
    trained = package.train(
        product_folder, method=method, random_weights=True, seed=MAX_SEED, layers=[1], input_size=32, progress=False
    )
    assert trained.manifest.seed == MAX_SEED
