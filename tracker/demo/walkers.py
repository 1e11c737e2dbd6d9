"""Sprites of figures as they walk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracker.demo.body import Pose
from tracker.demo.drawing import Sprite, draw_figure
from tracker.demo.stage import body_height

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.demo.choreography import Walk
    from tracker.demo.figures import Figure


class Walkers:
    """Sprites of figures at any time of their walks, each painted once.

    Args:
        figures: what each looks like.
        walks: where each goes.
        scale: pixels of the picture a reference pixel.
        phases: painted poses of one gait cycle.
        step_px: heights are rounded to this, so that slowly growing figures are not painted anew in each frame.
    """

    def __init__(
        self, figures: Sequence[Figure], walks: Sequence[Walk], scale: float, *, phases: int, step_px: int
    ) -> None:
        self._figures, self._walks, self._scale = figures, walks, scale
        self._phases, self._step_px = phases, step_px
        self._known: dict[tuple[int, int, float, float, int], Sprite] = {}

    def __call__(self, who: int, time_s: float, ground_y: float) -> Sprite:
        """The sprite of a row at a moment of a visit, with its ground line in reference pixels."""
        phase, facing, stride = self._walks[who].gait(time_s)
        pose = round(phase / (2 * np.pi) * self._phases) % self._phases if stride else 0
        height_px = body_height(ground_y, self._figures[who].height_m) * self._scale
        height_px = max(8, self._step_px * round(height_px / self._step_px))
        key = (who, pose, facing, stride, height_px)
        if key not in self._known:
            angle = 2 * np.pi * pose / self._phases
            self._known[key] = draw_figure(self._figures[who], Pose(angle, facing, stride), height_px)
        return self._known[key]
