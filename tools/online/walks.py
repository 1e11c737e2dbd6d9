"""Who is where and when in a long clip: people who come, stop, turn, leave and come back, for as long as one likes.

Lengths are in the reference pixels of `tracker.demo.stage`, times in seconds. Of the people some are there all along,
some in the first part of the clip only, and some in the second: who learns from the first part meets known people and
strangers in the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracker.demo.choreography import Visit, Walk
from tracker.demo.stage import BACK_LANES, FRONT_LANES, body_height

_OUTSIDE = 0.45  # body heights beyond the border: nothing is seen of somebody there
_TURNING, _SLANTED, _STOPPING = 0.2, 0.35, 0.35  # shares of the visits


@dataclass(frozen=True)
class Crowd:
    """How many come, and how often."""

    people: int = 24
    """Identities."""
    all_along: float = 0.4
    """Share of them that is there in both parts; the rest is halved between the parts."""
    duration_s: float = 400.0
    """Length of the clip."""
    split_s: float = 240.0
    """Where the second part begins."""
    away_s: tuple[float, float] = (7.0, 26.0)
    """Shortest and longest time outside between two visits."""
    speed: tuple[float, float] = (0.55, 0.8)
    """Slowest and fastest, in body heights a second."""
    stop_s: tuple[float, float] = (1.0, 5.0)
    """Shortest and longest stop of those who stop."""


def part_of(crowd: Crowd) -> list[tuple[float, float]]:
    """From when to when each identity may be there."""
    residents = round(crowd.people * crowd.all_along)
    early = (crowd.people - residents + 1) // 2
    spans = [(0.0, crowd.duration_s)] * residents + [(0.0, crowd.split_s)] * early
    return spans + [(crowd.split_s, crowd.duration_s)] * (crowd.people - len(spans))


def plan_walks(
    heights_m: Sequence[float], width: float, stops_x: Sequence[float], crowd: Crowd, rng: np.random.Generator
) -> list[Walk]:
    """A walk for each height; `stops_x` are places where those in the back lanes like to stop (behind something)."""
    walks = []
    for height_m, (begin_s, end_s) in zip(heights_m, part_of(crowd), strict=True):
        visits: list[Visit] = []
        # who is there from the beginning of a part does not wait for a whole pause
        now = begin_s + float(rng.uniform(0.0, crowd.away_s[1] * 0.7))
        while True:
            visit = _visit(height_m, width, stops_x, crowd, rng).later(now)
            if visit.end_s > end_s:
                break
            visits.append(visit)
            now = visit.end_s + float(rng.uniform(*crowd.away_s))
        walks.append(Walk(height_m, tuple(visits)))
    return walks


def _visit(height_m: float, width: float, stops_x: Sequence[float], crowd: Crowd, rng: np.random.Generator) -> Visit:
    """One walk from time 0: straight through or back again, level or slanted, with a stop or not."""
    back = rng.random() < 0.45
    lane = BACK_LANES if back else FRONT_LANES
    y = float(rng.uniform(*lane))
    end_y = float(rng.uniform(*lane)) if rng.random() < _SLANTED else y
    high = body_height(max(y, end_y), height_m)
    sides = (-_OUTSIDE * high, width + _OUTSIDE * high)
    start, end = sides if rng.random() < 0.5 else sides[::-1]
    places = [x for x in stops_x if back] or [float(rng.uniform(0.2, 0.8)) * width]
    middle = places[int(rng.integers(len(places)))] + float(rng.uniform(-8, 8))
    if rng.random() < _TURNING:
        end = start
    xs, ys = np.array([start, middle, end]), np.array([y, (y + end_y) / 2, end_y])
    speed = body_height((y + end_y) / 2, height_m) * float(rng.uniform(*crowd.speed))
    times = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(xs), np.diff(ys)) / speed)))
    if rng.random() < _STOPPING or end == start:
        pause = float(rng.uniform(*crowd.stop_s))
        times = np.array([times[0], times[1], times[1] + pause, times[2] + pause])
        xs, ys = xs[[0, 1, 1, 2]], ys[[0, 1, 1, 2]]
    return Visit(times, xs, ys, None)
