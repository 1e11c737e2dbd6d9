"""Endurance of the tracker: very many updates of a simulated crowd in which objects come and go.

    python tools/soak.py [--updates 1000000] [--objects 20]

Prints a line for each of twenty parts, and at the end whether

- memory stays flat: the resident size at the end is at most `--memory-mb` above that after the second part;
- time stays flat: the median update of the last parts takes at most `--slower` times that of the first ones, in units
  of a fixed piece of arithmetic done beside it, as other programs slow the processor down at times;
- identities are never reused: a number that is born was never used before; one that ended or was given up for another
  comes back only where an event says so, and as `recovered` or `recalled` only where it was known; no number is shown
  that no event gave; and no frame has a number twice.

Exits with 1 where one of them fails.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy

import numpy as np
from crowd import Crowd, CrowdModel

from tracker import Detections, Tracker, TrackEvent, Tracks

PARTS = 20
RATE_HZ = 30.0
_WARM_UP_PARTS = 2  # the memory of identities fills up and the allocator finds its size


@dataclass
class Numbers:
    """Watches the numbers that a tracker gives. Its sets grow: they belong to the watcher, not to the tracker."""

    highest: int = 0
    """No number above it was given before this update."""
    known: set[int] = field(default_factory=set)
    """Numbers that events ever gave to somebody."""
    live: set[int] = field(default_factory=set)
    """Those of them that somebody has who is seen or looked for."""
    given_up: set[int] = field(default_factory=set)
    """Those of them that nobody has because their object was, or is, reported under another."""
    born: int = 0
    recalled: int = 0
    faults: list[str] = field(default_factory=list)
    """What must not happen, in words."""

    def watch(self, tracks: Tracks) -> None:
        """Take in what one update said."""
        for event in tracks.events:  # first, as two who swap take each other's numbers in one update
            if event.replaces is not None:
                self._leaves(event, event.replaces)
                self.given_up.add(event.replaces)
        for event in tracks.events:
            if event.kind == "ended":
                self._leaves(event, event.track_id)
            else:
                self._gives(event)
        self.highest = max((self.highest, *(event.track_id for event in tracks.events)))
        ids = tracks.ids.tolist()
        here = set(ids)
        if len(here) < len(ids):
            self.faults.append(f"a number was given twice at {tracks.time_s:.2f} s: {sorted(ids)}")
        if strange := here - self.live:
            self.faults.append(f"{sorted(strange)} came up at {tracks.time_s:.2f} s unannounced")

    def _leaves(self, event: TrackEvent, number: int) -> None:
        if number not in self.live:
            self.faults.append(f"{number}, which nobody had, was taken away at {event.time_s:.2f} s ({event.kind})")
        self.live.discard(number)

    def _gives(self, event: TrackEvent) -> None:
        number, when = event.track_id, f"at {event.time_s:.2f} s"
        new = number > self.highest and number not in self.known
        if event.kind == "born":
            self.born += 1
            if not new:
                self.faults.append(f"{number} was born {when} although numbers up to {self.highest} were used")
        elif event.kind == "corrected":
            if not new and number not in self.given_up:
                self.faults.append(f"{number} was given by a correction {when}, neither new nor given up before")
        else:
            self.recalled += 1
            if number not in self.known:
                self.faults.append(f"{number} was {event.kind} {when} although nobody ever had it")
            elif event.kind == "recalled" and number in self.live:  # a lost one who is recovered is live
                self.faults.append(f"{number} was recalled {when} although somebody had it")
        self.known.add(number)
        self.live.add(number)
        self.given_up.discard(number)


def resident_mb() -> float:
    """Memory of this process that is in use now; Linux alone says it, elsewhere 0."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0.0
    return int(status.read_text(encoding="ascii").split("VmRSS:")[1].split()[0]) / 1024


def yardstick_s() -> float:
    """Processor time of small array steps, as an update is made of: how fast the machine is at this moment."""
    values = np.arange(600.0).reshape(30, 20)
    began = time.process_time()
    for _ in range(20):
        np.maximum(values, values.T.reshape(30, 20)).sum(axis=1).argsort()
    return time.process_time() - began


def part(tracker: Tracker, crowd: Crowd, numbers: Numbers, first: int, updates: int) -> tuple[float, float]:
    """Some updates: their median in microseconds, and in yardsticks."""
    times, yardsticks = [], []
    for number in range(first, first + updates):
        frame = crowd.step()
        boxes, scores = frame.detections[:, :4], frame.detections[:, 4]
        seen = Detections(boxes, scores, None, frame.embeddings, frame_size=crowd.model.size)
        began = time.process_time()
        tracks = tracker.update(seen, time_s=number / RATE_HZ)
        times.append(time.process_time() - began)
        yardsticks.append(yardstick_s())
        numbers.watch(tracks)
    median_s = statistics.median(times)
    return 1e6 * median_s, median_s / statistics.median(yardsticks)


def verdicts(
    relative: list[float], sizes_mb: list[float], numbers: Numbers, slower: float, memory_mb: float
) -> list[str]:
    """What failed, in words; times of the parts are in yardsticks."""
    quarter = max(len(relative) // 4, 1)
    early, late = statistics.median(relative[:quarter]), statistics.median(relative[-quarter:])
    growth = sizes_mb[-1] - sizes_mb[min(_WARM_UP_PARTS, len(sizes_mb)) - 1]
    wrong = []
    if growth > memory_mb:
        wrong.append(f"memory grew by {growth:.1f} MB, at most {memory_mb:g} MB allowed")
    if late > slower * early:
        wrong.append(
            f"an update takes {late:.1f} yardsticks at the end, {early:.1f} at the start: more than {slower:g} times"
        )
    return wrong + numbers.faults[:5]


def main(argv: list[str] | None = None) -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--objects", type=int, default=20, help="at a time (default: %(default)s)")
    parser.add_argument("--lifetime-s", type=float, default=20.0, help="mean of an object (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory-mb", type=float, default=10.0, help="growth allowed (default: %(default)s)")
    parser.add_argument("--slower", type=float, default=1.25, help="slowing down allowed (default: %(default)s)")
    args = parser.parse_args(argv)
    if args.updates < PARTS or args.objects < 1 or args.lifetime_s <= 0:
        print(f"soak: --updates must be at least {PARTS}, --objects and --lifetime-s above 0", file=sys.stderr)
        return 2
    model = CrowdModel(args.objects, 64, occlusion_rate=0.005, lifetime_frames=args.lifetime_s * RATE_HZ)
    crowd, tracker, numbers = Crowd(model, args.seed), Tracker(), Numbers()
    relative, sizes = [], []
    each = args.updates // PARTS
    for index in range(PARTS):
        median_us, in_yardsticks = part(tracker, crowd, numbers, index * each, each)
        relative.append(in_yardsticks)
        gc.collect()
        sizes.append(resident_mb())
        print(
            f"{(index + 1) * each:9d} updates: {median_us:6.0f} us an update ({in_yardsticks:.2f} yardsticks), "
            f"{sizes[-1]:6.1f} MB, {numbers.born} numbers born, {numbers.recalled} found again",
            flush=True,
        )
    wrong = verdicts(relative, sizes, numbers, args.slower, args.memory_mb)
    print("\n".join(f"FAILED: {line}" for line in wrong) or "memory flat, time flat, no number used twice")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
