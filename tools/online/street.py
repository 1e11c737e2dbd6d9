"""A rendered clip as long and crowded as one likes, of the figures and the street of `tracker.demo`."""

from __future__ import annotations

import numpy as np

from online.play import Light, Play
from online.walks import Crowd, plan_walks
from tracker.demo.backdrop import paint_backdrop
from tracker.demo.cast import pick_cast
from tracker.demo.stage import HEIGHT, build_stage
from tracker.demo.walkers import Walkers

_PHASES = 24
_STEP_PX = 4


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
    walkers = Walkers(figures, walks, scale, phases=_PHASES, step_px=_STEP_PX)
    return Play(
        f"street-{seed}", backdrop, walks, walkers, min(place.base for place in stage.occluders), light,
        rate_hz=rate_hz, frames=round(crowd.duration_s * rate_hz), noise_seed=int(rng.integers(2**31)),
    )  # fmt: skip
