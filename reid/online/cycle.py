"""One round of learning in an online folder: what was harvested is learned from, and a better embedder goes live.

Trains nothing itself: that is handed over, so that whoever asks for the state of a folder needs no torch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from reid.errors import DataError, ReidError
from reid.online.config import AdaptConfig, CycleConfig
from reid.online.files import is_full, read_json, write_json
from reid.online.folder import ROUND, OnlineFolder
from reid.online.gate import Verdict
from reid.online.hours import DAY_S, HOUR_S, hour_begin
from reid.online.ledger import HourTotal, harvest_totals, hour_folders
from reid.online.registry import ModelRegistry
from reid.online.registry_state import Window
from reid.online.setting_aside import hours_left_out, set_bursts_aside, set_harvest_aside
from reid.online.sweeping import Sweeper

Stop = Callable[[], bool]
_logger = logging.getLogger(__name__)
_PEOPLE = "people.json"
_NOTHING_LEFT = "there are only crops of hours that a model learned from which made tracking worse: let more be seen"
_FORMAT = 2
"""Of the folder of a round: one of another format begins anew."""
_STALE_S = DAY_S
"""A round that is older begins anew: what was harvested since is worth more."""


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
    """The round's own file that says who is held out for the gate, see `reid.online.worker.adapt`."""
    lesson: Path
    """The folder in which the training is kept as long as it is under way."""
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


def is_due(folder: OnlineFolder, registry: ModelRegistry, config: CycleConfig) -> bool:
    """Whether enough that may be learned from was harvested since the last round, and nobody paused the learning.

    Raises:
        DataError: `state.json` is damaged.
        OSError: something cannot be read.
    """
    state = folder.state()
    if state.get("paused"):
        return False
    return new_crops(state, harvest_totals(folder), registry) >= config.needed_crops


def new_crops(state: Mapping[str, Any], totals: Sequence[HourTotal], registry: ModelRegistry) -> int:
    """How many crops that may be learned from were harvested since the last round.

    Args:
        state: of the folder (`OnlineFolder.state`).
        totals: what is harvested there.
        registry: says which hours are left out.
    """
    before: dict[str, int] = state.get("learned_hours", {})
    left_out = hours_left_out({total.hour for total in totals}, registry)
    found = _hours([total for total in totals if total.hour not in left_out])
    # hour by hour: where old crops make room for new ones, there are never more of them
    return sum(max(0, crops - before.get(hour, 0)) for hour, crops in found.items())


def run_round(
    folder: OnlineFolder, registry: ModelRegistry, learn: Learn, config: AdaptConfig, *, stop: Stop = lambda: False
) -> Round | None:
    """Learn once from all that is harvested; None where it was told to stop, or has to begin anew.

    A round that fails is told in the history and ends there; the next one begins anew. One that was stopped, that met a
    full disk, or whose process ended, goes on where it was, once all that it learns from is set aside. It has to begin
    anew where somebody was forgotten meanwhile or another embedder went live. Call it with the worker's lock.

    Raises:
        DataError: `state.json` or `people.json` is damaged, or another process does not let go of it.
        OSError: the folder cannot be written, or the disk is full.
    """
    begun = _unfinished(folder, registry, config) or _begin(folder, registry, config, stop)
    if begun is None:
        return None
    here, told = folder.training / str(begun.number), False
    live = registry.current()
    if live.sha256 != begun.live:  # another one went live since it was decided: the next round is about that
        _delete(here)
        return None

    def told_to_stop() -> bool:
        nonlocal told
        told = told or stop()  # who changes their mind meanwhile finds the round where it was
        return told or _is_void(here)

    task = Task(
        here / "harvest", live.path, registry.path(0), here / "candidate.onnx", here / "replay",
        here / _PEOPLE, here / "lesson", begun.number,
    )  # fmt: skip
    try:
        if hour_folders(folder.harvest) and not any((here / "harvest").iterdir()):
            raise DataError(_NOTHING_LEFT)
        result = learn(task, config, told_to_stop)
        if told_to_stop() and not _is_void(here):
            return None
        if not _keep_sides(folder, here):
            _delete(here)
            return None
        done = _settled(folder, registry, begun, result)
    except Exception as error:
        if _is_void(here):
            _delete(here)
            return None
        if isinstance(error, OSError) and is_full(error):
            raise
        reason = f"it failed: {error if isinstance(error, ReidError) else f'{type(error).__name__}: {error}'}"
        folder.history.append("refused", round=begun.number, reason=reason)
        done = Round(begun.number, None, reason)
    _delete(here)
    folder.change_state(lambda state: {**state, "learned_hours": dict(begun.hours)})
    return done


