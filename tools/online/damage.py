"""What else may befall an online folder: damaged files, a full disk, clocks that are set, two of a kind at once."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np

from online.checks import Check
from online.clocks import set_the_clock
from online.commands import PATIENCE_S, Commands, ended
from online.full_disk import fill_the_disk
from online.kills import Killing, live_again
from online.soundness import quietly
from reid.data.stores import find_stores
from reid.locking import is_locked
from reid.online import OnlineFolder
from reid.online.burst_store import burst_files
from reid.online.config import AdaptConfig
from reid.online.cycle import Stop, Task, run_round
from reid.online.gate import Verdict
from reid.online.registry import ModelRegistry
from reid.online.worker import AdaptResult
from reid.tracklets import tidy_tracklets

Harm: TypeAlias = Callable[[Commands, np.random.Generator], list[str]]
"""Does it, and says what went wrong at once."""


def survive_damage(commands: Commands, seed: int, say: Callable[[str], None]) -> list[Check]:
    """One harm after the other, each followed by a whole round and a whole run over the same folder."""
    if wrong := Killing(commands, seed, say).prepare():
        return [Check("a first run and a first round", "they failed", tuple(wrong))]
    rng, checks = np.random.default_rng(seed), []
    for asked, harm in HARMS.items():
        say(asked)
        wrong = harm(commands, rng)
        again = live_again(commands, asked)
        checks.append(Check(asked, "wrong" if wrong else again.found, (*wrong, *again.faults)))
        say("; ".join(checks[-1].faults) or "sound")
    return checks


def flip(path: Path, rng: np.random.Generator, *, first: int = 0, count: int = 16) -> None:
    """Change so many bytes from one on; the length stays."""
    data = bytearray(path.read_bytes())
    for at in range(first, min(first + count, len(data))):
        data[at] ^= int(rng.integers(1, 256))
    path.write_bytes(data)


def corrupt_records(commands: Commands, rng: np.random.Generator, *, at: float) -> list[str]:
    """Bytes of the records of the largest store, at a share of their length; a worker meets them first."""
    store = max(commands.site.glob("harvest/*/*/store.jsonl"), key=lambda path: path.stat().st_size)
    flip(store, rng, first=int(at * store.stat().st_size))
    return _learns(commands)


def corrupt_pictures(commands: Commands, rng: np.random.Generator) -> list[str]:
    """The beginning of two pictures, and the middle of two; they are gone afterwards, as nobody could repair them."""
    pictures = sorted(commands.site.glob("harvest/*/*/*/**/*.jpg"))
    hit = [pictures[row] for row in rng.choice(len(pictures), 4, replace=False).tolist()]
    for number, path in enumerate(hit):
        flip(path, rng, first=0 if number < 2 else path.stat().st_size // 2)
    wrong = _learns(commands)
    for path in hit:
        path.unlink(missing_ok=True)
    for store in find_stores(commands.site / "harvest"):  # of a former hour, which no run comes back to
        tidy_tracklets(store)
    return wrong


def corrupt_candidate(commands: Commands, rng: np.random.Generator) -> list[str]:
    """Rounds whose candidate is half a file, and no model at all: refused, and nothing changes."""
    folder = OnlineFolder.open(commands.site)
    registry = ModelRegistry(folder)
    before, whole = registry.current(), registry.path(0).read_bytes()
    wrong = []
    for bad in (whole[: len(whole) // 2], rng.bytes(len(whole)), b""):

        def learn(task: Task, _config: AdaptConfig, _stop: Stop, bad: bytes = bad) -> AdaptResult:
            task.out.write_bytes(bad)
            return AdaptResult(True, "it looks better", Verdict(admitted=True, reason="better"), task.out)

        done = run_round(folder, registry, learn, AdaptConfig())
        if done is None or done.admitted is not None or registry.current() != before:
            wrong.append(f"a candidate of {len(bad)} damaged bytes: {done}, live is {registry.current()}")
    return wrong


def corrupt_live_model(commands: Commands, rng: np.random.Generator) -> list[str]:
    """Bytes of the model that is live: the one before it is live again."""
    registry = ModelRegistry(OnlineFolder.open(commands.site))
    live = registry.current()
    flip(live.path, rng, first=live.path.stat().st_size // 2)
    if code := ended(commands.track(commands.gated)):
        return [f"a run of the tracker ended with {code}"]
    commands.all_gone_s()
    now = registry.current()
    told = [event["event"] for event in registry.folder.history.read()]
    return [] if now.number != live.number and "fell_back" in told else [f"model {now.number} is live, {told[-3:]}"]


def corrupt_current(commands: Commands, rng: np.random.Generator) -> list[str]:
    """`current.json` of damaged bytes, half, empty and gone: what was live is live."""
    folder, wrong = OnlineFolder.open(commands.site), []
    for how in ("damaged", "half", "empty", "gone"):
        before = ModelRegistry(folder).current()
        data = folder.current.read_bytes()
        if how == "damaged":
            flip(folder.current, rng, first=len(data) // 3)
        elif how == "gone":
            folder.current.unlink()
        else:
            folder.current.write_bytes(data[: len(data) // 2 if how == "half" else 0])
        code, said = quietly("online", "status", str(commands.site))
        after = ModelRegistry(folder).current()
        if code or (after.number, after.sha256) != (before.number, before.sha256):
            wrong.append(
                f"{how}: status ended with {code}, {after.number} is live in the place of {before.number}: {said}"
            )
    return wrong


def corrupt_bursts(commands: Commands, rng: np.random.Generator) -> list[str]:
    """The beginning of a burst, and the middle of all others: a round judges without them; they are gone afterwards."""
    hit = burst_files(commands.site / "replay")
    for number, path in enumerate(hit):
        flip(path, rng, first=path.stat().st_size // 2 if number else 0)
    wrong = [] if len(hit) > 1 else [f"{len(hit)} bursts were there"]
    if (code := ended(commands.worker(commands.gated, once=True))) not in (0, 1):  # admitted, refused
        wrong.append(f"a round ended with {code}")
    reason = str(OnlineFolder.open(commands.site).history.read()[-1].get("reason"))
    wrong += [reason] if "it failed" in reason else []
    for path in hit:
        path.unlink(missing_ok=True)
    return wrong


def corrupt_notes(commands: Commands, _rng: np.random.Generator) -> list[str]:
    """Half of each small file: tracking goes on, and a worker says which one it is or does without."""
    wrong = []
    for name, is_needed in (("state.json", True), ("people.json", True), ("watch.json", False)):
        path = commands.site / name
        data = path.read_bytes()
        half = data[: len(data) // 2]
        path.write_bytes(half)
        if code := ended(commands.track(commands.gated)):
            wrong.append(f"{name}: a run of the tracker ended with {code}")
        commands.all_gone_s()
        since = commands.log_path.stat().st_size
        code = ended(commands.worker(commands.open, once=True))
        said = commands.said(since)
        told = f"{name} is damaged" in said or path.read_bytes() != half  # a round under way writes what it began with
        if not (told if is_needed else code == 0):
            wrong.append(f"{name}: a round ended with {code}: {said}")
        if is_needed:
            path.write_bytes(data)
    return wrong


def two_of_each(commands: Commands, _rng: np.random.Generator) -> list[str]:
    """A second tracker and a second worker are refused with 2, and the first ones go on."""
    wrong = []
    with _at_work(commands.track(commands.gated), commands.site / "lock.tracker") as first:
        if (code := ended(commands.track(commands.gated, out="second"))) != 2:
            wrong.append(f"a second tracker ended with {code}")
        if code := ended(first):
            wrong.append(f"the first tracker ended with {code}")
    commands.all_gone_s()
    with _at_work(commands.worker(commands.gated), commands.site / "lock.worker") as first:
        if (code := ended(commands.worker(commands.gated, once=True))) != 2:
            wrong.append(f"a second worker ended with {code}")
        if code := ended(commands.track(commands.gated)):
            wrong.append(f"a tracker beside another worker ended with {code}")
        first.terminate()
        if (code := ended(first)) != 130:
            wrong.append(f"the first worker ended with {code} when it was stopped")
    return wrong


HARMS: dict[str, Harm] = {
    # between two runs that are alike, at a half, all that is said of the second goes: too little to learn from is left
    "bytes of the records of a harvest": lambda c, rng: corrupt_records(c, rng, at=0.6),
    "bytes of their header": lambda c, rng: corrupt_records(c, rng, at=0.0),
    "bytes of harvested pictures": corrupt_pictures,
    "a candidate that is no model": corrupt_candidate,
    "bytes of the live model": corrupt_live_model,
    "current.json damaged, half, empty, gone": corrupt_current,
    "bytes of every burst": corrupt_bursts,
    "half of state.json, people.json, watch.json": corrupt_notes,
    "a full disk": lambda c, _rng: fill_the_disk(c),
    "clocks that are set": lambda c, _rng: set_the_clock(c),
    "two trackers and two workers on one folder": two_of_each,
}
"""By what they are called in the report."""


def _learns(commands: Commands) -> list[str]:
    """What is wrong with a round and `status` right now."""
    wrong = []
    code, said = quietly("online", "status", str(commands.site))
    if code:
        wrong.append(f"status ended with {code}: {said}")
    if code := ended(commands.worker(commands.open, once=True)):
        last = OnlineFolder.open(commands.site).history.read()[-1]
        wrong.append(f"a round ended with {code}: {last.get('reason', last['event'])}")
    return wrong


@contextlib.contextmanager
def _at_work(process: subprocess.Popen[bytes], lock: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command that holds its lock by now."""
    until = time.monotonic() + PATIENCE_S
    while not is_locked(lock) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
