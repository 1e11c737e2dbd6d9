"""Forgets somebody: every crop, record and vector that was harvested of a track leaves the disk."""

from __future__ import annotations

import contextlib
import errno
import math
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reid.errors import DataError, InputError
from reid.locking import is_locked
from reid.online.burst_store import burst_files, forget_bursts, note_forgetting, sessions_with
from reid.online.files import read_json, write_json
from reid.online.folder import ROUND, OnlineFolder
from reid.online.hours import camera_folder
from reid.online.ledger import hour_folders
from reid.online.locks import FileLock
from reid.tracklets import StoreSize, is_tracklet_store, remove_tracklets, tidy_tracklets
from reid.tracklets.tidying import Record

_PATIENCE_S = 30.0
"""A tracker lets go of its store several times a second, but may be writing to a slow disk."""
_TRIES = 100
ALL = "all"
"""In place of a session: every one."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What left the disk."""

    size: StoreSize
    """How much it was."""
    bursts: int
    """How many bursts of detections in which it appeared, with everybody else in them."""
    sessions: tuple[str, ...]
    """Starts of a tracker from which it was harvested, the latest first."""
    elsewhere: tuple[str, ...]
    """Further sessions in which the same number stands for somebody, likely another one: they are as they were."""
    told: bool
    """Whether a tracker is at work, and was told of it: it forgets, too, where its session is meant."""


@dataclass(slots=True)
class _Trace:
    """What is there of an identity, of one session."""

    seen_unix_s: float = -math.inf
    """When it was seen last."""
    numbers: set[int] = field(default_factory=set)
    """Under which numbers the same tracklets were reported."""


def forget(
    folder: OnlineFolder,
    identity: int,
    *,
    camera: str | None = None,
    session: str | None = None,
    clock: Callable[[], float] = time.time,
) -> Forgotten:
    """Take an identity out of a harvest: tracklets that show it, all that was said of them, and their vectors.

    And every burst of detections in which it appears, with everybody else in it.

    A tracker numbers identities anew with each start, so that a number alone does not say whom. A tracker that is
    running is told to forget as well, see `is_meant`; what it sees from now on, it harvests again. To be ended at any
    moment, and to be called again then. A store that cannot be read keeps nobody in the others.

    Args:
        folder: where; a tracker may be at work, and lets go of its store for a moment.
        identity: the number under which the tracker reported it.
        camera: name of the source; None where there is but one.
        session: which start of the tracker; None for the latest that has the number, `"all"` for every one.
        clock: seconds since 1970.

    Raises:
        InputError: there are several cameras, and none was named; or no such camera.
        DataError: a process does not let go of the harvest, or a store cannot be read. Then nothing is deleted where no
            session was named, and all else where one was; the message says which.
        OSError: a store cannot be written.
    """
    left = dict[Path, DataError]()  # stores that could not be looked through
    lock = FileLock.attempt(folder.harvest_lock, wait_s=_PATIENCE_S)
    if lock is None:
        raise DataError(f"{folder.harvest} is being changed by another process: wait for it")
    with lock:
        cameras = _cameras(folder, camera)
        stores = _stores(folder, cameras)
        replays = [folder.replay / name for name in cameras]
        note_forgetting(folder.replay, clock())  # before looking, see `reid.online.burst_store`
        traces = _traces(stores, replays, identity, left)
        if session is None and left:  # the same number of an earlier session is somebody else
            raise DataError(
                f"nothing is deleted: which start of the tracker saw {identity} last cannot be told, since "
                f"{_reasons(left)}. Name the session, or {ALL} for all of them"
            )
        known = sorted(traces, key=lambda name: -traces[name].seen_unix_s)
        chosen = known if session == ALL else [name for name in known if name == session]
        if session is None:
            chosen = known[:1]
        numbers = {number for name in chosen for number in traces[name].numbers}
        with contextlib.suppress(DataError, OSError), folder.guard():  # told below, once the pictures are gone
            _forget_sides(folder, numbers, chosen)  # as long as it is known which numbers these are
        # bursts before stores: these say under which numbers else it went, to whoever has to do it once more
        bursts = sum(forget_bursts(replay, numbers, chosen) for replay in replays)
        size = StoreSize()
        for store in stores if chosen else ():
            gone = _forget_in(store, identity, chosen, left)
            size = StoreSize(
                size.crops + gone.crops, size.tracklets + gone.tracklets, size.disk_bytes + gone.disk_bytes
            )
    try:
        with folder.guard():
            for path in folder.training.glob(f"*/{ROUND}*"):
                path.unlink(missing_ok=True)
            _forget_sides(folder, numbers, chosen)  # the round may have written them meanwhile, and cannot any more
    finally:
        _delete_rounds(folder)
    told = is_locked(folder.path / "lock.tracker")
    if chosen or told:
        try:
            folder.history.append(
                "forgotten", camera=camera, identity=identity, session=session, sessions=chosen,
                numbers=sorted(numbers | {identity}), crops=size.crops, bursts=bursts,
            )  # fmt: skip
        except OSError as error:  # a full disk keeps nobody from forgetting
            if told:
                raise DataError(
                    f"{size.crops} crops and {bursts} bursts of {identity} are deleted, but the tracker that runs "
                    f"could not be told: {error}. Forget {identity} again once that is over, or stop the tracker"
                ) from error
    if left:
        raise DataError(
            f"{size.crops} crops and {bursts} bursts of {identity} are deleted, of session "
            f"{', '.join(chosen) or 'none'}, but not all could be looked through: {_reasons(left)}. Delete such an "
            f"hour's folder, or wait until it expires; where another process writes it, end that, and forget "
            f"{identity} of the same session again"
        )
    return Forgotten(size, bursts, tuple(chosen), tuple(name for name in known if name not in chosen), told)


