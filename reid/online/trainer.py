"""Learning on site in one piece: harvest, bursts, worker, the embedder that is live, and who watches over it."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.embedder import DEFAULT_MODEL, Embedder
from reid.errors import DataError, InputError
from reid.online.beside import WorkerBeside, worker_command
from reid.online.burst_recorder import BurstRecorder
from reid.online.burst_store import BurstStore
from reid.online.config import OnlineConfig
from reid.online.folder import OnlineFolder
from reid.online.guard import SwapGuard
from reid.online.harvest import Harvester
from reid.online.harvest_store import HarvestStore, new_session
from reid.online.harvest_writer import HarvestCounts
from reid.online.header import BaseModel
from reid.online.learning import Learning, learning_of
from reid.online.live import LiveEmbedder
from reid.online.news import in_words, verdict_in_words
from reid.online.registry import ModelRegistry
from reid.online.sightings import checked_ids
from reid.online.telling import Teller
from reid.online.tracks import TrackedBoxes, TracksLike, TracksReader

_LOOK_S = 1.0
_MOST_EVENTS = 1000
_logger = logging.getLogger(__name__)

Event = Mapping[str, Any]
"""What happened: `event` says what, `unix_s` when; the rest is JSON, see `History` and `reid.online.news.in_words`."""


class DetectionsLike(Protocol):
    """All that a detector gave of a frame; `tracker.Detections` is one."""

    @property
    def boxes(self) -> ArrayLike:
        """(N, 4) `x1, y1, x2, y2` in pixels."""

    @property
    def scores(self) -> ArrayLike:
        """(N,) 0..1."""

    @property
    def classes(self) -> ArrayLike:
        """(N,) of the objects."""


@dataclass(frozen=True, slots=True)
class OnlineStatus:
    """How a trainer stands."""

    model: int
    """Number of the model that is live here."""
    harvested: HarvestCounts
    """What became of crops since it began."""
    bursts: int
    """Bursts of detections that were recorded since then."""
    learning: Learning
    """How far the learning is."""
    verdict: str
    """Of the last round that ended in the folder, in short; empty before the first."""
    problems: tuple[str, ...]
    """What waits, and why: the harvest, the bursts, the deletion of what is old, a model that should be live, what is
    known of the learning; empty while all is well."""

    def __str__(self) -> str:
        said = [f"harvested {self.harvested.written}", str(self.learning), f"model {self.model}"]
        return ", ".join([*said, *filter(None, [self.verdict])])


class OnlineTrainer:
    """Has an embedder learn on site from what any tracker follows. Use as a context manager, or `close` it.

    `observe` copies what it needs and returns: files are written and models loaded by threads, and models are taught by
    a process of its own. The embedder that is live is `embedder`; a better one waits there until `embedder.swap` is
    called between two frames, which `tracker.Pipeline` does by itself.

    Args:
        embedder: to begin with, `default` or an ONNX file; always the same one for a folder. A folder that was begun
            with the default embedder of an earlier release goes on with that, of which it has a copy.
        folder: the online folder, made where it is missing; one trainer at a time.
        config: see `OnlineConfig`; the worker gets it, too.
        camera: name of the source.
        rate_hz: frames a second of the source; None where unknown.
        device: where models run, see `reid.Embedder`.
        worker: words of the command that starts a worker which learns beside, such as `tracker.cli.online.WORKER`; the
            folder and options of `reidtrack online worker` are added to them. It needs the extra [train]. False where
            one runs elsewhere, or none.
        least_score: of detections of which crops are recorded, those that the tracker embeds.
        tracker: settings of the tracker, as JSON can say them; candidates are tried with them on recorded bursts.
        on_event: is told, by a thread of its own, of everything that goes into `events`.
        wall: seconds since 1970, by which the harvest is dated and grows old.
        steady: a clock in seconds that never steps, and runs as `wall` does. Both are for simulations: a worker, and
            whoever is asked to forget, go by the time that it is.

    Raises:
        InputError: `worker` is no sequence of words.
        DataError: the folder is something else's, was begun with another embedder, or is in use.
        ModelError: no model of the folder can be used.
        DeviceError: the device cannot be used.
        OSError: the folder cannot be written, or the worker cannot be started.
    """

    def __init__(
        self,
        embedder: str | Path,
        folder: str | Path,
        config: OnlineConfig | None = None,
        *,
        camera: str = "camera",
        rate_hz: float | None = None,
        device: str = "auto",
        worker: Sequence[str] | Literal[False] = False,
        least_score: float = 0.5,
        tracker: Mapping[str, Any] | None = None,
        on_event: Callable[[Event], None] | None = None,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        if worker is not False and (isinstance(worker, str) or not isinstance(worker, Sequence)):
            raise InputError(f"worker must be the words of a command, or False, got {worker!r}")
        self.config = c = config or OnlineConfig()
        self._events: deque[Event] = deque(maxlen=_MOST_EVENTS)
        self._looking, self._ending = threading.Lock(), threading.Event()
        self._steady, self._began_s = steady, steady()
        default = str(embedder) == "default"
        base = DEFAULT_MODEL if default else Path(embedder)
        info = Embedder(base, device=device).info
        given = BaseModel(info.name, info.model_hash, default)
        begun = _earlier_default(Path(folder), given) if default else given
        with contextlib.ExitStack() as opened:
            self._teller = Teller(on_event or _log)
            opened.callback(self._teller.close)  # last of all: nothing waits for whoever is told
            self.folder = OnlineFolder.make(folder, begun)
            """Where all of it lies."""
            self._session = new_session(wall())
            opened.enter_context(self.folder.lock_tracker(session=self._session, camera=camera))
            verdicts = [said for event in self.folder.history.read() if (said := verdict_in_words(event))]
            self._verdict = verdicts[-1] if verdicts else ""
            self._added = self.folder.history.follow()
            self._registry = registry = ModelRegistry(
                self.folder, base=base if begun is given else None, config=c.models
            )
            self.embedder = opened.enter_context(LiveEmbedder(registry, device=device, config=c.live))
            """The embedder that is live, with `info` and a call as `reid.Embedder` has them."""
            self.guard = SwapGuard(self.embedder, c.watch, record=self.folder.watch, camera=camera)
            """Rolls back from an embedder that makes tracking worse: `update` it with what each frame shows of that."""
            store = HarvestStore(
                self.folder, c.store, camera=camera, rate_hz=rate_hz, session=self._session, clock=wall
            )
            self._harvester = opened.enter_context(Harvester(store, c.harvest, wall=wall, steady=steady))
            self._reader = TracksReader()
            bursts = BurstStore.beside(store, c.bursts, clock=wall, steady=steady)
            self._recorder = opened.enter_context(BurstRecorder(bursts, least_score=least_score, tracker=tracker))
            self._unknown: str | None = None
            self._learning = Learning(
                at_work=False, paused=False, rounds=0, stage="waiting", trained=0.0, new_crops=0,
                needed_crops=c.cycle.needed_crops,
            )  # fmt: skip
            self._look_at_learning()
            opened.callback(self._end_looking)
            self._thread = threading.Thread(target=self._run, name="reidtrack-online", daemon=True)
            self._thread.start()
            if worker:
                self._start_worker(worker, opened)
            self._opened = opened.pop_all()

    # ---- what is shown -------------------------------------------------------------------------------------------

    def observe(
        self,
        image: NDArray[np.uint8],
        tracks: TrackedBoxes | TracksLike,
        *,
        time_s: float | None = None,
        detections: DetectionsLike | None = None,
        frame: int | None = None,
    ) -> int:
        """Take in one frame, and who is followed in it; returns how many crops were taken. For one thread at a time.

        Call it with every frame that the detector saw, also where nobody is followed: a track that is cut late is cut
        in the wrong place.

        Args:
            image: (H, W, 3) uint8 BGR; may be changed after the call.
            tracks: `TrackedBoxes` of any tracker, or `tracker.Tracks`. Boxes that a tracker predicts where nothing was
                detected must be left out or told as not `seen`: crops are taken of all others.
            time_s: seconds since the source began; None: since this trainer did.
            detections: all that the detector gave, on which candidates are tried before they go live; None: nothing is
                recorded for that.
            frame: number of the frame, from 0 or 1; None to count calls from 1.

        Raises:
            InputError: arrays do not fit each other, or something is not what it must be.
        """
        now_s = self._steady() - self._began_s if time_s is None else time_s
        told = self._reader.read(tracks, now_s)
        scores = np.ones(np.shape(told.ids)) if told.scores is None else told.scores
        taken = self._harvester.observe(
            image,
            ids=told.ids,
            boxes=told.boxes,
            scores=scores,
            time_s=now_s,
            seen=told.seen,
            covered=told.covered,
            classes=told.classes,
            frame=frame,
            renamed=told.renamed,
            broken=told.broken,
            doubted=told.doubted,
        )
        if detections is not None:
            d = detections
            self._recorder.observe(image, boxes=d.boxes, scores=d.scores, time_s=now_s, classes=d.classes, ids=told.ids)
        return taken

    # ---- what is told --------------------------------------------------------------------------------------------

    def status(self) -> OnlineStatus:
        """How it stands, a moment ago; reads no file."""
        harvester, recorder = self._harvester, self._recorder
        problems = (
            harvester.failure, harvester.undeleted, recorder.failure, recorder.undeleted, self.embedder.problem,
            self._unknown,
        )  # fmt: skip
        return OnlineStatus(
            model=self.embedder.number,
            harvested=self._harvester.counts,
            bursts=self._recorder.bursts,
            learning=self._learning,
            verdict=self._verdict,
            problems=tuple(problem for problem in problems if problem),
        )

    def events(self) -> tuple[Event, ...]:
        """What happened since it began, the latest thousand: rounds and their verdicts, exchanges, rollbacks."""
        self._look()
        return tuple(self._events)

    # ---- the end -------------------------------------------------------------------------------------------------

    def end_harvest(self) -> None:
        """Write what waits, and harvest no more; all else goes on. Harmless more than once."""
        self._harvester.close()
        self._recorder.close()

    def close(self) -> None:
        """End all of it, and the worker; harmless more than once."""
        self._opened.close()

    def __enter__(self) -> OnlineTrainer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- how it is done ------------------------------------------------------------------------------------------

    def _start_worker(self, program: Sequence[str], opened: contextlib.ExitStack) -> None:
        if importlib.util.find_spec("torch") is None:
            self._happened(
                "torch is not installed: tracklets are harvested, and a worker with the extra [train] may learn from "
                f"them: reidtrack online worker {self.folder.path}"
            )
            return
        command = worker_command(program, self.folder.path, self.config)
        opened.enter_context(WorkerBeside(self.folder.path, command, self._happened))

    def _happened(self, reason: str) -> None:
        """Something about the worker."""
        self._note({"event": "worker", "unix_s": round(time.time(), 3), "reason": reason})

    def _note(self, event: Event) -> None:
        self._events.append(event)
        self._teller.put(event)

    def _run(self) -> None:
        while not self._ending.wait(_LOOK_S):
            self._look()

    def _look(self) -> None:
        """Look at what others wrote into the folder."""
        with self._looking:
            self._look_at_history()
            self._look_at_learning()

    def _look_at_history(self) -> None:
        """Take in what others wrote, and obey; of itself, since it must not depend on anything else that is there."""
        try:
            added = self._added()
        except Exception as error:  # noqa: BLE001 - next time: without this thread nobody would be forgotten
            _logger.debug("%s cannot be looked at: %s", self.folder.history.path, error)
            return
        for event in added:
            try:
                self._take_in(event)
            except Exception:  # a line of another version, or by hand: the next ones count all the same
                _logger.exception("an event of %s could not be taken in: %s", self.folder.history.path, event)

    def _take_in(self, event: Event) -> None:
        if event["event"] == "forgotten" and self._session in event["sessions"]:
            self.embedder.forget(checked_ids(event["numbers"]))
        self._verdict = verdict_in_words(event) or self._verdict
        self._note(event)

    def _look_at_learning(self) -> None:
        """How far it is: for display alone."""
        try:
            totals, cycle = self._harvester.totals, self.config.cycle
            self._learning = learning_of(self.folder, self._registry, totals, config=cycle)
            self._unknown = None
        except Exception as error:  # noqa: BLE001 - nothing else waits for what is only shown
            self._unknown = f"how far the learning is cannot be told: {error}"

    def _end_looking(self) -> None:
        self._ending.set()
        self._thread.join()


def _earlier_default(path: Path, today: BaseModel) -> BaseModel:
    """What a folder was begun with where that was the default embedder, of another release: an update ends no learning.

    Else today's; `OnlineFolder.make` says what is wrong with the folder, if anything is.
    """
    try:
        begun = OnlineFolder.open(path).base
    except (DataError, OSError):
        return today
    if not begun.default or begun.sha256 == today.sha256:
        return today
    _logger.info("%s goes on with the default embedder of the release that it was begun with", path)
    return begun


def _log(event: Event) -> None:
    _logger.log(logging.WARNING if event["event"] == "worker" else logging.INFO, in_words(event))
