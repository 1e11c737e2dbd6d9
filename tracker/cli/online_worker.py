"""`reidtrack online worker`: learns beside the tracking, or on a machine of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
from tracker.cli.replaying import numbers_of
from tracker.cli.schema import argument, flag_only
from tracker.cli.stopping import stop_when_asked
from tracker.cli.train_progress import TrainDisplay

if TYPE_CHECKING:
    from reid.online.cycle import Learned, Round, Stop, Task

_SUMMARY = """\
Learn from what was harvested in an online folder, whenever there is enough, and let a better embedder go live. The
tracker takes it over between two frames. One worker a folder; Ctrl-C ends it after the step that is under way. Needs
the extra [train]."""
_EXAMPLES = """\
  reidtrack online worker site
  reidtrack online worker site --once                       # one round now, whatever there is
  reidtrack online worker site --nice 15 --lesson.threads 2"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings(LearnConfig):
    """Settings of `reidtrack online worker`."""

    folder: Path = field(metadata=argument("DIR"))
    """The online folder."""
    once: bool = field(default=False, metadata=flag_only())
    """One round, now; then end. Exit code 1 where no embedder was admitted."""
    with_parent: bool = field(default=False, metadata=flag_only())
    """End when the process that started it is gone, however that ended."""


def run(argv: Sequence[str], context: Context) -> int:
    """Learn until it is stopped, or once."""
    settings = parse_arguments(
        WorkerSettings, argv, command="online worker", summary=_SUMMARY, examples=_EXAMPLES, config=OnlineConfig
    )
    folder = open_folder(settings.folder)
    require_training("learning on site")
    from reid.errors import DataError
    from reid.online.cycle import work
    from reid.online.registry import ModelRegistry
    from reid.online.worker import adapt

    if hasattr(os, "nice"):
        os.nice(max(0, settings.nice - os.nice(0)))
    rounds: list[Round] = []

    def tell(done: Round) -> None:
        rounds.append(done)
        said = "refused" if done.admitted is None else f"model {done.admitted} is live"
        context.result(f"round {done.number}: {said}: {done.reason}")

    def learn(task: Task, config: AdaptConfig, stop: Stop) -> Learned:
        with TrainDisplay(context) as display:
            return adapt(
                [task.harvest], task.live, task.out, config,
                base=task.base, people=task.people, replay=partial(numbers_of, task.replay, stop=stop),
                seed=task.seed, progress=display, stop=stop,
            )  # fmt: skip

    parent = os.getppid()
    with stop_when_asked(context) as request:

        def stop() -> bool:
            return request.made() or (settings.with_parent and os.getppid() != parent)

        try:
            work(
                folder, ModelRegistry(folder, config=settings.models), learn, settings, settings.cycle,
                once=settings.once, stop=stop, told=tell,
            )  # fmt: skip
        except DataError as error:  # another worker is at work
            raise UsageError(str(error)) from error
    if request.made():
        context.say("reidtrack: stopped; a round that was under way begins anew next time")
        return 130
    return int(settings.once and not any(done.admitted is not None for done in rounds))
