"""Every method on every backbone with every layer group: fit, export, load, predict, with random weights.

Without the slow cases, heads are exported such that every pair of method and backbone and every pair of backbone and
group is among them; PaSTe's with the whole detector.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from flawspot.backbones.block_list import INPUT, BlockList
from flawspot.backbones.registry import create, create_random, families, family
from flawspot.errors import ConfigurationError
from flawspot.methods.base import Method
from flawspot.methods.features import FeatureSet, PastedSet
from flawspot.methods.registry import create_method, methods
from flawspot.runtime.detector import OUTPUTS
from flawspot.runtime.session import open_session
from flawspot.training.graph import DetectorGraph, FeatureGraph, Preprocess, to_onnx

SIZE = 64
IMAGES, VALIDATION = 4, 2
QUICK = {
    "patchcore": {"bank_size": 40},
    "padim": {"channels": 8},
    "cfa": {"epochs": 1},
    "stfpm": {"epochs": 1, "batch_size": 2},
    "paste": {"epochs": 1, "batch_size": 2},
    "pasted": {"photographs": 8, "epochs": 1, "batch_size": 4},
    "jury": {"members": "patchcore:bank_size=40 + pasted:photographs=8,epochs=1,batch_size=4"},
}
STUDENTS = ("stfpm", "paste")
GROUPS = {name: dict(family(name).layer_groups) for name in families()}
PASTE = {name: "paste" if "paste" in groups else "equiv" for name, groups in GROUPS.items()}
COMBINATIONS = [(m, b, g) for b in GROUPS for g in GROUPS[b] for m in methods()]
CASES = [
    pytest.param(m, b, g, marks=[] if g in ("equiv", PASTE[b]) else [pytest.mark.slow]) for m, b, g in COMBINATIONS
]

pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass(frozen=True)
class Features:
    """What ONNX Runtime makes of a few photographs with one backbone: every layer's output."""

    preprocess: Preprocess
    maps: dict[int, NDArray[np.float32]]

    def of(self, network: BlockList, taps: tuple[int, ...], rows: range) -> FeatureSet:
        return FeatureSet(network, taps, (SIZE, SIZE), self.maps, np.array(rows))

    def tensors(self, layers: tuple[int, ...]) -> dict[int, Tensor]:
        return {layer: torch.from_numpy(self.maps[layer]) for layer in layers}


@functools.cache
def features(backbone: str) -> Features:
    layers = range(INPUT, family(backbone).last + 1)
    network, loaded = create_random(backbone, layers, seed=0)
    preprocess = Preprocess(SIZE, loaded.mean, loaded.std)
    names = ["input" if layer == INPUT else f"layer_{layer}" for layer in layers]
    session = open_session(to_onnx(FeatureGraph(preprocess, network), names), threads=1)
    outputs = session.run(names, {"image": photographs()})
    return Features(preprocess, dict(zip(layers, outputs, strict=True)))


def photographs() -> NDArray[np.uint8]:
    generator = np.random.default_rng(0)
    ramp = np.linspace(40, 200, SIZE)[None, :, None, None] + generator.normal(
        0, 20, (IMAGES + VALIDATION, SIZE, SIZE, 3)
    )
    return np.clip(ramp, 0, 255).astype(np.uint8)


@functools.cache
def fitted(name: str, backbone: str, group: str) -> Method:
    method = create_method(name, QUICK.get(name))
    taps = GROUPS[backbone][group]
    with torch.device("meta"):
        network = create(backbone, taps)  # methods ask it for its name only
    known = features(backbone)
    validation = known.of(network, taps, range(IMAGES, IMAGES + VALIDATION)) if method.validation_fraction else None
    good, wanted = known.of(network, taps, range(IMAGES)), method.pasted_photographs()
    if wanted:
        cover = np.zeros((IMAGES + VALIDATION, SIZE, SIZE), np.uint8)
        cover[:, 10:30, 20:40] = 255
        with_defects = replace(good, rows=np.arange(wanted) % IMAGES)
        good = replace(good, pasted=PastedSet(with_defects, cover, *[np.arange(IMAGES + VALIDATION)] * 2))
    return method.fit(good, validation)


def predicted(name: str, backbone: str, group: str) -> tuple[Tensor, Tensor]:
    """Map and score of all photographs by the head in torch, checked for what every head promises."""
    method = fitted(name, backbone, group)
    layers = method.required(GROUPS[backbone][group], backbone)
    with torch.no_grad():
        anomaly_map, score = method.head().eval()(features(backbone).tensors(layers))
    assert anomaly_map.shape == (IMAGES + VALIDATION, SIZE, SIZE)
    assert score.shape == (IMAGES + VALIDATION,)
    assert anomaly_map.isfinite().all()
    assert score.isfinite().all()
    return anomaly_map, score


def check(got: list[NDArray[np.float32]], want: tuple[Tensor, Tensor]) -> None:
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


