"""The folder that an online training lives in: what lies where, and who may use it at a time."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reid.errors import DataError
from reid.locking import is_locked
from reid.online.files import read_json, write_json
from reid.online.header import HEADER, BaseModel, kept_base, noted_base, write_header
from reid.online.history import History
from reid.online.locks import FileLock, holder_of, signature_of

_PATIENCE_S: Final = 10.0
"""A guard is held for as long as a line takes to be written; who holds it for longer was stopped or hangs."""
_ASKING_S: Final = 0.2
"""Who only asks whether something is locked holds it for a moment."""
_PEOPLE_ADVICE: Final = (
    "put a copy back. Delete it only where there is none: nobody knows then who was trained on, and the gate may judge "
    "by them, and so too well"
)
_logger = logging.getLogger(__name__)

ROUND = "round.json"
"""In the folder of a round of learning, once it has all that it needs: without it the round is void."""


@dataclass(frozen=True, slots=True)
class TrackerStart:
    """A start of a tracker in an online folder: the last one."""

    session: str
    """What tells it from others, see `HarvestStore`; empty where it did not say."""
    camera: str
    """Name of the source; empty where it did not say."""
    at_work: bool
    """Whether it still runs."""


class OnlineFolder:
    """An online folder, see `make` and `open`.

    In it lie:

    | name | what |
    |---|---|
    | `online.json` | what it is, and the embedder that it was begun with |
    | `lock.tracker`, `lock.worker` | locked while a tracker, a worker is at work; who that is, or was last |
    | `lock.harvest` | locked while somebody else changes what was harvested |
    | `clock.json` | the hour that the clock said in the end of the last run, and for how many days that kept things |
    | `starts.json` | which start of a tracker was the last of each camera |
    | `harvest/` | tracklet stores, `<camera>/<YYYYMMDD-HH>/`, hours in UTC |
    | `replay/` | bursts of what detectors gave, `<camera>/<number>.npz` |
    | `models/`, `current.json` | embedders, and which of them is live |
    | `training/` | work folders of training cycles |
    | `watch.json` | how tracking went with the models that were live |
    | `people.json` | who is held out from training, by number of a track |
    | `history.jsonl` | what happened |
    | `worker.yaml`, `worker.json` | settings of a worker beside a tracker, and how far it is |
    | `worker.log`, `worker.log.1` | what it said, and what before |
    | `state.json` | whether learning is paused, the number of the last round, and what it learned from |
    """

    def __init__(self, path: Path, base: BaseModel) -> None:
        self.path = path
        self.base = base
        """The embedder that it was begun with."""
        self.harvest = path / "harvest"
        """Tracklet stores."""
        self.tracker_lock = path / "lock.tracker"
        """Locked while a tracker is at work, see `lock_tracker`."""
        self.worker_lock = path / "lock.worker"
        """Locked while a worker is at work, see `lock_worker`."""
        self.harvest_lock = path / "lock.harvest"
        """Locked while what was harvested is being changed by somebody else than the tracker, who lets go."""
        self.clock = path / "clock.json"
        """The hour that the clock said in the end of the last run, and for how many days that kept things."""
        self.starts = path / "starts.json"
        """Which start of a tracker was the last of each camera."""
        self.replay = path / "replay"
        """Bursts of what detectors gave, to try embedders on."""
        self.models = path / "models"
        """Embedders."""
        self.current = path / "current.json"
        """Which embedder is live."""
        self.training = path / "training"
        """Work folders of training cycles."""
        self.watch = path / "watch.json"
        """How tracking went with the models that were live."""
        self.people = path / "people.json"
        """Who is held out from training, by number of a track."""
        self.worker_note = path / "worker.json"
        """How far the worker is."""
        self.history = History(path / "history.jsonl", self.guard)
        """What happened."""

    @classmethod
    def make(cls, path: str | Path, base: BaseModel) -> OnlineFolder:
        """Open a folder, or begin one: with parents, where it is missing or empty.

        A header that is damaged or missing is written anew where the folder's copy of the embedder says that it was
        begun with this one.

        Raises:
            DataError: it holds something else, was begun with another embedder, or is of a later version.
            OSError: it cannot be made.
        """
        path = Path(path)
        noted, damage = noted_base(path)
        kept = kept_base(path) if noted is None else None
        if kept is not None and kept.sha256 == base.sha256:
            with cls(path, base).guard():
                write_header(path, base)
            _logger.warning("%s; it is written anew, since models/ has a copy of the embedder", damage)
        elif kept is None and not (path / HEADER).exists():
            _check_empty(path)
            path.mkdir(parents=True, exist_ok=True)
            write_header(path, base)
        folder = cls.open(path)
        folder.harvest.mkdir(exist_ok=True)
        if folder.base.sha256 != base.sha256:
            raise DataError(
                f"{path} must be used with the embedder that it was begun with, {folder.base.name} "
                f"({folder.base.sha256[:12]}), got {base.name} ({base.sha256[:12]}): choose another folder for this one"
            )
        return folder

    @classmethod
    def open(cls, path: str | Path) -> OnlineFolder:
        """Open a folder that is there; where its header is damaged, by the embedder of which it has a copy.

        Raises:
            DataError: it is no online folder, its header is damaged and that copy gone, or it is of a later version.
        """
        path = Path(path)
        base, damage = noted_base(path)
        if base is None:
            base = kept_base(path)
            if base is None and not (path / HEADER).exists():
                raise DataError(f"{path} is no online folder: it has no {HEADER}; track with --online to begin one")
            if base is None:
                raise DataError(
                    f"{damage}: until then nothing here can be used, nor forgotten but by deleting the whole folder, "
                    "since there is no sound copy in models/ of the embedder that it was begun with either"
                )
            _logger.warning("%s; what it was begun with is known by its copy, models/%s", damage, base.name)
        return cls(path, base)

    def lock_tracker(self, *, session: str = "", camera: str = "") -> FileLock:
        """Keep other trackers out until the lock is released or the process ends.

        Args:
            session: of this start of the tracker, see `HarvestStore`; `forget` cannot tell one that does not say.
            camera: name of the source.

        Raises:
            DataError: another one is at work here; the message names it.
        """
        return self._lock(self.tracker_lock, "tracker", session=session, camera=camera)

    def last_tracker(self) -> TrackerStart | None:
        """The start of a tracker that is at work, else the last that was; None where none is and none said so.

        One that begins just now has the lock and has not signed it yet: it is at work and does not say which it is.

        Raises:
            DataError: the file system has no locks.
            OSError: the lock cannot be read.
        """
        said = signature_of(self.tracker_lock)  # before: afterwards another one may begin, and take it out
        if at_work := is_locked(self.tracker_lock):
            said = signature_of(self.tracker_lock)
        start = TrackerStart(str(said.get("session") or ""), str(said.get("camera") or ""), at_work)
        return start if at_work or start.session else None

    def lock_worker(self) -> FileLock:
        """Keep other workers out until the lock is released or the process ends.

        Raises:
            DataError: another one is at work here; the message names it.
        """
        return self._lock(self.worker_lock, "worker")

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """Keep every other process from changing small files here, for as short as a line takes to be written.

        Raises:
            DataError: another process does not let go.
        """
        lock = FileLock.attempt(self.path / HEADER, wait_s=_PATIENCE_S)
        if lock is None:
            raise DataError(
                f"{self.path / HEADER} has been locked by another process for {_PATIENCE_S:g} s: "
                "look for a reidtrack that was stopped (Ctrl-Z) or hangs, and end it"
            )
        with lock:
            yield

    def state(self) -> dict[str, Any]:
        """Whether learning is paused, the number of the last round, and what it learned from; empty at first.

        Raises:
            DataError: `state.json` is damaged.
        """
        state = read_json(self._state) or {}
        rounds, hours = state.get("rounds", 0), state.get("learned_hours", {})
        whole = isinstance(hours, dict) and all(isinstance(number, int) for number in (rounds, *hours.values()))
        if not whole:
            raise DataError(
                f"{self._state} is damaged: rounds must be a whole number and learned_hours one for each hour, got "
                f"{rounds!r} and {hours!r}; delete it"
            )
        return state

    def sides(self) -> dict[str, Any] | None:
        """Who is held out from training, by number of a track, and who is not; None where nobody is known.

        Raises:
            DataError: `people.json` is damaged.
        """
        return read_json(self.people, advice=_PEOPLE_ADVICE)

    def change_state(self, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> dict[str, Any]:
        """Replace the state by what `change` makes of it, with no other process in between; returns the new one.

        Raises:
            DataError: `state.json` is damaged, or another process does not let go.
            OSError: it cannot be written.
        """
        with self.guard():
            state = dict(change(self.state()))
            write_json(self._state, state)
        return state

    @property
    def _state(self) -> Path:
        return self.path / "state.json"

    def _lock(self, path: Path, kind: str, **more: str) -> FileLock:
        lock = FileLock.attempt(path, wait_s=_ASKING_S)
        if lock is None:
            raise DataError(
                f"{self.path} is in use by another {kind} ({holder_of(path)}): stop that one, or choose another folder"
            )
        lock.unsign()  # at once, see `last_tracker`
        lock.sign(**more)
        return lock


def _check_empty(path: Path) -> None:
    """Refuse to begin in a folder that holds anything but what another beginner makes, or left when it was killed."""
    try:
        found = sorted(entry.name for entry in path.iterdir() if entry.name not in (HEADER, f".{HEADER}-draft"))
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise DataError(f"{path} must be a folder, it is a file") from None
    if found:
        raise DataError(
            f"{path} must be an online folder, or empty; it has no {HEADER} but holds {', '.join(found[:3])}"
            f"{', ...' if len(found) > 3 else ''}: choose another folder"
        )
