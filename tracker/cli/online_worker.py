"""`reidtrack online worker`: learns beside the tracking, or on a machine of its own."""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reid.online.config import AdaptConfig, LearnConfig, OnlineConfig
from tracker.cli.checks import require_training
from tracker.cli.context import Context
from tracker.cli.errors import UsageError
from tracker.cli.flags import parse_arguments
from tracker.cli.online_settings import open_folder
from tracker.cli.replaying import replays_of
from tracker.cli.schema import argument, flag_only
from tracker.cli.stopping import stop_when_asked
from tracker.cli.train_progress import TrainDisplay
from tracker.errors import TrackerError

if TYPE_CHECKING:
    from reid.learning.trainer import TrainProgress
    from reid.online import OnlineFolder
    from reid.online.cycle import Learned, Round, Stop, Task

_SUMMARY = """\
Learn from what was harvested in an online folder, whenever there is enough, and let a better embedder go live. The
tracker takes it over between two frames. One worker a folder; Ctrl-C ends it after the step that is under way. Needs
the extra [train]."""
_EXAMPLES = """\
  reidtrack online worker site
  reidtrack online worker site --once                       # one round now, whatever there is
  reidtrack online worker site --nice 15 --lesson.threads 2"""
_LOOK_S = 0.5
_BESIDE = 0.5  # `most_busy` of a worker that a tracker started


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings(LearnConfig):
    """Settings of `reidtrack online worker`."""

    folder: Path = field(metadata=argument("DIR"))
    """The online folder."""
    once: bool = field(default=False, metadata=flag_only())
    """One round, now; then end. Exit code 1 where no embedder was admitted."""
    with_parent: bool = field(default=False, metadata=flag_only())
    """End when the process that started it is gone, however that ended: its end of the standard input is closed then.
    Another worker in the folder is waited for."""


def run(argv: Sequence[str], context: Context) -> int:
    """Learn until it is stopped, or once."""
    settings = parse_arguments(
        WorkerSettings, argv, command="online worker", summary=_SUMMARY, examples=_EXAMPLES, config=OnlineConfig
    )
    folder = open_folder(settings.folder)
    orphaned = _when_input_ends() if settings.with_parent else threading.Event()
    require_training("learning on site")
    from reid.errors import DataError
    from reid.online.cycle import work
    from reid.online.learning import WorkerNote
    from reid.online.pace import Pace
    from reid.online.registry import ModelRegistry

    if hasattr(os, "nice"):
        os.nice(max(0, settings.nice - os.nice(0)))
    rounds: list[Round] = []

    def tell(done: Round) -> None:
        rounds.append(done)
        said = "refused" if done.admitted is None else f"model {done.admitted} is live"
        context.result(f"round {done.number}: {said}: {done.reason}")

    note = WorkerNote(folder, settings.cycle)

    def learn(task: Task, config: AdaptConfig, stop: Stop) -> Learned:
        from reid.online.worker import adapt

        note.prepares()
        with TrainDisplay(context) as display:

            def progress(row: TrainProgress) -> None:
                note.trained(row.step, row.steps)
                display(row)

            return adapt(
                [task.harvest], task.live, task.out, config,
                base=task.base, people=task.people, replay=partial(replays_of, task.replay, stop=stop),
                kept_in=task.lesson, seed=task.seed, progress=progress, stop=stop,
            )  # fmt: skip

    with stop_when_asked(context) as request:

        def told_to_stop() -> bool:
            return request.made() or orphaned.is_set()

        stop = Pace(told_to_stop, settings.most_busy or (_BESIDE if settings.with_parent else 1.0))
        try:
            if not settings.with_parent or _is_our_turn(folder, stop, context):
                work(
                    folder, ModelRegistry(folder, config=settings.models), learn, settings, settings.cycle,
                    once=settings.once, stop=stop, told=tell, waits=note.waits, ready=_load_torch,
                )  # fmt: skip
        except DataError as error:  # another worker is at work, or a file is damaged
            raise UsageError(str(error)) from error
    if request.made():
        context.say("reidtrack: stopped; a round that was under way goes on next time")
        return 130
    return int(settings.once and not any(done.admitted is not None for done in rounds))


def _load_torch() -> None:
    """Late: it takes seconds and memory, and a worker mostly waits."""
    try:
        importlib.import_module("reid.online.worker")
    except (ImportError, OSError) as error:  # a library of the system is missing, or an installation is half done
        raise TrackerError(f"learning on site needs torch, which cannot be loaded: {error}") from error


def _when_input_ends() -> threading.Event:
    """Set once nobody is left who could write to the standard input.

    Who asks for the number of the parent may come late: loading takes seconds, and one that is gone by then cannot be
    told from one that stays.
    """
    ended = threading.Event()

    def watch() -> None:
        with contextlib.suppress(OSError):  # it was closed before
            while os.read(0, 1):
                pass
        ended.set()

    threading.Thread(target=watch, name="reidtrack-parent", daemon=True).start()
    return ended


def _is_our_turn(folder: OnlineFolder, stop: Callable[[], bool], context: Context) -> bool:
    """Wait until no other worker is at work, such as one whose tracker was killed and that is at its last step.

    False where it was told to stop before.
    """
    from reid.locking import is_locked
    from reid.online.locks import holder_of

    lock, said = folder.worker_lock, False
    while is_locked(lock):
        if stop():
            return False
        if not said:
            context.say(f"reidtrack: waiting for another worker to end ({holder_of(lock)})")
            said = True
        time.sleep(_LOOK_S)
    return True
