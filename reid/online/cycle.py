"""One round of learning in an online folder: what was harvested is learned from, and a better embedder goes live.

Trains nothing itself: that is handed over, so that whoever asks for the state of a folder needs no torch.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from reid.errors import ReidError
from reid.online.burst_store import burst_files
from reid.online.config import AdaptConfig, CycleConfig
from reid.online.folder import OnlineFolder
from reid.online.gate import Verdict
from reid.online.hours import HOUR_S, hour_begin
from reid.online.ledger import HourTotal, harvest_totals, hour_folders
from reid.online.registry import ModelRegistry
from reid.online.registry_state import Window

Stop = Callable[[], bool]


class Learned(Protocol):
    """What a round of learning came to: `reid.online.worker.AdaptResult`."""

    @property
    def admitted(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def verdict(self) -> Verdict | None: ...
    @property
    def model(self) -> Path | None: ...
    @property
    def counts(self) -> Mapping[str, int]: ...


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be learned from what."""

    harvest: Path
    """Tracklet stores, a folder of them."""
    live: Path
    """The embedder to begin as."""
    base: Path
    """The embedder that the folder was begun with."""
    out: Path
    """The file to write."""
    replay: Path
    """Bursts of what detectors gave a while ago, a folder of them, to try the embedder on."""
    people: Path
    """The file that says who is held out for the gate, see `reid.online.worker.adapt`."""
    seed: int
    """Of all that is drawn."""


Learn = Callable[[Task, AdaptConfig, Stop], Learned]
"""What comes of a task."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to."""

    number: int
    """From 1."""
    admitted: int | None
    """The model that is live now; None where none was admitted."""
    reason: str
    """Why, in a sentence."""


def harvested_crops(folder: OnlineFolder) -> int:
    """How many crops are there to learn from.

    Raises:
        OSError: something cannot be read.
    """
    return sum(total.size.crops for total in harvest_totals(folder))


def is_due(folder: OnlineFolder, config: CycleConfig) -> bool:
    """Whether enough was harvested since the last round, and nobody paused the learning.

    Raises:
        DataError: `state.json` is damaged.
        OSError: something cannot be read.
    """
    state = folder.state()
    if state.get("paused"):
        return False
    crops, before = harvested_crops(folder), int(state.get("learned_crops", 0))
    # what was thinned out or has expired since made room for what is new
    return crops > 0 and abs(crops - before) >= config.least_new_crops


def run_round(
    folder: OnlineFolder, registry: ModelRegistry, learn: Learn, config: AdaptConfig, *, stop: Stop = lambda: False
) -> Round | None:
    """Learn once from all that is harvested; None where it was told to stop.

    A round that fails is told in the history and ends there; the next one begins anew. Call it with the worker's lock.

    Raises:
        OSError: the folder cannot be written.
    """
    state = folder.change_state(lambda state: {**state, "rounds": int(state.get("rounds", 0)) + 1})
    number, totals = int(state["rounds"]), harvest_totals(folder)
    crops = sum(total.size.crops for total in totals)
    live, here = registry.current(), folder.training / str(number)
    window = _window(totals, registry)
    shutil.rmtree(folder.training, ignore_errors=True)  # what an earlier round left that was killed
    here.mkdir(parents=True)
    folder.history.append("cycle_started", round=number, crops=crops, live=live.number)
    try:
        task = Task(
            _slice_of(folder, registry, here / "harvest"), live.path, registry.path(0), here / "candidate.onnx",
            _bursts_of(folder, here / "replay"), folder.people, number,
        )  # fmt: skip
        result = learn(task, config, stop)
        if stop():
            return None
        figures = _plain(result)
        if result.model is None:
            folder.history.append("refused", round=number, reason=result.reason, **figures)
            done = Round(number, None, result.reason)
        else:
            model = registry.admit(result.model, {"round": number, **figures}, window=window, reason=result.reason)
            done = Round(number, model, result.reason)
    except Exception as error:  # noqa: BLE001 - whatever it was, it ends this round and not the worker
        reason = f"it failed: {error if isinstance(error, ReidError) else f'{type(error).__name__}: {error}'}"
        folder.history.append("refused", round=number, reason=reason)
        done = Round(number, None, reason)
    finally:
        shutil.rmtree(here, ignore_errors=True)
    folder.change_state(lambda state: {**state, "learned_crops": crops})
    return done


