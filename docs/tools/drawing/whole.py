"""Drawings of what every detector does: from a photograph to a verdict, and the threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from drawing.distances import gaussians
from drawing.scene import DEFECT, PRODUCT, SEED, defective, features
from drawing.svg import BAD, GOOD, GREY, INK, Drawing, heat
from flawspot.data.demo_set import render

HELD_OUT, NEW = 30, 20
_SMALL = 17


def pipeline() -> Drawing:
    """Photograph, features, map, verdict."""
    model = gaussians()
    one = model.defective.of_photographs(np.array([0]))
    whole = model.maps(one)[0]
    threshold = float(model.maps(model.held_out).max())
    drawing = Drawing("From a photograph to a verdict: features at three taps, the anomaly map, the region", 330)
    drawing.text(10, 32, "1  photograph")
    drawing.photograph(10, 46, 150, defective()[0][0], told="a defective washer")
    drawing.text(205, 32, "2  features")
    for index, tap in enumerate(model.chosen.taps):
        values = np.abs(one.batch(tap, slice(0, 1))[0]).mean(axis=0)
        grid = np.kron(values, np.ones((224 // values.shape[0], 224 // values.shape[1])))
        drawing.picture(
            205, 46 + 92 * index, 84, heat(grid, float(values.max()), float(values.min())), told=f"tap {tap}"
        )
        _, height, width = one.shapes.maps[tap]
        drawing.text(298, 84 + 92 * index, f"tap {tap}", size=_SMALL)
        drawing.text(298, 106 + 92 * index, f"{height} x {width}", size=_SMALL, colour=GREY)
        drawing.arrow((165, 121), (200, 88 + 92 * index))
    drawing.arrow((372, 135), (400, 121))
    drawing.text(405, 32, "3, 4  map")
    drawing.picture(405, 46, 150, heat(whole, 1.5 * threshold), told="the anomaly map")
    drawing.arrow((560, 121), (588, 121))
    drawing.text(593, 32, "5  verdict")
    drawing.photograph(593, 46, 150, _marked(defective()[0][0], whole > threshold), told="the region that is marked")
    drawing.text(593, 224, "anomalous", colour=BAD)
    drawing.text(593, 250, f"severity {whole.max() / threshold:.1f}", colour=BAD)
    drawing.text(405, 224, f"score {whole.max():.1f}", colour=INK)
    drawing.text(405, 250, f"threshold {threshold:.1f}", colour=GREY)
    return drawing


def found() -> Drawing:
    """Three defective parts and a good one, each beside what is marked; captions for narrow screens."""
    model = gaussians()
    limit = float(model.maps(model.held_out).max())
    drawing = Drawing("Photographs of a product that flawspot draws, and beside them what it found", 462)
    kinds: tuple[str | None, ...] = ("chip", "stain", "fibre", None)
    for place, kind in enumerate(kinds):
        image = render(PRODUCT, [SEED, 6, place], kind)[0]
        whole = model.maps(features(model.chosen, image[None]))[0]
        x, y = 8 + 380 * (place % 2), 4 + 230 * (place // 2)
        drawing.photograph(x, y, 180, image, told=f"a washer, {kind or 'good'}")
        drawing.photograph(x + 184, y, 180, _marked(image, whole > limit), told="the same with what was found")
        severity = float(whole.max()) / limit
        verdict, colour = ("anomalous", BAD) if severity > 1 else ("good", GOOD)
        drawing.text(x, y + 212, f"{verdict}, severity {severity:.1f}", size=28, colour=colour)
    return drawing


def threshold() -> Drawing:
    """Scores of photographs that nothing was learned from."""
    model = gaussians()
    good = np.stack([render(PRODUCT, [SEED, 4, row])[0] for row in range(HELD_OUT)])
    bad = np.stack([render(PRODUCT, [SEED, 5, row], (DEFECT, "stain", "pit")[row % 3])[0] for row in range(NEW)])
    scores = [model.maps(features(model.chosen, images)).max(axis=(1, 2)) for images in (good, bad)]
    limit = float(scores[0].max())
    top = 1.05 * float(max(each.max() for each in scores))
    drawing = Drawing("Scores of held-out good photographs, the threshold, and scores of defective ones", 260)

    def place(score: float) -> float:
        return 20 + 720 * score / top

    for row, (name, values, colour) in enumerate(
        ((f"{HELD_OUT} good photographs, held out", scores[0], GOOD), (f"{NEW} defective ones", scores[1], BAD))
    ):
        y = 60 + 90 * row
        drawing.text(20, y - 22, name, colour=colour)
        for index, value in enumerate(values):
            drawing.circle(place(value), y + 4 + 9 * (index % 3), 5, fill=colour)
    drawing.line([(place(limit), 40), (place(limit), 190)], dashes="6 4", thick=2)
    drawing.line([(20, 190), (740, 190)], stroke=GREY)
    drawing.text(place(limit) - 8, 214, "good", anchor="end", size=_SMALL, colour=GREY)
    drawing.text(place(limit) + 8, 214, "anomalous", size=_SMALL, colour=GREY)
    drawing.text(740, 214, "score", anchor="end", size=_SMALL, colour=GREY)
    told = f"The threshold is their highest score: a rate of 1/{HELD_OUT + 1} = {1 / (HELD_OUT + 1):.2f} is promised."
    drawing.text(20, 246, told, size=_SMALL, colour=GREY)
    return drawing


def _marked(photograph: NDArray[np.uint8], region: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The photograph with a line around a region of its map."""
    side = photograph.shape[0]
    inside = Image.fromarray(region).convert("L").resize((side, side), Image.Resampling.NEAREST)
    grown, shrunk = inside.filter(ImageFilter.MaxFilter(5)), inside.filter(ImageFilter.MinFilter(5))
    marked = photograph.copy()
    marked[np.asarray(grown) > np.asarray(shrunk)] = (255, 60, 40)
    return marked
