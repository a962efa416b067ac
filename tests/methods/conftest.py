"""Fitted methods on a small random backbone: 64 x 64 pixels, so that a whole fit takes a second or two."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flawspot.backbones.block_list import BlockList, initialise
from flawspot.backbones.layer_groups import resolve
from flawspot.backbones.registry import create
from flawspot.methods.base import Method
from flawspot.methods.covering import cells_inside
from flawspot.methods.features import FeatureSet, PastedSet
from flawspot.methods.registry import create_method, methods
from flawspot.methods.shapes import Size
from flawspot.runtime.detector import OUTPUTS
from flawspot.training.graph import DetectorGraph, Preprocess, to_onnx
from flawspot.training.recorded_graph import Input
from flawspot.training.recording import record

BACKBONE = "mobilenet_v2"
SIZE = 64
WIDE = (64, 96)
"""Height and width of what is not square."""
SMALL = {
    "patchcore": {"bank_size": 500},
    "padim": {},
    "cfa": {"epochs": 2},
    "stfpm": {"epochs": 20, "batch_size": 4},
    "paste": {"epochs": 30, "batch_size": 4},
    "jury": {"members": "patchcore:bank_size=800 + pasted:photographs=24,epochs=20,batch_size=8"},
    "pasted": {"photographs": 24, "epochs": 20, "batch_size": 8},
}
"""Settings that keep the tests quick; a method not named here is tested with its defaults."""


@dataclass(frozen=True)
class Fitted:
    """A fitted method with the network it was fitted on."""

    method: Method
    network: BlockList
    taps: tuple[int, ...]
    preprocess: Preprocess | None

    @property
    def graph(self) -> DetectorGraph:
        assert self.preprocess is not None  # square
        return DetectorGraph(self.preprocess, self.network, self.method.head()).eval()

    def maps(self, images: NDArray[np.uint8]) -> dict[int, Tensor]:
        """What the head is given for (N, H, W, 3) photographs; of their own size, where that is not square."""
        x = torch.from_numpy(images)
        with torch.no_grad():
            return self.network(self.preprocess(x) if self.preprocess else x.permute(0, 3, 1, 2) / 127.5 - 1)

    def features(self, images: NDArray[np.uint8], **more: object) -> FeatureSet:
        """Of photographs, or of their tiles."""
        maps = {layer: tensor.numpy() for layer, tensor in self.maps(images).items()}
        return FeatureSet(self.network, self.taps, images.shape[1:3], maps, **more)


def photographs(count: int, seed: int = 0, size: Size = (SIZE, SIZE)) -> NDArray[np.uint8]:
    """(N, *size, 3): smooth random patterns that resemble each other."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]] / size[0]
    common = 120 + 60 * np.sin(9 * x + 3 * y) * np.cos(7 * y)
    images = common[None, :, :, None] + generator.normal(0, 12, (count, *size, 3))
    return np.clip(images, 0, 255).astype(np.uint8)


