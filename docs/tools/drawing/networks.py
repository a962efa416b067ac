"""Drawings of the methods that train a network: STFPM and PaSTe, pasted defects, and the jury of three."""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray

from drawing.scene import Learned, defective, learned, pasted
from drawing.svg import BAD, GREY, PALE, TEXT, Drawing, heat
from flawspot.backbones.registry import family
from flawspot.methods import Jury, PaSTe
from flawspot.methods.jury.combining import Combination
from flawspot.methods.stfpm.head import half_squared_distance

_BLOCKS = 15
_SMALL = 17


@functools.cache
def jury() -> tuple[Learned, list[NDArray[np.float32]]]:
    """The default jury, with a shorter training; and each member's map of the first defective photograph."""
    members = (
        "patchcore:bank_size=2000,standardize=channel,sigma=2 + pasted:photographs=100 + stfpm:recipe=fast,epochs=5"
    )
    model = learned(Jury(members=members))
    method = model.chosen.method
    assert isinstance(method, Jury)
    maps = []
    for fitted, (_, _, taps) in zip(method.fitted_, method.seats(model.chosen.taps, "mobilenet_v2"), strict=True):
        layers = fitted.required(taps, "mobilenet_v2")
        own = model.defective.at(taps, layers)
        with torch.no_grad():
            given = {layer: torch.from_numpy(own.batch(layer, slice(0, 1))) for layer in layers}
            maps.append(fitted.head().eval()(given)[0][0].numpy())
    return model, maps


def members() -> Drawing:
    """The maps of a jury's members, on one scale, and their sum."""
    model, maps = jury()
    method = model.chosen.method
    assert isinstance(method, Jury)
    surprises = [
        Combination("fisher", [scale], [1.0])([torch.from_numpy(each)[None]])[0].numpy()
        for scale, each in zip(method.scales_, maps, strict=True)
    ]
    drawing = Drawing("The jury: three members' maps as surprises, and their sum", 465)
    names = ["memory bank", "pasted defects", "student"]
    drawing.text(10, 32, "A new photograph")
    drawing.photograph(10, 46, 170, defective()[0][0], told="a defective washer")
    for index, (name, surprise) in enumerate(zip(names, surprises, strict=True)):
        x = 200 + 187 * index
        drawing.text(x, 32, name)
        drawing.picture(x, 46, 170, heat(surprise, 30), told=f"surprise of the {name}")
        drawing.text(x, 240, f"at most {surprise.max():.0f}", size=_SMALL, colour=GREY)
        drawing.arrow((x + 85, 250), (455, 278))
    total = np.sum(surprises, axis=0)
    drawing.text(380, 302, "their sum", anchor="end")
    drawing.picture(390, 284, 170, heat(total, 30 * len(maps)), told="the sum of the surprises")
    drawing.text(572, 330, f"at most {total.max():.0f}", size=_SMALL, colour=GREY)
    _scale(drawing, 10, 330, "surprise, -log p: 0 to 30 (sum: 90)")
    return drawing


def students() -> Drawing:
    """Which blocks are the teacher's and which the student's, in STFPM and in PaSTe."""
    taps = family("mobilenet_v2").layer_groups["paste"]
    drawing = Drawing("STFPM and PaSTe: blocks of teacher and student on MobileNetV2, and the taps", 500)
    _rows(drawing, 30, "STFPM", taps, shared=0)
    _rows(drawing, 215, "PaSTe", taps, shared=taps[0])
    drawing.rect(20, 402, 24, 20, fill="#cfe3fb")
    drawing.text(52, 419, "frozen teacher", size=_SMALL)
    drawing.rect(200, 402, 24, 20, fill="#ffe3b3")
    drawing.text(232, 419, "trained student", size=_SMALL)
    drawing.rect(390, 402, 24, 20, fill=PALE)
    drawing.text(422, 419, "shared, run once", size=_SMALL)
    drawing.text(20, 456, "Red: the taps. There the student is compared with the teacher,", size=_SMALL, colour=GREY)
    drawing.text(20, 480, "position by position, and learns to give the same on good parts.", size=_SMALL, colour=GREY)
    return drawing