def work(
    folder: OnlineFolder,
    registry: ModelRegistry,
    learn: Learn,
    config: AdaptConfig,
    cycle: CycleConfig,
    *,
    once: bool = False,
    stop: Stop = lambda: False,
    told: Callable[[Round], None] = lambda _round: None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Learn whenever there is enough to learn from, until told to stop; with `once`, one round at once.

    Raises:
        DataError: another worker is at work here.
        OSError: the folder cannot be written.
    """
    with folder.lock_worker():
        shutil.rmtree(folder.training, ignore_errors=True)  # what a worker left that was killed
        while not stop():
            if once or is_due(folder, cycle):
                done = run_round(folder, registry, learn, config, stop=stop)
                if done is not None:
                    told(done)
                if once:
                    return
            waited = 0.0
            while waited < cycle.wait_s and not stop():
                step_s = min(0.5, cycle.wait_s - waited)
                sleep(step_s)
                waited += step_s


def _slice_of(folder: OnlineFolder, registry: ModelRegistry, into: Path) -> Path:
    """The harvest as it is now, without copying pictures where the disk can do without.

    Hours that a model was the first to learn from which made tracking worse are left out. What a tracker thins out or
    an operator forgets meanwhile is gone from this slice with the end of the round.
    """
    bad = [window for each in registry.quarantined if (window := each.window) is not None]
    into.mkdir()
    for camera, hour in hour_folders(folder.harvest):
        begin = hour_begin(hour)
        if begin is not None and any(begin < last and begin + HOUR_S > first for first, last in bad):
            continue
        with contextlib.suppress(shutil.Error):  # what went meanwhile is not learned from
            shutil.copytree(folder.harvest / camera / hour, into / camera / hour, copy_function=_linked)
    return into


def _bursts_of(folder: OnlineFolder, into: Path) -> Path:
    """The bursts as they are now: both embedders are tried on the same ones."""
    for number, path in enumerate(burst_files(folder.replay), 1):
        into.mkdir(exist_ok=True)
        _linked(str(path), str(into / f"{number:06d}.npz"))
    return into


def _linked(source: str, target: str) -> None:
    """A second name for a picture or a burst; of what is written to, and where there are no such names, a copy."""
    with contextlib.suppress(FileNotFoundError):  # it went meanwhile
        if Path(source).suffix in (".jpg", ".npz"):
            with contextlib.suppress(OSError):
                os.link(source, target)
                return
        shutil.copyfile(source, target)


def _window(totals: Sequence[HourTotal], registry: ModelRegistry) -> Window | None:
    """From when to when that was harvested, to the hour, which the embedder that is live has not learned from."""
    begins = [begin for total in totals if (begin := hour_begin(total.hour)) is not None]
    if not begins:
        return None
    live = next(model for model in registry.models if model.number == registry.current().number)
    known = -math.inf if live.window is None else live.window[1] - HOUR_S  # its last hour had not ended
    return max(min(begins), min(known, max(begins))), max(begins) + HOUR_S


def _plain(result: Learned) -> dict[str, Any]:
    """Counts and figures as JSON can say them."""
    figures: dict[str, Any] = {"counts": dict(result.counts)}
    if result.verdict is not None:
        figures["figures"] = {
            name: {"live": f.live, "candidate": f.candidate, "low": f.low, "high": f.high}
            for name, f in result.verdict.figures.items()
        }
    return figures
