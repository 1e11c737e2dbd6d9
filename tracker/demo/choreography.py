"""Who is where and when: walks that are constructed so that the promised events happen for every seed.

Each figure makes one or two visits. Walkers in the back lanes stop while an occluder hides them, so a full occlusion
lasts as long as was planned; between two visits a figure stays away as long as was planned. Among several plans that
keep these promises the one with the fewest people on top of each other is taken. Lengths are in reference pixels
(see `tracker.demo.stage`), times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tracker.demo.body import STRIDE
from tracker.demo.stage import BACK_LANES, FRONT_LANES, HORIZON_Y, Stage, body_height

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.demo.figures import Figure
    from tracker.types import BoolArray, DoubleArray

PLANNED_S = 40.0
"""Length of the story; a shorter clip shows its beginning."""
_HIDDEN_S = (1.3, 1.8)  # stop behind an occluder: promised is 1 s
_AWAY_S = (5.6, 7.5)  # between two visits: promised are 5 s
_BACK_WALKERS = 6  # figures 0..5; the two look-alike pairs, 0 and 1, 2 and 3, are among them
_SLANTED_FROM = 8  # front walkers from this row on come nearer or go away as they walk
_TWICE = 10  # figures 0..9 leave and come back
_CANDIDATES = 30  # plans that are compared for each figure
_SAMPLE_S = 0.2  # time step of that comparison
_MARGIN = 0.42  # outside the picture, in body heights: nothing is seen of somebody there


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """One walk through the picture: straight lines between knots."""

    time_s: DoubleArray
    """(k,) when each knot is reached; two knots at one place are a stop."""
    x: DoubleArray
    """(k,) across."""
    y: DoubleArray
    """(k,) ground line."""
    hidden: tuple[float, float] | None
    """From when to when the figure stands behind an occluder, if it does."""

    @property
    def start_s(self) -> float:
        """When the figure starts, still outside."""
        return float(self.time_s[0])

    @property
    def end_s(self) -> float:
        """When the figure is outside again."""
        return float(self.time_s[-1])

    def later(self, seconds: float) -> Visit:
        """The same walk at another time."""
        hidden = None if self.hidden is None else (self.hidden[0] + seconds, self.hidden[1] + seconds)
        return Visit(self.time_s + seconds, self.x, self.y, hidden)


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """All visits of one figure, in order."""

    height_m: float
    visits: tuple[Visit, ...]

    def at(self, time_s: DoubleArray) -> tuple[BoolArray, DoubleArray, DoubleArray]:
        """(t,) -> whether the figure is on its way, x and ground y then (0 where it is not)."""
        here = np.zeros(len(time_s), bool)
        x, y = np.zeros(len(time_s)), np.zeros(len(time_s))
        for visit in self.visits:
            now = (time_s >= visit.start_s) & (time_s <= visit.end_s)
            x[now], y[now] = (
                np.interp(time_s[now], visit.time_s, visit.x),
                np.interp(time_s[now], visit.time_s, visit.y),
            )
            here |= now
        return here, x, y

    def gait(self, time_s: float) -> tuple[float, float, float]:
        """Phase (radians), facing (degrees) and stride (0..1) at a moment of a visit."""
        visit = next(v for v in self.visits if v.start_s <= time_s <= v.end_s)
        i = int(np.clip(np.searchsorted(visit.time_s, time_s, side="right") - 1, 0, len(visit.time_s) - 2))
        ground = np.hypot(np.diff(visit.x), np.diff(visit.y))  # (k - 1,)
        share = (time_s - visit.time_s[i]) / (visit.time_s[i + 1] - visit.time_s[i])
        walked = float(ground[:i].sum() + share * ground[i])
        step = STRIDE * body_height(float(visit.y.mean()), self.height_m)
        moving = bool(ground[i] > 0)
        leg = i if moving else i - 1  # who stops keeps looking the same way
        facing = 90.0 if visit.x[leg + 1] > visit.x[leg] else 270.0
        return 2 * np.pi * walked / step, facing, 1.0 if moving else 0.0


def _visit(xs: Sequence[float], ys: Sequence[float], speed: float, stop: tuple[int, float] | None = None) -> Visit:
    """Walk along knots from time 0; `stop` is (knot, seconds): stay there behind an occluder."""
    points = np.stack((xs, ys), axis=1)
    legs = np.hypot(*np.diff(points, axis=0).T) / speed
    times = np.concatenate(([0.0], np.cumsum(legs)))
    if stop is None:
        return Visit(times, points[:, 0], points[:, 1], None)
    knot, seconds = stop
    times = np.concatenate((times[: knot + 1], times[knot:] + seconds))
    points = np.concatenate((points[: knot + 1], points[knot:]))
    return Visit(times, points[:, 0], points[:, 1], (float(times[knot]), float(times[knot + 1])))


def _back_visit(stage: Stage, height_m: float, through: bool, rng: np.random.Generator) -> Visit:
    """Walk in a back lane: all the way through, or to the nearer occluder and back; stop behind an occluder."""
    y = float(rng.uniform(*BACK_LANES))
    height = body_height(y, height_m)
    left, right = -_MARGIN * height, stage.width + _MARGIN * height
    start, end = (left, right) if rng.random() < 0.5 else (right, left)
    near = stage.occluders[0 if start == left else 1]
    place = stage.occluders[int(rng.integers(2))] if through else near
    xs = [start, place.centre + float(rng.uniform(-6, 6)), end if through else start]
    speed = height * float(rng.uniform(0.62, 0.78))
    return _visit(xs, [y] * 3, speed, (1, float(rng.uniform(*_HIDDEN_S))))


def _front_visit(stage: Stage, height_m: float, slanted: bool, rng: np.random.Generator) -> Visit:
    """Walk past before everything; slanted walks come nearer or go away, so their size changes."""
    y = float(rng.uniform(*FRONT_LANES))
    other = float(FRONT_LANES[0] + FRONT_LANES[1] - y) if slanted else y
    margin = _MARGIN * body_height(max(y, other), height_m)
    xs = [-margin, stage.width + margin]
    speed = body_height((y + other) / 2, height_m) * float(rng.uniform(0.58, 0.74))
    return _visit(xs if rng.random() < 0.5 else xs[::-1], [y, other], speed)


def _plan(index: int, figure: Figure, stage: Stage, rng: np.random.Generator) -> Walk | None:
    """One way for this figure to keep its promises, or None where that takes too long."""
    if index < _BACK_WALKERS:
        through = [bool(rng.random() < 0.65), False]
        rng.shuffle(through)
        walks = [_back_visit(stage, figure.height_m, t, rng) for t in through]
    else:
        count = 2 if index < _TWICE else 1
        walks = [_front_visit(stage, figure.height_m, index >= _SLANTED_FROM, rng) for _ in range(count)]
    away = [float(rng.uniform(*_AWAY_S)) for _ in walks[1:]]
    spare = PLANNED_S - sum(w.end_s for w in walks) - sum(away) - 0.5
    if spare < 0:
        return None
    start = float(rng.uniform(0.4, 0.4 + spare))
    placed = []
    for walk, pause in zip(walks, [*away, 0.0], strict=True):
        placed.append(walk.later(start))
        start += walk.end_s + pause
    return Walk(figure.height_m, tuple(placed))


def _covered(one: Walk, others: Sequence[Walk], time_s: DoubleArray) -> DoubleArray:
    """(o,) seconds that the walker's outline spends on top of each other walker's, seen across."""
    here, x, y = one.at(time_s)
    half = 0.26 * body_height(1.0, one.height_m) / (1.0 - HORIZON_Y)  # of a walker's width, per row below the horizon
    seconds = np.zeros(len(others))
    for i, other in enumerate(others):
        there, u, v = other.at(time_s)
        touching = np.abs(x - u) < half * (y - HORIZON_Y + v - HORIZON_Y)
        seconds[i] = _SAMPLE_S * np.count_nonzero(here & there & touching)
    return seconds


def crossings(one: Walk, other: Walk, stage: Stage) -> int:
    """How often two walkers pass each other in plain sight: x changes order, both are in the picture, none hidden."""
    time_s = np.arange(0.0, PLANNED_S, _SAMPLE_S / 4)
    (here, x, y), (there, u, v) = one.at(time_s), other.at(time_s)
    plain = here & there
    for place in stage.occluders:
        for px, py in ((x, y), (u, v)):
            plain &= ~((px > place.left - 30) & (px < place.right + 30) & (py < place.base))
    plain &= (x > 40) & (x < stage.width - 40)
    swapped = np.sign(x[1:] - u[1:]) != np.sign(x[:-1] - u[:-1])
    return int(np.count_nonzero(swapped & plain[1:] & plain[:-1]))


def _enters_while_away(walk: Walk, twin: Walk) -> bool:
    """Whether a visit begins while the twin is outside between its visits: the trap for who goes by looks alone."""
    gaps = [(a.end_s, b.start_s) for a, b in pairwise(twin.visits)]
    return any(left + 0.3 < v.start_s < back - 0.3 for v in walk.visits for left, back in gaps)


def _best(
    plan: Callable[[], Walk | None], placed: Sequence[Walk], fits: Callable[[Walk], bool], time_s: DoubleArray
) -> Walk:
    """Of the first fitting plans, the one with the least time on top of others; long overlaps weigh more."""
    found: list[tuple[float, Walk]] = []
    for _ in range(4000):
        walk = plan()
        if walk is None or not fits(walk):
            continue
        found.append((float((_covered(walk, placed, time_s) ** 2).sum()), walk))
        if len(found) == _CANDIDATES:
            break
    assert found, "no plan keeps the promises: the story does not fit its time"
    return min(found, key=lambda pair: pair[0])[1]


def choreograph(figures: Sequence[Figure], stage: Stage, rng: np.random.Generator) -> list[Walk]:
    """A walk for each figure. Figures 0 and 1, and 2 and 3, are taken to be look-alikes.

    Promised: figures 0..5 are fully hidden for 1.3 s or longer in each of their two visits, figures 0..9 come back
    after 5.6 s or more outside, 1 enters while 0 is away, and 3, 5, 7 and 9 each pass an earlier figure in plain sight.
    """
    time_s = np.arange(0.0, PLANNED_S, _SAMPLE_S)
    walks: list[Walk] = []
    for index, figure in enumerate(figures):

        def fits(walk: Walk, index: int = index) -> bool:
            if index == 1 and not _enters_while_away(walk, walks[0]):
                return False
            return index not in (3, 5, 7, 9) or any(crossings(walk, w, stage) for w in walks)

        def plan(index: int = index, figure: Figure = figure) -> Walk | None:
            return _plan(index, figure, stage, rng)

        walks.append(_best(plan, walks, fits, time_s))
    return walks
