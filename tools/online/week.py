"""A simulated week of harvesting: cameras that take turns, days and nights, and a store that has to let go of much."""

from __future__ import annotations

import gc
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from soak import resident_mb, yardstick_s

from reid.online import BaseModel, Harvester, HarvestStore, HarvestStoreConfig, OnlineFolder
from reid.online.config import HarvestConfig
from reid.online.hours import DAY_S, hour_name
from reid.tracklets import CutConfig

BEGIN_UNIX_S = 1_780_272_000.0
"""The first midnight, of UTC."""
CAMERAS = {"door": 6, "hall": 4, "yard": 3}
"""How many are in the picture at noon."""
_TURN_S, _WATCHED_S = 1200.0, 400.0  # each camera in turn, of which so much is looked at
_STEP_S = 2.0
_STAY_S = 90.0
_SPACING_S = 30.0
_LANE_PX, _BOX_PX = 50, (40, 80)
_MINUTE_STEPS = round(60 / _STEP_S)
_YARDSTICKS = 20


@dataclass
class Clock:
    """A clock that is set by hand."""

    now_s: float

    def __call__(self) -> float:
        return self.now_s


@dataclass(frozen=True)
class Day:
    """What was measured on a simulated day."""

    resident_mb: float
    """At its end."""
    most_mb: float
    """Of the harvest on the disk, after a turn."""
    call_us: float
    """Median of `Harvester.observe`."""
    call_yardsticks: float
    """The same, in units of a fixed piece of arithmetic: other programs slow the processor down."""
    cpu_yardsticks: float
    """Processor time of the whole day, those of the thread that writes included."""
    written: int
    """Crops."""


@dataclass
class Harvested:
    """What came of a week."""

    days: list[Day] = field(default_factory=list)
    offered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Crops that were written, by camera and hour."""
    lost: int = 0
    """Crops that were dropped, since the disk was slow or failed."""
    problems: list[str] = field(default_factory=list)
    """Why harvesting waited."""


class Scene:
    """People who pass a camera, each in a lane: many by day, few by night.

    Args:
        camera: which one.
        seed: of the pictures.
    """

    def __init__(self, camera: str, seed: int) -> None:
        self.camera, self._busy = camera, CAMERAS[camera]
        rng = np.random.default_rng(seed)
        self.images = [rng.integers(0, 256, (120, 2 * _LANE_PX * self._busy, 3), np.uint8) for _ in range(4)]

    def at(self, unix_s: float) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float64]]:
        """A picture (H, W, 3), numbers (n,) and boxes (n, 4)."""
        hour = unix_s % DAY_S / 3600
        share = 0.2 + 0.8 * max(0.0, float(np.sin(np.pi * (hour - 6) / 14)) if 6 <= hour <= 20 else 0.0)
        lanes = np.arange(max(1, round(self._busy * share)))
        # everybody in a lane of their own, one after the other
        visit, into_s = np.divmod(unix_s - BEGIN_UNIX_S + 7.0 * lanes, _STAY_S)
        left = 2 * _LANE_PX * lanes + 5 + into_s / _STAY_S * 30
        boxes = np.stack(
            (left, np.full(len(lanes), 20.0), left + _BOX_PX[0], np.full(len(lanes), 20.0 + _BOX_PX[1])), 1
        )
        ids = (visit * self._busy + lanes).astype(np.int64) + 1
        return self.images[int(unix_s) % len(self.images)], ids, boxes


class Week:
    """Harvests day after day.

    Args:
        path: of the online folder, which is made.
        store: the cap, and how long a harvest is kept.
        begin_unix_s: when it begins.
        day_s: after how long it is measured.
    """

    def __init__(
        self, path: Path, store: HarvestStoreConfig, *, begin_unix_s: float = BEGIN_UNIX_S, day_s: float = DAY_S
    ) -> None:
        self.folder, self.config, self.found = OnlineFolder.make(path, BaseModel("m", "00")), store, Harvested()
        self._wall, self._steady, self._day_s = Clock(begin_unix_s), Clock(1000.0), day_s
        self._scenes = {camera: Scene(camera, number) for number, camera in enumerate(CAMERAS)}
        self._harvest = HarvestConfig(
            spacing_s=_SPACING_S,
            least_sharpness=0,
            border_px=0,
            least_age_s=0,
            cut=CutConfig(longest_gap_s=3 * _STEP_S),
        )

    @property
    def now_s(self) -> float:
        """Of the simulated clock."""
        return self._wall.now_s

    def day(self) -> Day:
        """One more."""
        end_s, calls_s, sizes, written = self._wall.now_s + self._day_s, [], [0], sum(self.found.offered.values())
        yardsticks, cpu_s = [yardstick_s() for _ in range(_YARDSTICKS)], 0.0
        turns = self._turns()
        while self._wall.now_s < end_s:
            began = time.process_time()
            calls_s.append(statistics.median(self._turn(next(turns))))
            cpu_s += time.process_time() - began
            yardsticks += [yardstick_s() for _ in range(_YARDSTICKS)]
            sizes.append(disk_bytes(self.folder.harvest))
        gc.collect()
        unit_s, call_s = statistics.median(yardsticks), statistics.median(calls_s)
        written = sum(self.found.offered.values()) - written
        day = Day(resident_mb(), max(sizes) / 1e6, 1e6 * call_s, call_s / unit_s, cpu_s / unit_s, written)
        self.found.days.append(day)
        return day

    def _turns(self) -> Iterator[Scene]:
        while True:
            yield from self._scenes.values()

    def _turn(self, scene: Scene) -> list[float]:
        """Watch one camera for a while, as one start of the tracker does; how long each call took."""
        times = []
        store = HarvestStore(self.folder, self.config, camera=scene.camera, rate_hz=1 / _STEP_S, clock=self._wall)
        began_s, before, steps = self._wall.now_s, 0, round(_WATCHED_S / _STEP_S)
        with (
            self.folder.lock_tracker(),
            Harvester(store, self._harvest, wall=self._wall, steady=self._steady) as harvester,
        ):
            for step in range(steps):
                image, ids, boxes = scene.at(self._wall.now_s)
                began = time.process_time()
                harvester.observe(
                    image, ids=ids, boxes=boxes, scores=np.ones(len(ids)), time_s=self._wall.now_s - began_s
                )
                times.append(time.process_time() - began)
                if (step + 1) % _MINUTE_STEPS == 0 or step + 1 == steps:
                    harvester.flush()
                    key = scene.camera, hour_name(self._wall.now_s)
                    self.found.offered[key] += harvester.counts.written - before
                    before = harvester.counts.written
                self._pass(_STEP_S)
            self.found.lost += harvester.counts.crowded_out + harvester.counts.paused
            if harvester.failure:
                self.found.problems.append(harvester.failure)
        self._pass(_TURN_S - _WATCHED_S)
        return times

    def _pass(self, time_s: float) -> None:
        self._wall.now_s += time_s
        self._steady.now_s += time_s


def disk_bytes(path: Path) -> int:
    """What a folder takes on the disk."""
    return sum(entry.lstat().st_blocks * 512 for entry in path.rglob("*"))


def harvest_for(days: int, week: Week, say: Callable[[str], None]) -> Harvested:
    """So many days."""
    for number in range(1, days + 1):
        day = week.day()
        say(
            f"day {number}: {day.written} crops, {day.most_mb:.2f} MB on the disk at most, {day.resident_mb:.1f} MB of "
            f"memory, {day.call_us:.0f} us a call ({day.call_yardsticks:.2f} yardsticks), "
            f"{day.cpu_yardsticks:.0f} yardsticks in all"
        )
    return week.found
