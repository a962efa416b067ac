"""Drawings of the methods that measure how far features lie from good ones: PatchCore, PaDiM, CFA."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from drawing.scene import Learned, defective, learned
from drawing.svg import BAD, GOOD, GREY, INK, PALE, Drawing
from flawspot.methods import CFA, PaDiM, PatchCore
from flawspot.methods.cfa.training import pooled_maps
from flawspot.methods.padim.selection import embed_rows
from flawspot.methods.patchcore.candidates import gather

Spot = tuple[int, int]
"""Row and column of a cell of the 56 x 56 grid."""
Placing = Callable[[NDArray[np.floating]], NDArray[np.floating]]
"""From (n, d) points to (n, 2)."""
GRID = 56
_LETTERS = "ABC"


def spots() -> list[Spot]:
    """A, on the defect; B and C, on the same part where it is good."""
    rows, columns = np.nonzero(defective()[1][0])
    middle = int(rows.mean() * GRID / 256), int(columns.mean() * GRID / 256)
    return [middle, (GRID - 1 - middle[0], GRID - 1 - middle[1]), (4, GRID // 2)]


def patchcore() -> Drawing:
    """The memory bank, and the nearest member of two patches."""
    model = learned(PatchCore(bank_size=2000))
    method = model.chosen.method
    assert isinstance(method, PatchCore)
    patches = gather([model.defective.of_photographs(np.array([0]))], None, 0).reshape(GRID, GRID, -1)
    drawing = Drawing("PatchCore: patches of a photograph, and the nearest members of the memory bank", 400)
    _photograph(drawing, spots()[:2])
    drawing.text(300, 32, "The memory bank, as a plane shows it")
    plane = _plane(method.bank_)
    place = _fit(plane(method.bank_), (300, 50, 440, 300))
    drawing.dots(place(plane(method.bank_)), 2, fill=PALE)
    for letter, spot, colour in zip(_LETTERS, spots()[:2], (BAD, GOOD), strict=False):
        patch = patches[spot]
        distances = np.linalg.norm(method.bank_ - patch, axis=1)
        (x, y), (to_x, to_y) = place(plane(np.stack([patch, method.bank_[distances.argmin()]])))
        drawing.line([(x, y), (to_x, to_y)], stroke=colour, thick=2)
        drawing.circle(to_x, to_y, 5, fill=INK)
        drawing.circle(x, y, 7, fill=colour)
        drawing.text(x - 12, y + 6, f"{letter}: {distances.min():.2f}", colour=colour, anchor="end")
    _says(
        drawing, "Grey: members. Black: the nearest one.", "The number: its distance, in all dimensions.", x=300, y=362
    )
    return drawing


@functools.cache
def gaussians() -> Learned:
    """PaDiM."""
    return learned(PaDiM())


def padim() -> Drawing:
    """A Gaussian at each of three positions."""
    model = gaussians()
    method = model.chosen.method
    assert isinstance(method, PaDiM)
    samples, point = (
        embed_rows(photographs, slice(0, count), method.chosen_).numpy().reshape(count, -1, GRID, GRID)
        for photographs, count in ((model.good, len(model.good)), (model.defective, 1))
    )
    samples, point = np.moveaxis(samples, 1, -1), np.moveaxis(point, 1, -1)
    covariance = method.gaussians_.covariance(method.ridge).reshape(GRID, GRID, *(2 * [samples.shape[-1]]))
    drawing = Drawing("PaDiM: the Gaussian of good photographs at three positions, and the new photograph there", 350)
    _photograph(drawing, spots(), side=220)
    for index, (row, column) in enumerate(spots()):
        own, mean = samples[:, row, column].astype(np.float64), samples[:, row, column].mean(axis=0)
        sigma, away = covariance[row, column], point[0, row, column] - mean
        weighed = np.linalg.solve(sigma, away)
        box = (260 + 166 * index, 75, 155, 155)
        drawing.text(box[0], 62, f"{_LETTERS[index]}: {np.sqrt(away @ weighed):.1f}", colour=_colour(index))
        # In this plane a point lies as far from the middle as in all dimensions: one of its axes leads there.
        axes = np.linalg.qr(np.stack([weighed, np.linalg.eigh(sigma)[1][:, -1]]).T)[0].T
        whiten = np.linalg.inv(np.linalg.cholesky(axes @ sigma @ axes.T)) @ axes
        whiten *= np.sign(whiten @ away)[:, None]
        _gaussian(drawing, box, (own - mean) @ whiten.T, whiten @ away, _colour(index))
    drawing.text(260, 32, "Good photographs at A, B and C, and the new one")
    _says(
        drawing,
        "Small dots: good photographs. Rings: 1, 2 and 3 standard",
        "deviations. Large dot: the new photograph; the number is",
        "its distance from the middle.",
        x=260,
        y=262,
    )
    return drawing


def cfa() -> Drawing:
    """The distances of two patches to their nearest centres."""
    model = learned(CFA(epochs=2), few=16)
    method = model.chosen.method
    assert isinstance(method, CFA)
    maps = [torch.from_numpy(each) for each in pooled_maps(model.defective.of_photographs(np.array([0])))]
    with torch.no_grad():
        described = method.descriptor_(maps)[0].numpy()
    count = method.nearest + method.repelled
    drawing = Drawing("CFA: squared distances of two patches to their six nearest centres", 400)
    _photograph(drawing, spots()[:2])
    found = [np.sort(((described[spot] - method.centres_.numpy()) ** 2).sum(axis=1))[:count] for spot in spots()[:2]]
    top = max(float(each[-1]) for each in found)
    for index, distances in enumerate(found):
        left = 330 + 220 * index
        drawing.text(left - 25, 62, f"{_LETTERS[index]}, six nearest", colour=_colour(index))
        for place, value in enumerate(distances):
            height = 235 * float(value) / top
            fill = _colour(index) if place < method.nearest else PALE
            drawing.rect(left - 25 + 32 * place, 320 - height, 26, height, fill=fill, stroke=GREY, thick=1)
        drawing.line([(left - 30, 320), (left + 165, 320)], stroke=INK)
    _says(
        drawing,
        "Squared distances to the nearest centres, after training.",
        "The first three count; the next three were pushed away.",
        x=300,
        y=352,
    )
    return drawing


def _photograph(drawing: Drawing, marked: list[Spot], side: float = 250) -> None:
    drawing.text(10, 32, "A new photograph")
    drawing.photograph(10, 50, side, defective()[0][0], told="a defective washer")
    for index, (row, column) in enumerate(marked):
        x, y = 10 + side * (column + 0.5) / GRID, 50 + side * (row + 0.5) / GRID
        drawing.rect(x - 9, y - 9, 18, 18, stroke=_colour(index), thick=3)
        drawing.text(x + 14, y + 7, _LETTERS[index], colour=_colour(index), size=22)
    _says(drawing, "A: on the defect.", f"{' and '.join(_LETTERS[1 : len(marked)])}: good.", x=10, y=80 + side)


def _colour(index: int) -> str:
    return BAD if index == 0 else GOOD


def _says(drawing: Drawing, *lines: str, x: float, y: float) -> None:
    for number, line in enumerate(lines):
        drawing.text(x, y + 24 * number, line, size=17, colour=GREY)


def _plane(points: NDArray[np.float32]) -> Placing:
    """The projection onto the two directions in which points vary most."""
    mean = points.mean(axis=0, dtype=np.float64)
    axes = np.linalg.eigh(np.cov((points - mean).T))[1][:, -2:]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])  # a direction has no sign of its own
    return lambda given: (given - mean) @ axes


def _fit(points: NDArray[np.floating], box: tuple[float, float, float, float]) -> Placing:
    """From coordinates into a box of the drawing, with some room for what lies farther out."""
    low, high = points.min(axis=0), points.max(axis=0)
    low, high = low - 0.12 * (high - low), high + 0.12 * (high - low)
    x, y, width, height = box
    return lambda given: np.clip((given - low) / (high - low), 0, 1) * (width, height) + (x, y)


def _gaussian(
    drawing: Drawing, box: tuple[float, float, float, float], samples: NDArray[np.float64], point: NDArray[np.float64],
    colour: str,
) -> None:  # fmt: skip
    x, y, side, _ = box
    drawing.rect(*box, stroke=PALE)
    reach = 12.0
    for deviations in (1, 2, 3):
        drawing.circle(x + side / 2, y + side / 2, side / 2 * deviations / reach, stroke=GREY, thick=1)
    drawing.dots(samples * (side / 2 / reach, -side / 2 / reach) + (x + side / 2, y + side / 2), 1.8, fill=GREY)
    drawing.circle(x + side * (0.5 + point[0] / reach / 2), y + side * (0.5 - point[1] / reach / 2), 7, fill=colour)
