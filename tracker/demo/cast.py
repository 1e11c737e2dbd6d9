"""Who plays in a clip: figures that differ from each other and from the stage, and the look-alikes among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from tracker.demo.figures import look_alike, sample_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.demo.figures import Colour, Figure
    from tracker.types import DoubleArray

TWINS = ((0, 1), (2, 3))
"""Rows of the cast that are look-alikes."""
_POOL = 40  # candidates for each clip
_CONTRAST = 26.0  # least distance in Lab between clothes and stage: about ten just noticeable differences


def _lab(colours: Sequence[Colour]) -> DoubleArray:
    """(n,) BGR colours -> (n, 3) CIE L*a*b*."""
    pixels = np.array([colours], np.float32) / 255
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2LAB)[0], np.float64)


def _main_colours(figure: Figure) -> tuple[Colour, Colour]:
    """Top and legs, as they look from afar: a striped top has the mean of its two colours."""
    share = {"stripes": 0.5, "bars": 0.5, "checks": 0.5, "noise": 0.35, "block": 0.4}.get(figure.pattern, 0.0)
    b, g, r = (int((1 - share) * a + share * c) for a, c in zip(figure.top, figure.top_accent, strict=True))
    return (b, g, r), figure.legs


def pick_cast(count: int, stage_colours: Sequence[Colour], rng: np.random.Generator) -> list[Figure]:
    """Choose `count` figures, rows 0 and 1 and rows 2 and 3 being look-alikes.

    Everybody stands out from the stage. The others are picked one after the other, each as different as can be from
    those already picked, so that only the twins are hard to tell apart.
    """
    stage = _lab(stage_colours)  # (s, 3)
    pool: list[Figure] = []
    looks: list[DoubleArray] = []
    while len(pool) < _POOL:
        figure = sample_figure(rng)
        look = _lab(_main_colours(figure))  # (2, 3)
        # shaded sides are darker, so lightness alone must not make the difference against a grey stage
        distance = np.linalg.norm((look[:, None] - stage[None]) * (0.6, 1.2, 1.2), axis=2)  # (2, s)
        if distance[0].min() >= _CONTRAST and distance[1].min() >= _CONTRAST / 2:
            pool.append(figure)
            looks.append(look.ravel() * (1, 1, 1, 0.7, 0.7, 0.7))  # the top is the larger part
    points = np.stack(looks)  # (pool, 6)
    chosen = [0]
    while len(chosen) < count - len(TWINS):
        gap = np.linalg.norm(points[:, None] - points[None, chosen], axis=2).min(axis=1)  # (pool,)
        chosen.append(int(gap.argmax()))
    first, second, *others = (pool[i] for i in chosen)
    return [first, look_alike(first, rng), second, look_alike(second, rng), *others]