@pytest.mark.grid(2)
@pytest.mark.parametrize(("name", "backbone", "group"), CASES)
def test_fits_and_predicts(name: str, backbone: str, group: str) -> None:
    _, score = predicted(name, backbone, group)
    assert (score >= 0).all()
    assert len({part.name for part in fitted(name, backbone, group).parts()}) >= 2


def chosen(name: str, backbone: str, group: str) -> bool:
    """Whether this head is exported without the slow cases too."""
    groups, number = list(GROUPS[backbone]), list(GROUPS).index(backbone)
    if name == "paste":
        return False  # with the whole detector, below
    if name == "stfpm":
        return groups[number % len(groups)] == group
    others = [m for m in methods() if m not in STUDENTS]
    # Whichever are more, groups or methods, each of them is there once at least.
    one, other = groups.index(group), others.index(name)
    return one % len(others) == other or other % len(groups) == one


@pytest.mark.parametrize(
    ("name", "backbone", "group"),
    [
        pytest.param(*combination, marks=[] if chosen(*combination) else [pytest.mark.slow])
        for combination in COMBINATIONS
    ],
)
def test_exported_head_loads_and_predicts_the_same(
    name: str, backbone: str, group: str, exported_head: Callable[..., tuple[bytes, dict[str, NDArray[np.float32]]]]
) -> None:
    method = fitted(name, backbone, group)
    layers = method.required(GROUPS[backbone][group], backbone)
    model, fed = exported_head(method.head(), features(backbone).tensors(layers))
    # Fitted so shortly, a jury's scales may enlarge rounding a thousand times: the graph may be as far off as torch.
    doubles = {layer: each.double() for layer, each in features(backbone).tensors(layers).items()}
    with torch.no_grad():
        exact = copy.deepcopy(method.head()).eval().double()(doubles)
    for got, want, true in zip(
        open_session(model, threads=1).run(OUTPUTS, fed), predicted(name, backbone, group), exact, strict=True
    ):
        atol = max(1e-3 * float(true.abs().max()), float((want - true).abs().max()))
        np.testing.assert_allclose(got, true, rtol=1e-3, atol=atol)


def test_what_is_exported_in_any_case_covers_all_pairs() -> None:
    exported = [c for c in COMBINATIONS if chosen(*c)]
    exported += [("paste", backbone, PASTE[backbone]) for backbone in GROUPS]
    assert {(m, b) for m, b, _ in exported} == {(m, b) for m, b, _ in COMBINATIONS}
    assert {(b, g) for _, b, g in exported} == {(b, g) for _, b, g in COMBINATIONS}


@pytest.mark.slow
@pytest.mark.parametrize("backbone", GROUPS)
def test_exported_detector_loads_and_predicts_the_same(backbone: str) -> None:
    group = PASTE[backbone]
    method = fitted("paste", backbone, group)
    network, _ = create_random(backbone, method.required(GROUPS[backbone][group], backbone), seed=0)
    model = to_onnx(DetectorGraph(features(backbone).preprocess, network, method.head()), OUTPUTS)
    got = open_session(model, threads=1).run(OUTPUTS, {"image": photographs()})
    check(got, predicted("paste", backbone, group))


@pytest.mark.parametrize("backbone", GROUPS)
def test_paste_shares_what_lies_before_its_group_in_table_1(backbone: str) -> None:
    groups = GROUPS[backbone]
    first = groups[PASTE[backbone]][0]
    for group, taps in groups.items():
        shared = create_method("paste").required(taps, backbone)[0]
        assert shared == min(first, taps[0]) - 1, group
        assert fitted("paste", backbone, group).student_.start == shared + 1
        assert create_method("stfpm").required(taps, backbone)[0] == INPUT


@pytest.mark.parametrize("backbone", GROUPS)
def test_layers_that_teacher_and_student_share_are_refused(backbone: str) -> None:
    last = family(backbone).last
    with pytest.raises(ConfigurationError, match="choose layers of at least 1"):
        create_method("paste").required((0, last), backbone)
    with pytest.raises(
        ConfigurationError, match=r"cannot share blocks 0 to 2 and be compared at layer 2: share at most 1"
    ):
        create_method("paste", {"share": 2}).required((2, last), backbone)


def test_students_of_micronet_learn_slower_and_longer() -> None:
    from flawspot.costs.configuration import configuration_costs

    epochs = {}
    for backbone in ("micronet_m1", "mobilenet_v2"):
        training = configuration_costs(backbone=backbone, method="stfpm", layers="equiv").training
        epochs[backbone] = training.epochs
    rates = {b: fitted("stfpm", b, "equiv").learning_rate_ for b in epochs}
    assert epochs["micronet_m1"] == 10 * epochs["mobilenet_v2"] == 1000
    assert rates["micronet_m1"] == pytest.approx(rates["mobilenet_v2"] / 10)
