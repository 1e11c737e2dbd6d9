"""Clocks that are set while it harvests, and while models become live: by days, by years, and back."""

from __future__ import annotations

import logging
import time

import numpy as np

from online.commands import Commands
from reid.online import Harvester, HarvestStore, HarvestStoreConfig, OnlineFolder, harvest_totals
from reid.online.config import HarvestConfig
from reid.online.hours import hour_name
from reid.online.registry import ModelRegistry

STEPS_S = (0.0, 40 * 86400.0, -1.0, 10 * 365 * 86400.0, -20 * 365 * 86400.0, 0.0)
"""By how much the wall clock is ahead, part by part."""
_PART_S, _RATE_HZ = 120.0, 5.0
_BEHIND_S = 365 * 86400.0
_CAMERA = "clocks"


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def set_the_clock(commands: Commands) -> list[str]:
    """Harvest while the clock is set again and again; nothing that was there may go, and all is read afterwards."""
    folder = OnlineFolder.open(commands.site)
    registry = ModelRegistry(folder, clock=lambda: 1.0)  # in 1970
    wrong = []
    live = registry.current()
    before = {(t.camera, t.hour): t.size.crops for t in harvest_totals(folder)}
    written = _harvest(folder)
    after = {(t.camera, t.hour): t.size.crops for t in harvest_totals(folder)}
    gone = [key for key, crops in before.items() if after.get(key, 0) < crops]
    if gone:
        wrong.append(f"crops of {gone} went although only the clock was set")
    ours = {hour: crops for (camera, hour), crops in after.items() if camera == _CAMERA}
    behind = {hour: crops for hour, crops in ours.items() if hour < hour_name(time.time() - _BEHIND_S)}
    # what is dated 2006 is too old as soon as the clock is right again and an hour has passed since the run before
    may_go = written * sum(step_s < -_BEHIND_S for step_s in STEPS_S) // len(STEPS_S)
    if sum(ours.values()) - sum(behind.values()) != written - may_go or sum(behind.values()) not in (0, may_go):
        wrong.append(f"{written} crops were harvested, there are {ours}")
    if registry.current() != live:
        wrong.append(f"model {registry.current().number} is live in the place of {live.number}")
    logging.getLogger(__name__).debug("hours %s", sorted(ours))
    return wrong


def _harvest(folder: OnlineFolder) -> int:
    """How many crops were written."""
    image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    wall, steady = Clock(time.time()), Clock(1000.0)
    store = HarvestStore(folder, HarvestStoreConfig(least_free_mb=0), camera=_CAMERA, clock=wall)
    config = HarvestConfig(least_sharpness=0, spacing_s=5.0, border_px=0)
    with folder.lock_tracker(), Harvester(store, config, wall=wall, steady=steady) as harvester:
        ahead_s, began_s = 0.0, steady.now_s
        for number, step_s in enumerate(STEPS_S):
            wall.now_s += step_s - ahead_s
            ahead_s = step_s
            for _ in range(round(_PART_S * _RATE_HZ)):
                wall.now_s += 1 / _RATE_HZ
                steady.now_s += 1 / _RATE_HZ
                boxes = [[10 + 90 * k, 10, 60 + 90 * k, 150] for k in range(3)]
                ids = [10 * number + k for k in range(3)]
                time_s = steady.now_s - began_s
                harvester.observe(image, ids=ids, boxes=boxes, scores=[0.9] * 3, time_s=time_s)
            harvester.flush()
        return harvester.counts.written