@dataclass(frozen=True, slots=True)
class _Begun:
    """A round that is under way: `training/<number>/round.json`, written once all that it needs is there."""

    number: int
    hours: Mapping[str, int]
    """How many crops of each camera and hour there were to learn from."""
    live: str
    """SHA-256 of the embedder that is taught."""
    window: Window | None
    """From when to when that was seen which no embedder before had learned from."""
    unix_s: float
    """When it began."""
    settings: str
    """What a training depends on: with other settings it cannot go on."""


def _begin(folder: OnlineFolder, registry: ModelRegistry, config: AdaptConfig, stop: Stop) -> _Begun | None:
    """Set aside what a new round learns from.

    None where it was told to stop, or somebody is forgotten meanwhile: then it begins once more.
    """
    state = folder.change_state(lambda state: {**state, "rounds": int(state.get("rounds", 0)) + 1})
    number, totals, live = int(state["rounds"]), harvest_totals(folder), registry.current()
    hours = _hours(totals)
    now_s = time.time()
    begun = _Begun(number, hours, live.sha256, _window(totals, registry, now_s), now_s, _said(config))
    here = folder.training / str(number)
    shutil.rmtree(folder.training, ignore_errors=True)  # what cannot go on
    here.mkdir(parents=True)
    draft = here / f"{ROUND}-draft"
    try:
        with folder.guard():
            write_json(draft, dataclasses.asdict(begun))
            sides = folder.sides()
            if sides is not None:
                write_json(here / _PEOPLE, sides)
        folder.history.append("cycle_started", round=number, crops=sum(hours.values()), live=live.number)
        set_harvest_aside(folder, registry, here / "harvest", stop=lambda: stop() or not draft.exists())
        if stop():
            _delete(here)
            return None
        set_bursts_aside(folder, here / "replay")
        draft.replace(here / ROUND)
    except FileNotFoundError:
        if draft.exists():
            raise
        _delete(here)
        return None
    return begun


def _is_void(here: Path) -> bool:
    """Whether a round cannot go on: whoever forgets somebody deletes its `ROUND` first."""
    return not (here / ROUND).exists()


def _delete(here: Path) -> None:
    """Delete a round: first what says that it can go on, or a half that a kill leaves would be gone on with."""
    with contextlib.suppress(OSError):
        (here / ROUND).unlink(missing_ok=True)
    shutil.rmtree(here, ignore_errors=True)


def _hours(totals: Sequence[HourTotal]) -> dict[str, int]:
    """How many crops there are of each camera and hour."""
    return {f"{total.camera}/{total.hour}": total.size.crops for total in totals}


def _said(config: AdaptConfig) -> str:
    return repr((_FORMAT, config.purity, config.slices, config.lesson))


def _unfinished(folder: OnlineFolder, registry: ModelRegistry, config: AdaptConfig) -> _Begun | None:
    """The round that was under way, if it can go on: nobody forgot anything, embedder and settings are the same."""
    number = folder.state().get("rounds", 0)
    try:
        saved = read_json(folder.training / str(number) / ROUND)
        if saved is None or not 0 <= time.time() - saved["unix_s"] < _STALE_S:
            return None
        begun = _Begun(**saved | {"window": saved["window"] and tuple(saved["window"])})
    except (DataError, KeyError, TypeError):
        return None
    if begun.live != registry.current().sha256 or begun.settings != _said(config):
        return None
    return begun