def is_meant(event: Mapping[str, Any], *, session: str, camera: str) -> bool:
    """Whether a start of a tracker is to forget, by what the history says of a forgetting.

    It is where its session was named or found to be the latest one that has the number; and where there was no trace of
    the number on the disk and no other session was named, since it may be known to the tracker alone.

    Args:
        event: `forgotten`, with `numbers`.
        session: of the tracker.
        camera: of the tracker.
    """
    if event.get("camera") not in (None, camera, camera_folder(camera)):
        return False
    named, found = event.get("session"), event.get("sessions") or ()
    return session in found or named in (ALL, session) or (named is None and not found)


def _reasons(left: Mapping[Path, DataError]) -> str:
    return "; ".join(str(error) for error in left.values())


def _stores(folder: OnlineFolder, cameras: Sequence[str]) -> list[Path]:
    """Of these cameras; what a killed process left without records is deleted, since nobody knows whom it shows."""
    found = [folder.harvest / name / hour for name, hour in hour_folders(folder.harvest) if name in cameras]
    stores = [store for store in found if is_tracklet_store(store)]
    for store in set(found).difference(stores):
        remove_tracklets(store)
    return stores


def _delete_rounds(folder: OnlineFolder) -> None:
    """Delete what a round of learning took of the harvest; it is void already, and another one begins.

    Raises:
        OSError: something is still there.
    """
    for left in reversed(range(_TRIES)):
        try:
            shutil.rmtree(folder.training)
        except FileNotFoundError:
            if not folder.training.exists():
                return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or not left:  # the round may be writing
                raise


def _forget_sides(folder: OnlineFolder, numbers: Iterable[int], sessions: Sequence[str]) -> None:
    """Take the numbers out of those of which it is known whether they were held out; under the folder's guard."""
    gone = tuple(f", {session}: {number}" for session in sessions for number in numbers)
    sides = read_json(folder.people) if gone else None
    if sides is not None:
        write_json(folder.people, {name: side for name, side in sides.items() if not name.endswith(gone)})


def _cameras(folder: OnlineFolder, camera: str | None) -> list[str]:
    """Folders of a camera."""
    bursts = {path.parent.name for path in burst_files(folder.replay)}
    found = sorted(bursts.union(name for name, _ in hour_folders(folder.harvest)))
    if camera is None and len(found) > 1:
        raise InputError(f"camera must be given, since identities of several are harvested: one of {', '.join(found)}")
    if camera is not None and camera not in found and camera_folder(camera) not in found:
        raise InputError(f"camera must be one that was harvested, {', '.join(found) or 'none yet'}, got {camera!r}")
    return found if camera is None else sorted({camera, camera_folder(camera)})


def _traces(
    stores: Sequence[Path], replays: Sequence[Path], identity: int, left: dict[Path, DataError]
) -> dict[str, _Trace]:
    """What is there of an identity, by session; stores that cannot be looked through go into `left`."""
    traces: dict[str, _Trace] = {}
    for replay in replays:
        for session, began_s in sessions_with(replay, identity).items():
            trace = traces.setdefault(session, _Trace())
            trace.seen_unix_s = max(began_s, trace.seen_unix_s)
            trace.numbers.add(identity)
    for store in stores:
        try:
            _look_for(identity, store, traces)
        except DataError as error:
            left[store] = error
    return traces


def _session_of(store: Path, crop: Record, runs: Mapping[int, Record]) -> str:
    run = runs[crop["run"]]
    return str(run.get("session") or f"{store.name} run {crop['run']}")


def _look_for(identity: int, store: Path, traces: dict[str, _Trace]) -> None:
    """Add what a store has of an identity."""

    def look(crops: list[Record], runs: Mapping[int, Record]) -> list[Record]:
        tracklets = {crop["tracklet"] for crop in crops if crop["identity"] == identity}
        for crop in crops:
            if crop["tracklet"] in tracklets:
                trace = traces.setdefault(_session_of(store, crop, runs), _Trace())
                seen_s = crop["time_s"] + (runs[crop["run"]]["began_unix_s"] or 0.0)
                trace.seen_unix_s = max(seen_s, trace.seen_unix_s)
                trace.numbers.add(crop["identity"])
        return crops

    tidy_tracklets(store, look, wait_s=_PATIENCE_S)


def _forget_in(store: Path, identity: int, sessions: list[str], left: dict[Path, DataError]) -> StoreSize:
    """How much went; a store that cannot be read, or is being written, goes into `left`."""

    def others(crops: list[Record], runs: Mapping[int, Record]) -> list[Record]:
        gone = {
            crop["tracklet"]
            for crop in crops
            if crop["identity"] == identity and _session_of(store, crop, runs) in sessions
        }
        return [crop for crop in crops if crop["tracklet"] not in gone]

    if store not in left:
        try:
            return tidy_tracklets(store, others, wait_s=_PATIENCE_S)[1]
        except DataError as error:
            left[store] = error
    return StoreSize()
