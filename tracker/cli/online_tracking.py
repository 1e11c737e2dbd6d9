"""`reidtrack track --online DIR`: harvests while it tracks, has a worker learn beside it, and uses what came of it."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from tracker.cli.config_file import load_config
from tracker.cli.context import Context
from tracker.cli.errors import UsageError
from tracker.cli.online_beside import WorkerBeside
from tracker.cli.schema import build
from tracker.cli.settings import TrackSettings

if TYPE_CHECKING:
    from reid.online import BurstRecorder, Harvester
    from reid.online.config import OnlineConfig
    from reid.online.live import LiveEmbedder
    from tracker.types import Sink, Source


class OnlineTracking:
    """An online folder in use by one run of the tracker. Use as a context manager around the run.

    Args:
        settings: of the run; `online` names the folder.
        context: how much to say.

    Raises:
        UsageError: the folder is another one's, or in use.
        ReidError: no model of the folder can be used.
    """

    def __init__(self, settings: TrackSettings, context: Context) -> None:
        assert settings.online is not None, "asked for"
        from reid.embedder import DEFAULT_MODEL, Embedder
        from reid.errors import DataError
        from reid.online import BaseModel, OnlineFolder
        from reid.online.live import LiveEmbedder
        from reid.online.registry import ModelRegistry

        self._config, self._settings = _config_of(settings.online_config), settings
        self._config_file = settings.online_config
        base = DEFAULT_MODEL if settings.embedder == "default" else Path(settings.embedder)
        info = Embedder(base, device=settings.device).info
        self._context, self._path = context, settings.online
        self._cleanup = contextlib.ExitStack()
        try:
            self._folder = OnlineFolder.make(settings.online, BaseModel(info.name, info.model_hash))
            self._cleanup.enter_context(self._folder.lock_tracker())
        except DataError as error:
            raise UsageError(f"--online: {error}") from error
        registry = ModelRegistry(self._folder, base=base, config=self._config.models)
        live = LiveEmbedder(registry, device=settings.device, config=self._config.live)
        self.embedder: LiveEmbedder = self._cleanup.enter_context(live)
        """The embedder that is live in the folder, exchanged between two frames when a better one is admitted."""
        self._began_with = self.embedder.number
        self._harvester: Harvester | None = None
        self._recorder: BurstRecorder | None = None

    def sinks(self, source: Source) -> list[Sink]:
        """What harvests from this source, and what watches over an embedder that went live."""
        from reid.online import BurstRecorder, BurstStore, Harvester, HarvestStore
        from reid.online.guard import SwapGuard
        from tracker.sinks.burst import BurstSink
        from tracker.sinks.guard import GuardSink
        from tracker.sinks.harvest import HarvestSink

        c, info = self._config, source.info
        store = HarvestStore(self._folder, c.store, camera=info.name, rate_hz=info.rate_hz)
        self._harvester = Harvester(store, c.harvest)
        tracker = self._settings.tracker
        self._recorder = BurstRecorder(
            BurstStore.beside(store, c.bursts), least_score=tracker.high_score, tracker=asdict(tracker)
        )
        guard = SwapGuard(self.embedder, c.watch, record=self._folder.watch, camera=info.name)
        return [HarvestSink(self._harvester), BurstSink(self._recorder), GuardSink(guard)]

    def __enter__(self) -> OnlineTracking:
        if importlib.util.find_spec("torch") is None:
            self._context.say(
                "reidtrack: torch is not installed: tracklets are harvested, and a worker with the extra [train] may "
                f"learn from them: reidtrack online worker {self._path}"
            )
            return self
        command = [sys.executable, "-m", "tracker.cli.main", "online", "worker", str(self._path), "--with-parent"]
        if self._config_file is not None:
            command += ["--config", str(self._config_file.resolve())]
        self._cleanup.enter_context(WorkerBeside(self._path, command, self._context.say))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def report(self) -> None:
        """What came of it, in a few lines."""
        say = self._context.result
        if self._harvester is not None:
            counts = self._harvester.counts
            lost = counts.crowded_out + counts.paused
            say(f"harvested {counts.written} crops{f', {lost} lost to a slow or full disk' if lost else ''}")
            if self._harvester.failure:
                say(f"harvesting waits: {self._harvester.failure}")
        if self._recorder is not None and self._recorder.failure:
            say(f"detections were not recorded: {self._recorder.failure}")
        number = self.embedder.number
        changed = f", model {self._began_with} at the start" if number != self._began_with else ""
        say(f"embedder: model {number} of {self._path}{changed}")
        if self.embedder.problem:
            say(f"not used: {self.embedder.problem}")


def _config_of(file: Path | None) -> OnlineConfig:
    """The settings that a file gives; all defaults without one.

    Raises:
        UsageError: the file is wrong.
    """
    from reid.online.config import OnlineConfig

    return build(OnlineConfig, {} if file is None else load_config(file, OnlineConfig))