def distances() -> Drawing:
    """PaSTe's distances at each tap, and their product."""
    model = learned(PaSTe(epochs=12))
    method = model.chosen.method
    assert isinstance(method, PaSTe)
    one = model.defective.of_photographs(np.array([0]))
    given = {layer: torch.from_numpy(one.batch(layer, slice(0, 1))) for layer in one.maps}
    with torch.no_grad():
        followed = method.student_(given[method.source_])
        each = [half_squared_distance(given[tap], followed[tap])[0].squeeze().numpy() for tap in model.chosen.taps]
    whole = model.maps(one)[0]
    drawing = Drawing("PaSTe: distance of the student from the teacher at three taps, and the anomaly map", 420)
    drawing.text(10, 32, "A new photograph")
    drawing.photograph(10, 46, 170, defective()[0][0], told="a defective washer")
    for index, (tap, values) in enumerate(zip(model.chosen.taps, each, strict=True)):
        x = 200 + 187 * index
        drawing.text(x, 32, f"tap {tap}, {values.shape[0]} x {values.shape[1]}")
        large = np.kron(values, np.ones((200 // values.shape[0], 200 // values.shape[1])))
        drawing.picture(x, 46, 170, heat(large, float(values.max())), told=f"distances at tap {tap}")
        drawing.arrow((x + 85, 222), (455, 242))
    drawing.text(380, 268, "their product", anchor="end")
    drawing.picture(390, 246, 164, heat(whole, float(whole.max())), told="the anomaly map")
    drawing.text(10, 250, "Each on a scale", size=_SMALL, colour=GREY)
    drawing.text(10, 274, "of its own.", size=_SMALL, colour=GREY)
    return drawing


def defects() -> Drawing:
    """Good photographs with pasted defects, where these are, and what the network says of a real one."""
    images, where = pasted(100)
    covered = where.reshape(len(where), -1).mean(axis=1)
    shown = [int(row) for row in np.argsort(np.abs(covered - 0.02), kind="stable")[:3]]
    drawing = Drawing("Pasted defects: photographs to learn from, their masks, and the map of a new photograph", 450)
    drawing.text(10, 32, "Good photographs with pasted defects")
    for index, row in enumerate(shown):
        drawing.photograph(10 + 180 * index, 46, 170, images[row], told="a washer with pasted defects")
        mask = np.repeat(np.where(where[row], 255, 20).astype(np.uint8)[..., None], 3, axis=2)
        drawing.picture(10 + 180 * index, 226, 170, mask, told="where they are")
    drawing.line([(560, 46), (560, 396)], stroke=PALE)
    drawing.text(575, 32, "A new one")
    drawing.photograph(575, 46, 170, defective()[0][0], told="a defective washer")
    own = jury()[1][1]
    drawing.picture(575, 226, 170, heat(own, float(own.max())), told="the network's map of it")
    drawing.text(10, 424, "Below: the masks that are learned,", size=_SMALL, colour=GREY)
    drawing.text(575, 424, "and its map.", size=_SMALL, colour=GREY)
    return drawing


def _rows(drawing: Drawing, y: float, name: str, taps: tuple[int, ...], shared: int) -> None:
    drawing.text(20, y + 4, name, size=TEXT + 2)
    width = 44
    for block in range(_BLOCKS):
        x = 20 + 48 * block
        colour = BAD if block in taps else GREY
        thick = 3 if block in taps else 1
        if block < shared:
            drawing.rect(x, y + 55, width, 40, fill=PALE, stroke=GREY, thick=1)
            drawing.text(x + width / 2, y + 81, str(block), anchor="middle", size=_SMALL)
            continue
        for row, fill in ((20, "#cfe3fb"), (90, "#ffe3b3")):
            drawing.rect(x, y + row, width, 40, fill=fill, stroke=colour, thick=thick)
            drawing.text(x + width / 2, y + row + 26, str(block), anchor="middle", size=_SMALL)
        if block in taps:
            drawing.line([(x + width / 2, y + 62), (x + width / 2, y + 89)], stroke=BAD, thick=3)


def _scale(drawing: Drawing, x: float, y: float, told: str) -> None:
    for step in range(60):
        colour = heat(np.array([[step / 59]]), 1)[0, 0]
        drawing.rect(x + 5 * step, y, 5, 16, fill=f"#{colour[0]:02x}{colour[1]:02x}{colour[2]:02x}", stroke="none")
    drawing.rect(x, y, 300, 16, stroke=GREY, thick=1)
    drawing.text(x, y + 40, told, size=_SMALL, colour=GREY)