def _keep_sides(folder: OnlineFolder, here: Path) -> bool:
    """Who was held out stays so in later rounds; False where somebody was forgotten meanwhile: the round is void."""
    with folder.guard():
        if _is_void(here):
            return False
        sides = read_json(here / _PEOPLE)
        if sides is not None:
            write_json(folder.people, sides)
    return True


def _settled(folder: OnlineFolder, registry: ModelRegistry, begun: _Begun, result: Learned) -> Round:
    """What came of a round, told to the registry or the history."""
    figures = _plain(result)
    if result.model is None:
        folder.history.append("refused", round=begun.number, reason=result.reason, **figures)
        return Round(begun.number, None, result.reason)
    model = registry.admit(
        result.model,
        {"round": begun.number, **figures},
        window=begun.window,
        reason=result.reason,
        instead_of=begun.live,
    )
    return Round(begun.number, model, result.reason)


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
    waits: Callable[[], None] = lambda: None,
    ready: Callable[[], object] = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Learn whenever there is enough to learn from, until told to stop; with `once`, one round at once.

    A disk that is full for a while, or a file that is damaged, costs the round that meets it: it is tried again, unless
    it was to be `once`. What is left of a round that cannot go on is deleted, whether or not learning is paused.
    Between two rounds it deletes what is too old where no tracker does, see `Sweeper`.
    `told` hears of each round that ended; `waits` is called again and again while none is under way, and `ready` before
    each: what that raises costs no round.

    Raises:
        DataError: another worker is at work here.
        OSError: the folder cannot be written.
    """

    def stop_or_pause() -> bool:
        return stop() or bool(folder.state().get("paused"))

    def note() -> None:
        with contextlib.suppress(OSError, ReidError):  # told where it matters
            if _unfinished(folder, registry, config) is None:
                waits()

    with folder.lock_worker():
        note()
        if once:
            ready()
            while (done := run_round(folder, registry, learn, config, stop=stop)) is None and not stop():
                pass  # it has to begin anew
            note()
            _tell(done, told)
            return
        sweep, problems = Sweeper(folder), dict[str, str]()
        while not stop():
            with _tried("learning waits", problems):
                if _goes_on(folder, registry, config) or is_due(folder, registry, cycle):
                    ready()
                    _tell(run_round(folder, registry, learn, config, stop=stop_or_pause), told)
            with _tried("what is too old stays", problems):
                sweep()
            note()
            _rest(cycle.wait_s, stop, sleep)


@contextlib.contextmanager
def _tried(outcome: str, told: dict[str, str]) -> Iterator[None]:
    """Around what is tried again and again: a failure is told, once as long as it is the same."""
    try:
        yield
    except (OSError, ReidError) as error:
        if told.get(outcome) != str(error):
            told[outcome] = str(error)
            _logger.warning("%s: %s", outcome, error)


def _tell(done: Round | None, told: Callable[[Round], None]) -> None:
    if done is not None:
        told(done)


def _rest(wait_s: float, stop: Stop, sleep: Callable[[float], None]) -> None:
    waited = 0.0
    while waited < wait_s and not stop():
        step_s = min(0.5, wait_s - waited)
        sleep(step_s)
        waited += step_s


def _goes_on(folder: OnlineFolder, registry: ModelRegistry, config: AdaptConfig) -> bool:
    """Whether a round is to go on; of one that cannot, nothing stays: pictures in it have gone from the harvest."""
    if _unfinished(folder, registry, config) is None:
        shutil.rmtree(folder.training, ignore_errors=True)
        return False
    return not folder.state().get("paused")


def _window(totals: Sequence[HourTotal], registry: ModelRegistry, now_unix_s: float) -> Window | None:
    """From when to when that was harvested, to the hour, which the embedder that is live has not learned from.

    Hours in the future were dated by a clock that was wrong: a window up to them would take in years to come.
    """
    found = [hour_begin(total.hour) for total in totals]
    begins = [begin for begin in found if begin is not None and begin <= now_unix_s]
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
