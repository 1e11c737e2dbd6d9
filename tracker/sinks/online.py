"""What a run of the pipeline shows to whoever learns from it on site."""

from __future__ import annotations

from typing import Protocol

from tracker.sinks.guard import GuardLike, GuardSink
from tracker.sinks.harvest import HarvestSink, ObserverLike
from tracker.types import Sink


class TrainerLike(ObserverLike, Protocol):
    """What the sinks need of `reid.online.OnlineTrainer`."""

    @property
    def guard(self) -> GuardLike:
        """Rolls back from an embedder that makes tracking worse."""


def online_sinks(trainer: TrainerLike) -> list[Sink]:
    """Sinks for `Pipeline.run`: what a trainer harvests and records, and who watches over a model that went live."""
    return [HarvestSink(trainer), GuardSink(trainer.guard)]
