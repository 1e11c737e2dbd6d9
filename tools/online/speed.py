"""How fast `reidtrack track` is alone, beside a worker that is paused, and beside one that trains all the time."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from online.checks import Check
from online.commands import Commands, worker_of
from reid.online import OnlineFolder

Mode: TypeAlias = Literal["alone", "paused", "training"]
LEAST_SHARE = 0.8
"""Of the frames a second without `--online`, that must be left with a worker that trains."""
_FILLING = 2  # runs that harvest before anything is measured
_SAID = re.compile(r"(\d+) frames in ([\d.]+) s")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
# all that decides how much the worker may take is left as it is: nice level, threads, lesson
_ALWAYS = {"cycle": {"least_new_crops": 0, "wait_s": 0.1}, "slices": {"least_trained": 4, "least_held_out": 4}}


@dataclass(frozen=True)
class Run:
    """One run of the tracker."""

    mode: Mode
    rate_hz: float
    """Frames a second, without the time that it takes to load."""
    wall_s: float
    """Of the whole command."""
    worker_s: float
    """Processor time of the worker beside it."""
    rounds: int = 0
    """How many it began, but for those that found too little to learn from."""


def measure_speed(commands: Commands, repeats: int, say: Callable[[str], None]) -> list[Check]:
    """Run each mode so many times, in turns."""
    # the niceness of the worker is counted from 0: a tracker that stands back itself would not be ahead of it
    if os.nice(0) > 0:
        return [Check("run at nice level 0", f"nice level {os.nice(0)}", ("the worker would not stand back",))]
    settings = commands.settings("always.yaml", defaults=True, **_ALWAYS)
    full = commands.work / "full"
    harvesting = commands.settings("harvesting.yaml", defaults=True, cycle={"least_new_crops": 10**9})
    for _ in range(_FILLING):
        _run(commands, "paused", full, harvesting)
    runs: list[Run] = []
    modes: tuple[Mode, ...] = get_args(Mode)
    for number in range(repeats):
        for mode in (*modes[number % 3 :], *modes[: number % 3]):
            shutil.rmtree(commands.site, ignore_errors=True)
            shutil.copytree(full, commands.site)
            OnlineFolder.open(commands.site).change_state(
                lambda state, mode=mode: {**state, "paused": mode == "paused"}
            )
            run = _run(commands, mode, commands.site, settings)
            runs.append(run)
            say(f"{mode}: {run.rate_hz:.1f} frames a second, worker {run.worker_s:.1f} of {run.wall_s:.1f} s")
    return report(runs)


def report(runs: Sequence[Run]) -> list[Check]:
    """Medians, and what they are of the one alone."""
    rates = {mode: [run.rate_hz for run in runs if run.mode == mode] for mode in get_args(Mode)}
    alone = statistics.median(rates["alone"])
    checks = [Check("`track` alone", _rate(rates["alone"]))]
    share = statistics.median(rates["paused"]) / alone
    checks.append(Check("`track --online`, learning paused", f"{_rate(rates['paused'])}: {share:.0%}"))
    share = statistics.median(rates["training"]) / alone
    faults = [] if share >= LEAST_SHARE else [f"{share:.1%}"]
    busy = statistics.median([run.worker_s / run.wall_s for run in runs if run.mode == "training"])
    if not all(run.rounds for run in runs if run.mode == "training"):
        faults.append("the worker began no round, or found too little to learn from: a longer clip gives more")
    found = f"{_rate(rates['training'])}: {share:.0%}; the worker takes {busy:.2f} s of a processor each second"
    asked = f"`track --online`, training all the time: {LEAST_SHARE:.0%} or more"
    return [*checks, Check(asked, found, tuple(faults))]


def _run(commands: Commands, mode: Mode, site: Path, settings: Path) -> Run:
    before, began, worker_s = commands.log_path.stat().st_size, time.monotonic(), 0.0
    online = () if mode == "alone" else ("--online", "DIR", "--online-config", settings)
    tracker = commands.start(
        "track",
        commands.clip.video,
        "--save",
        "jsonl",
        "--out",
        commands.work / "out",
        "--overwrite",
        *online,
        site=site,
    )
    while tracker.poll() is None:
        if (worker := worker_of(tracker)) is not None:
            worker_s = max(worker_s, _processor_s(worker))
        time.sleep(0.2)
    wall_s = time.monotonic() - began
    said = _SAID.findall(commands.log_path.read_bytes()[before:].decode("utf-8", "replace"))
    if tracker.returncode or not said:
        raise SystemExit(f"a run ended with {tracker.returncode}: see {commands.log_path}")
    frames, seconds = said[-1]
    return Run(mode, int(frames) / float(seconds), wall_s, worker_s, 0 if mode == "alone" else _rounds(site))


def _rounds(site: Path) -> int:
    events = OnlineFolder.open(site).history.read()
    begun = sum(event["event"] == "cycle_started" for event in events)
    return begun - sum(event["event"] == "refused" and "are needed" in event["reason"] for event in events)


def _processor_s(process: int) -> float:
    """What it took so far, of all its threads."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:  # it ended
        return 0.0
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def _rate(rates: Sequence[float]) -> str:
    return f"{statistics.median(rates):.1f} frames a second ({min(rates):.1f} to {max(rates):.1f}, {len(rates)} runs)"
