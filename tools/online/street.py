"""A rendered clip as long and crowded as one likes, of the figures and the street of `tracker.demo`."""

from __future__ import annotations

import numpy as np

from online.play import Light, Play
from online.walks import Crowd, plan_walks
from tracker.demo.backdrop import paint_backdrop
from tracker.demo.body import Pose
from tracker.demo.cast import pick_cast
from tracker.demo.choreography import Walk
from tracker.demo.drawing import Sprite, draw_figure
from tracker.demo.figures import Figure
from tracker.demo.stage import HEIGHT, body_height, build_stage

_PHASES = 24
_STEP_PX = 4  # heights are rounded, so that slowly growing figures are not painted anew in each frame


def street(seed: int, crowd: Crowd, *, width_px: int, height_px: int, rate_hz: float) -> Play:
    """The clip of a seed."""
    rng = np.random.default_rng((seed, 50))
    scale = height_px / HEIGHT
    stage = build_stage(width_px / scale, rng)
    backdrop = paint_backdrop(stage, width_px, height_px, rng)
    figures = pick_cast(crowd.people, backdrop.colours, rng)
    figures = [figures[i] for i in rng.permutation(len(figures))]
    stops = [place.centre for place in stage.occluders]
    walks = plan_walks([f.height_m for f in figures], stage.width, stops, crowd, rng)
    light = Light.draw(len(figures), rng)
    painter = _Painter(figures, walks, scale)
    return Play(
        f"street-{seed}", backdrop, walks, painter, min(place.base for place in stage.occluders), light,
        rate_hz=rate_hz, frames=round(crowd.duration_s * rate_hz), noise_seed=int(rng.integers(2**31)),
    )  # fmt: skip


class _Painter:
    """Sprites of figures, each painted once."""

    def __init__(self, figures: list[Figure], walks: list[Walk], scale: float) -> None:
        self._figures, self._walks, self._scale = figures, walks, scale
        self._known: dict[tuple[int, int, float, float, int], Sprite] = {}

    def __call__(self, who: int, time_s: float, ground_y: float) -> Sprite:
        phase, facing, stride = self._walks[who].gait(time_s)
        step = round(phase / (2 * np.pi) * _PHASES) % _PHASES if stride else 0
        height = max(8, _STEP_PX * round(body_height(ground_y, self._figures[who].height_m) * self._scale / _STEP_PX))
        key = (who, step, facing, stride, height)
        if key not in self._known:
            pose = Pose(2 * np.pi * step / _PHASES, facing, stride)
            self._known[key] = draw_figure(self._figures[who], pose, height)
        return self._known[key]
