"""kill -9, again and again: of workers and of trackers over one online folder, which is looked at after each."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from online.checks import Check
from online.commands import BURSTS_MB, HARVEST_MB, Commands, ended, is_alive, kill, worker_of
from online.moments import TRACKER_SIGHTS, WORKER_SIGHTS, Moment, Sight
from online.offers import Offers
from online.soundness import ASKED, examine, strangers
from reid.online import OnlineFolder

Victim: TypeAlias = Literal["worker", "worker beside a tracker", "tracker"]
MOST_LEFT_S = 60.0
"""How long the worker of a killed tracker may go on: until the end of the step that is under way."""
_MOST_TEMP = 4
_MODEL_MB = 2.0  # of the default embedder, with room
_ATTEMPTS = 8  # a moment that does not come is drawn again


@dataclass
class Tally:
    """What was seen so far."""

    kills: Counter[Victim] = field(default_factory=Counter)
    moments: Counter[tuple[Victim, str]] = field(default_factory=Counter)
    """Kills by what the process was at."""
    faults: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in ASKED})
    """What was wrong, by the keys of `ASKED`."""
    left_s: list[float] = field(default_factory=list)
    """How long something went on after a kill."""
    codes: Counter[int | None] = field(default_factory=Counter)
    """Exit codes of trackers whose worker was killed."""
    most_mb: float = 0.0
    """The folder at its largest."""
    most_temp: int = 0
    """Most files and folders that lay in the folder of temporary files."""


class Killing:
    """Kills, and looks.

    Args:
        commands: the folder and its commands.
        seed: of all that is drawn.
        say: takes lines of progress.
    """

    def __init__(self, commands: Commands, seed: int, say: Callable[[str], None]) -> None:
        self.commands, self.tally = commands, Tally()
        self._rng, self._say = np.random.default_rng(seed), say
        self._round_s = self._track_s = 0.0
        self._offers = Offers(commands.work, seed)

    def prepare(self) -> list[str]:
        """Harvest until a round can learn, and see how long a run and a round take; what went wrong."""
        for _ in range(2):
            began = time.monotonic()
            if code := ended(self.commands.track(self.commands.open)):
                return [f"the first run of the tracker ended with {code}"]
            self._track_s = time.monotonic() - began
        began = time.monotonic()
        if code := ended(self.commands.worker(self.commands.open, once=True)):
            return [f"the first round ended with {code}"]
        self._round_s = time.monotonic() - began
        self._say(f"a run of the tracker takes {self._track_s:.1f} s, a round {self._round_s:.1f} s")
        return []

    def run(self, workers: int, trackers: int) -> None:
        """Kill so many of each, in random order; half of the workers beside a tracker."""
        beside = workers // 2
        plan: list[Victim] = ["worker"] * (workers - beside) + ["worker beside a tracker"] * beside
        plan += ["tracker"] * trackers
        for number, at in enumerate(self._rng.permutation(len(plan)).tolist(), 1):
            victim, doing = plan[at], None
            for attempt in range(_ATTEMPTS):
                doing = self._kill_one(victim, early=attempt >= _ATTEMPTS // 2)
                if doing is not None:
                    break
            wrong = self._look()
            told = "; ".join(wrong) or "sound"
            self._say(f"{number}/{len(plan)}: {victim}, {doing or 'NOT KILLED: it ended before'}: {told}")

    def _kill_one(self, victim: Victim, *, early: bool = False) -> str | None:
        """What it was at when it was killed; None where it ended before, which is unlikely where it is killed early."""
        settings = self.commands.gated if self._rng.random() < 0.3 else self.commands.open
        if victim == "worker":
            worker = self.commands.worker(settings, once=True)  # or it would wait for more to be harvested
            doing = self._kill_at(worker.pid, () if early else WORKER_SIGHTS, self._round_s, victim)
            kill(worker.pid)
            worker.wait()
            return doing
        tracker = self.commands.track(settings)
        with self._offers.within(self.commands.site, 0.8 * self._track_s):
            return self._kill_beside(tracker, victim, early)

    def _kill_beside(self, tracker: subprocess.Popen[bytes], victim: Victim, early: bool) -> str | None:
        """Kill a tracker, or the worker beside it."""
        if victim == "tracker":
            doing = self._kill_at(tracker.pid, () if early else TRACKER_SIGHTS, self._track_s, victim)
            kill(tracker.pid)
            tracker.wait()
            return doing
        while (worker_id := worker_of(tracker)) is None and tracker.poll() is None:
            time.sleep(0.02)
        doing = None
        if worker_id is not None:
            doing = self._kill_at(worker_id, () if early else WORKER_SIGHTS, self._track_s, victim)
        self.tally.codes[ended(tracker)] += 1  # it goes on to its end
        return doing

    def _kill_at(self, process: int, sights: tuple[Sight, ...], any_s: float, victim: Victim) -> str | None:
        moment = Moment.draw(sights, any_s if sights else any_s / 2, self._rng)
        if not moment.wait(self.commands.site, lambda: is_alive(process)) or not kill(process):
            return None
        self.tally.kills[victim] += 1
        self.tally.moments[victim, moment.doing] += 1
        return moment.doing

    def _look(self) -> list[str]:
        """Look at the folder once nothing is running; what is wrong."""
        left_s = self.commands.all_gone_s()
        self.tally.left_s.append(left_s)
        found = examine(self.commands.site)
        found["model"] += self._offers.problems
        self._offers.problems = []
        for name, faults in found.items():
            self.tally.faults[name] += faults
        size_mb = sum(file.stat().st_size for file in self.commands.site.rglob("*") if file.is_file()) / 1e6
        self.tally.most_mb = max(self.tally.most_mb, size_mb)
        self.tally.most_temp = max(self.tally.most_temp, sum(1 for _ in self.commands.temp.rglob("*")))
        return [fault for faults in found.values() for fault in faults]


def survive_kills(
    commands: Commands, workers: int, trackers: int, seed: int, say: Callable[[str], None]
) -> list[Check]:
    """Kill so many, and see whether all is well then and afterwards."""
    killing = Killing(commands, seed, say)
    if wrong := killing.prepare():
        return [Check("a first run and a first round", "they failed", tuple(wrong))]
    try:
        killing.run(workers, trackers)
    except KeyboardInterrupt:
        say("stopped: the table is of what was done until here")
    tally = killing.tally
    if not tally.left_s:
        return []
    return [*_of_kills(tally, workers, trackers), *_of_folder(tally), _of_rounds(commands), live_again(commands)]


def live_again(commands: Commands, asked: str = "afterwards a whole round and a whole run") -> Check:
    """A round that ends with a new model, and a run of the tracker; then all is in order."""
    faults = []
    before = len(OnlineFolder.open(commands.site).history.read())
    if (code := ended(commands.worker(commands.open, once=True))) != 0:
        faults.append(f"a round ended with {code}: {_last_reason(commands)}")
    if (code := ended(commands.track(commands.gated))) != 0:
        faults.append(f"a run of the tracker ended with {code}")
    commands.all_gone_s()
    found = examine(commands.site)
    faults += [fault for several in found.values() for fault in several]
    faults += [f"{name} lies about" for name in strangers(commands.site)]
    events = [event["event"] for event in OnlineFolder.open(commands.site).history.read()[before:]]
    return Check(asked, f"exit codes 0; {', '.join(dict.fromkeys(events))}" if not faults else "wrong", tuple(faults))


def _of_kills(tally: Tally, workers: int, trackers: int) -> list[Check]:
    checks = []
    for asked, victims, wanted in (
        ("kill -9 of the worker", ("worker", "worker beside a tracker"), workers),
        ("kill -9 of the tracker", ("tracker",), trackers),
    ):
        done = sum(tally.kills[victim] for victim in victims)
        by: Counter[str] = Counter()
        for (victim, doing), count in tally.moments.items():
            if victim in victims:
                by[doing] += count
        moments = ", ".join(f"{doing} {count}" for doing, count in by.most_common())
        faults = () if done >= wanted else (f"{wanted - done} ended before they were killed: run it again",)
        checks.append(Check(asked, f"{done} of {wanted}: {moments}", faults))
    codes, count = tally.codes, sum(tally.codes.values())
    faults = tuple(f"{times} ended with {code}" for code, times in codes.items() if code != 0)
    checks.append(Check("a tracker whose worker is killed goes on", f"{codes[0]} of {count} ended with 0", faults))
    longest = max(tally.left_s)
    faults = (f"something was still running after {longest:.0f} s",) if longest > MOST_LEFT_S else ()
    checks.append(Check(f"no process is left after {MOST_LEFT_S:g} s", f"after {longest:.1f} s at most", faults))
    return checks


def _of_folder(tally: Tally) -> list[Check]:
    looks = len(tally.left_s)
    checks = [
        Check(asked, f"after {looks} of {looks}" if not tally.faults[name] else "wrong", tuple(tally.faults[name]))
        for name, asked in ASKED.items()
    ]
    found = f"folder {tally.most_mb:.1f} MB, {tally.most_temp} temporary files at most"
    # harvest and bursts, a copy of both for a round, models, drafts, records
    most_mb = 2 * (HARVEST_MB + BURSTS_MB) + 6 * _MODEL_MB + 4
    faults = [f"the folder grew to {tally.most_mb:.1f} MB"] if tally.most_mb > most_mb else []
    if tally.most_temp > _MOST_TEMP:
        faults.append(f"{tally.most_temp} temporary files were left")
    asked = f"folder at most {most_mb:g} MB, temporary files at most {_MOST_TEMP}"
    return [*checks, Check(asked, found, tuple(faults))]


def _of_rounds(commands: Commands) -> Check:
    """What became of the rounds that were not killed."""
    events = OnlineFolder.open(commands.site).history.read()
    by = Counter(event["event"] for event in events)
    failed = [event["reason"] for event in events if event["event"] == "refused" and "it failed" in event["reason"]]
    names = ("cycle_started", "admitted", "refused", "swapped", "rolled_back", "fell_back")
    found = ", ".join(f"{by[name]} {name.replace('_', ' ')}" for name in names)
    faults = failed if by["swapped"] and by["admitted"] else [*failed, "no model was swapped while it tracked"]
    return Check("rounds between the kills learn, and models are swapped while it tracks", found, tuple(faults))


def _last_reason(commands: Commands) -> str:
    events = OnlineFolder.open(commands.site).history.read()
    return str(events[-1].get("reason", events[-1]["event"])) if events else "nothing happened"
