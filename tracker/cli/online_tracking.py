"""`reidtrack track --online DIR`: harvests while it tracks, has a worker learn beside it, and uses what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker.cli.config_file import load_config
from tracker.cli.context import Context
from tracker.cli.errors import UsageError
from tracker.cli.online import WORKER
from tracker.cli.schema import build
from tracker.cli.settings import TrackSettings
from tracker.types import SourceInfo

if TYPE_CHECKING:
    from reid.online import OnlineTrainer
    from reid.online.config import OnlineConfig

_SUMMED_UP = ("refused", "admitted", "swapped", "doubted", "trusted", "rolled_back", "fell_back")
"""Events that stand in the summary."""
_TOLD = (*_SUMMED_UP, "forgotten", "paused", "resumed", "worker")
"""Events that are worth a line of their own while it tracks."""


def open_trainer(settings: TrackSettings, source: SourceInfo, context: Context) -> OnlineTrainer:
    """Begin to learn from a source in the folder that `settings.online` names.

    Raises:
        UsageError: the folder is another one's, or in use, or the file of settings is wrong.
        ReidError: no model of the folder can be used.
    """
    assert settings.online is not None, "asked for"
    from reid.errors import DataError
    from reid.online import OnlineTrainer
    from reid.online.news import in_words

    def tell(event: Mapping[str, Any]) -> None:
        # of its own harvest the log has told already
        if event["event"] in _TOLD and event.get("by") != "harvest":
            context.say(f"reidtrack: {in_words(event)}")

    config = _config_of(settings.online_config)
    try:
        return OnlineTrainer(
            settings.embedder,
            settings.online,
            config,
            camera=source.name,
            rate_hz=source.rate_hz,
            device=settings.device,
            worker=WORKER if settings.online_worker else False,
            least_score=settings.tracker.high_score,
            tracker=asdict(settings.tracker),
            on_event=tell,
        )
    except DataError as error:
        raise UsageError(f"--online: {error}") from error


def report(trainer: OnlineTrainer, began_with: int, context: Context) -> None:
    """What came of it, in a few lines.

    Args:
        trainer: whose harvest has ended.
        began_with: number of the model that was live at the start.
        context: how much to say.
    """
    from reid.online.news import in_words

    events, status, say = trainer.events(), trainer.status(), context.result
    counts = status.harvested
    lost = counts.crowded_out + counts.paused
    say(f"harvested {counts.written} crops{f', {lost} lost to a slow or full disk' if lost else ''}")
    for event in events:
        if event["event"] in _SUMMED_UP:
            say(in_words(event))
    say(f"learning: {status.learning}")
    changed = f", model {began_with} at the start" if status.model != began_with else ""
    say(f"embedder: model {status.model} of {trainer.folder.path}{changed}")
    for problem in status.problems:
        say(f"waits: {problem}")


def _config_of(file: Path | None) -> OnlineConfig:
    """The settings that a file gives; all defaults without one.

    Raises:
        UsageError: the file is wrong.
    """
    from reid.online.config import OnlineConfig

    return build(OnlineConfig, {} if file is None else load_config(file, OnlineConfig))
