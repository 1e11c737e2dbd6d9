"""What a week of harvesting came to."""

from __future__ import annotations

import logging
import math
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from online.checks import Check
from online.week import CAMERAS, Harvested
from reid.data.stores import find_stores
from reid.online import HarvestStoreConfig, OnlineFolder, harvest_totals
from reid.online.hours import DAY_S, HOUR_S, hour_begin
from reid.tracklets import measure_tracklets, read_tracklets

MOST_GROWTH_MB = 10.0
MOST_SLOWER = 1.25
"""So many times the time of the first day on which crops go for want of room, and for their age."""
LEAST_OF_CAMERA = 0.8
"""The least that is left of a camera, of what is left of the one with most."""
LEAST_OF_HOUR = 0.4
"""The same, among hours of one camera that crops were taken from: at most a quarter of one goes at a time, and what had
to go at noon does not come back when the evening leaves more room."""
_LATE_S = 3 * HOUR_S
"""Every run of the week is too short to prove its clock: what has expired goes in the third hour with one."""
Kept = Counter[tuple[str, str]]


def of_week(folder: OnlineFolder, store: HarvestStoreConfig, found: Harvested, now_s: float) -> list[Check]:
    """All bars."""
    kept: Kept = Counter({(total.camera, total.hour): total.size.crops for total in harvest_totals(folder)})
    return [
        _written(found, kept),
        *_flat(found, store),
        _disk(store, found),
        _expired(store, kept, now_s),
        _readable(folder.harvest),
        _cameras(found, kept),
        _hours(found, kept),
    ]


def _written(found: Harvested, kept: Kept) -> Check:
    written, left = sum(found.offered.values()), sum(kept.values())
    faults = [*found.problems, *([f"{found.lost} crops were lost"] if found.lost else [])]
    if left >= written:
        faults.append("nothing was thinned out: the cap is too high to tell anything")
    return Check("nothing is lost on its way to the disk", f"{written} crops written, {left} left", tuple(faults))


def _flat(found: Harvested, store: HarvestStoreConfig) -> list[Check]:
    days = found.days
    growth = days[-1].resident_mb - days[0].resident_mb
    memory = f"{days[0].resident_mb:.1f} MB after the first day, {days[-1].resident_mb:.1f} MB after the last"
    faults = (f"it grew by {growth:.1f} MB",) if growth > MOST_GROWTH_MB else ()
    checks = [Check(f"memory grows by {MOST_GROWTH_MB:g} MB at most after the first day", memory, faults)]
    settled = min(math.ceil(store.keep_days) + 1, len(days))
    base = days[settled - 1]
    for what, first, last, more in (
        ("a call", base.call_yardsticks, days[-1].call_yardsticks, f", {days[-1].call_us:.0f} us"),
        ("a day, with all that is written", base.cpu_yardsticks, days[-1].cpu_yardsticks, ""),
    ):
        faults = (f"{last / first:.2f} times as long",) if last > MOST_SLOWER * first else ()
        figures = f"{first:.4g} yardsticks on day {settled}, {last:.4g} on the last{more}"
        checks.append(Check(f"the time of {what} stays within {MOST_SLOWER:g} times", figures, faults))
    return checks


def _disk(store: HarvestStoreConfig, found: Harvested) -> Check:
    most_mb = max(day.most_mb for day in found.days)
    # totals.json and the folders of cameras are not counted as harvest
    faults = (f"{most_mb:.3f} MB",) if most_mb > store.most_mb + 0.05 else ()
    return Check(
        f"the harvest takes {store.most_mb} MB of the disk at most", f"{most_mb:.2f} MB after any turn", faults
    )


def _expired(store: HarvestStoreConfig, kept: Kept, now_s: float) -> Check:
    begins = {hour: hour_begin(hour) or 0.0 for _, hour in kept}
    oldest_days = (now_s - min(begins.values())) / DAY_S
    over = [hour for hour, begin in begins.items() if begin + HOUR_S + store.keep_days * DAY_S < now_s - _LATE_S]
    figures = f"{len(kept)} hours are left, the oldest began {oldest_days:.2f} days ago"
    return Check(f"what is older than {store.keep_days:g} days goes", figures, tuple(over))


def _readable(harvest: Path) -> Check:
    """Every store reads without a warning, and holds what was taken down of it; every picture is one."""
    wrong: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            wrong.append(record.getMessage())

    handler, logger, crops = Handler(logging.WARNING), logging.getLogger("reid"), 0
    logger.addHandler(handler)
    stores = find_stores(harvest)
    for store in stores:
        read = read_tracklets(store)
        crops += len(read)
        if measure_tracklets(store).crops != len(read):
            wrong.append(f"{store} holds {len(read)} crops, {measure_tracklets(store).crops} are counted")
        pictures = [read.picture(row) for row in range(len(read))]
        broken = [each for each in pictures if cv2.imdecode(np.fromfile(each, np.uint8), cv2.IMREAD_COLOR) is None]
        wrong += [f"{each} is no picture" for each in broken]
    logger.removeHandler(handler)
    return Check("every store and picture reads at the end", f"{len(stores)} stores, {crops} crops", tuple(wrong))


def _cameras(found: Harvested, kept: Kept) -> Check:
    by = {camera: sum(crops for key, crops in kept.items() if key[0] == camera) for camera in CAMERAS}
    offered = {camera: sum(n for key, n in found.offered.items() if key[0] == camera) for camera in CAMERAS}
    least = min(by.values()) / max(by.values())
    figures = ", ".join(f"{camera} {by[camera]} of {offered[camera]}" for camera in CAMERAS)
    faults = (f"the least is {least:.2f} of the most",) if least < LEAST_OF_CAMERA else ()
    return Check(f"of each camera at least {LEAST_OF_CAMERA:g} of what is left of another", figures, faults)


def _hours(found: Harvested, kept: Kept) -> Check:
    faults, figures = [], []
    for camera in CAMERAS:
        thinned = [n for key, n in kept.items() if key[0] == camera and n < found.offered[key]]
        whole = [n for key, n in kept.items() if key[0] == camera and n >= found.offered[key]]
        if not thinned:
            faults.append(f"{camera}: nothing was taken")
            continue
        figures.append(
            f"{camera} {min(thinned)} to {max(thinned)}, {len(whole)} whole hours to {max(whole, default=0)}"
        )
        if min(thinned) < LEAST_OF_HOUR * max(thinned):
            faults.append(f"{camera}: hours that were thinned out hold from {min(thinned)} to {max(thinned)} crops")
        if max(whole, default=0) > max(thinned) / LEAST_OF_HOUR:
            faults.append(f"{camera}: an hour of {max(whole)} crops was left alone")
    return Check("hours of a camera are thinned out to one level", "; ".join(figures), tuple(faults))