def fit(
    name: str,
    *,
    seed: int = 0,
    layers: str | None = None,
    size: Size = (SIZE, SIZE),
    tiles: int = 1,
    region: NDArray[np.bool_] | None = None,
    outside: float = 0.0,
    **settings: object,
) -> Fitted:
    """Fit a method afresh; its name may be followed by settings, as in ``padim covariance=diagonal``.

    Args:
        size: of the photographs, or of their tiles.
        tiles: into how many each is cut.
        region: (height, width), where they are looked at.
        outside: what is added to the features of the taps elsewhere.
    """
    name, *variant = name.split()
    given = dict(setting.split("=") for setting in variant)
    method = create_method(name, {**SMALL.get(name, {}), **given, **settings}, seed=seed)
    taps = resolve(BACKBONE, layers or method.default_layers)
    network = create(BACKBONE, method.required(taps, BACKBONE))
    initialise(network, 5)
    network.frozen()
    square = size[0] == size[1]
    preprocess = Preprocess(size[0], (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)) if square else None
    fitted = Fitted(method, network, taps, preprocess)

    def features(images: NDArray[np.uint8]) -> FeatureSet:
        inside = None if region is None else lambda rows: np.broadcast_to(region, (len(rows), *region.shape))
        found = fitted.features(images, tiles=tiles, inside=inside)
        if region is None:
            return found
        return dataclasses.replace(found, maps=elsewhere(found.maps, taps, region, outside))

    validation = features(photographs(4, seed=1, size=size)) if method.validation_fraction else None
    good, wanted = photographs(12, size=size), method.pasted_photographs()
    learned_from = features(good)
    if wanted:
        changed, cover = with_squares(good[np.arange(wanted) % len(good)])
        pasted = PastedSet(features(changed), cover, *[np.arange(wanted) % len(good) // tiles] * 2)
        learned_from = dataclasses.replace(learned_from, pasted=pasted)
    turned = {quarters: features(np.ascontiguousarray(np.rot90(good, quarters, (1, 2)))) for quarters in method.turns()}
    method.fit(dataclasses.replace(learned_from, turned=turned), validation)
    return fitted


def with_squares(images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(N, H, W, 3) with a bright or dark square on each, and (N, H, W), 255 where it is."""
    generator = np.random.default_rng(7)
    changed, cover = images.copy(), np.zeros(images.shape[:3], np.uint8)
    for image, covered in zip(changed, cover, strict=True):
        side = int(generator.integers(8, 24))
        row, column = (int(generator.integers(0, length - side)) for length in image.shape[:2])
        image[row : row + side, column : column + side] = generator.choice([0, 255])
        covered[row : row + side, column : column + side] = 255
    return changed, cover


def elsewhere(
    maps: Mapping[int, NDArray[np.float32]], taps: tuple[int, ...], region: NDArray[np.bool_], more: float
) -> dict[int, NDArray[np.float32]]:
    """The maps with `more` added to the taps' cells of which no pixel is in `region`."""
    changed = dict(maps)
    for tap in taps:
        (cells,) = cells_inside(region[None], maps[tap].shape[2:])
        changed[tap] = maps[tap] + np.float32(more) * ~cells
    return changed


class Head(nn.Module):
    """A head whose maps are inputs of the graph, in whole photographs of (N, T, C, H, W), and so is what is inside."""

    def __init__(self, head: nn.Module, layers: tuple[int, ...]) -> None:
        super().__init__()
        self.head, self.layers = head, layers

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        flat = [each.flatten(0, 1) for each in inputs]
        count = len(self.layers)
        outputs: tuple[Tensor, Tensor] = self.head(dict(zip(self.layers, flat[:count], strict=True)), *flat[count:])
        return outputs


def export_head(
    head: nn.Module, maps: Mapping[int, Tensor], inside: Tensor | None = None, tiles: int = 1
) -> tuple[bytes, dict[str, NDArray[np.float32]]]:
    """The ONNX model of a head alone, and what it is fed with for these maps."""
    named = {f"map_{layer}": each for layer, each in maps.items()}
    if inside is not None:
        named["inside"] = inside
    fed = {name: each.unflatten(0, (-1, tiles)) for name, each in named.items()}
    inputs = {name: Input(each[:2], ["N", *each.shape[1:]]) for name, each in fed.items()}
    arrays = {name: each.numpy() for name, each in fed.items()}
    recorded = record(Head(head, tuple(maps)).eval(), OUTPUTS, None, inputs)
    if recorded is not None:
        return recorded.SerializeToString(), arrays
    batch = torch.export.Dim("N", min=1)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Head(head, tuple(maps)).eval(),
            tuple(each[:2] for each in fed.values()),
            input_names=list(fed),
            output_names=OUTPUTS,
            dynamic_shapes=(tuple({0: batch} for _ in fed),),
            dynamo=True,
            verbose=False,
        )
    return program.model_proto.SerializeToString(), arrays


@pytest.fixture(scope="session")
def fitted() -> Callable[[str], Fitted]:
    """``fitted(name)``: that method with the settings of `SMALL`, fitted once."""
    return functools.cache(fit)


@pytest.fixture(scope="session")
def exported(fitted: Callable[[str], Fitted]) -> Callable[[str], bytes]:
    """``exported(name)``: the ONNX model of ``fitted(name)``."""
    return functools.cache(lambda name: to_onnx(fitted(name).graph, OUTPUTS))


@pytest.fixture(scope="session")
def exported_head() -> Callable[..., tuple[bytes, dict[str, NDArray[np.float32]]]]:
    """`export_head`."""
    return export_head


@pytest.fixture(scope="session")
def change_elsewhere() -> Callable[..., dict[int, NDArray[np.float32]]]:
    """`elsewhere`."""
    return elsewhere


@pytest.fixture(scope="session")
def region() -> NDArray[np.bool_]:
    """A part of `WIDE`, with a rim that cuts through cells."""
    y, x = np.mgrid[: WIDE[0], : WIDE[1]]
    return ((y - 30) / 25) ** 2 + ((x - 45) / 30) ** 2 < 1


@pytest.fixture(scope="session")
def wide(region: NDArray[np.bool_]) -> Callable[..., Fitted]:
    """``wide(name, tiles=1, part=False)``: that method on what is not square, fitted once; where only a `part` is
    looked at, it is `region`. With either it is fitted no longer than it must be."""

    @functools.cache
    def fitted(name: str, tiles: int = 1, part: bool = False) -> Fitted:
        quick = methods()[name.split()[0]].shortest_fit if tiles > 1 or part else {}
        return fit(name, size=WIDE, tiles=tiles, region=region if part else None, **quick)

    return fitted


@pytest.fixture(scope="session")
def fit_method() -> Callable[..., Fitted]:
    """`fit`, for settings of one's own."""
    return fit


@pytest.fixture(scope="session")
def make_photographs() -> Callable[..., NDArray[np.uint8]]:
    """`photographs`."""
    return photographs
