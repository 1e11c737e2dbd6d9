"""Forgets somebody: every crop, record and vector that was harvested of a track leaves the disk."""

from __future__ import annotations

import contextlib
import errno
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from reid.checks import check_whole
from reid.errors import DataError
from reid.online.burst_store import forget_bursts, note_forgetting
from reid.online.files import write_json
from reid.online.folder import ROUND, OnlineFolder
from reid.online.hours import camera_folder
from reid.online.ledger import hour_folders
from reid.online.locks import FileLock
from reid.online.meant import PATIENCE_S, cameras_of, session_of, whom
from reid.online.starts import noted_session
from reid.tracklets import StoreSize, is_tracklet_store, remove_tracklets, tidy_tracklets
from reid.tracklets.tidying import Record

_TRIES = 100
_Goes: TypeAlias = Callable[[str, set[int]], bool]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What left the disk."""

    size: StoreSize
    """How much it was."""
    bursts: int
    """How many bursts of detections in which it appeared, with everybody else in them."""
    sessions: tuple[str, ...]
    """Starts of a tracker from which it was harvested, the latest first."""
    also: tuple[int, ...]
    """Further numbers under which tracklets of it were reported in these: what was harvested of them is gone, too."""
    elsewhere: tuple[str, ...]
    """Further sessions in which the same number stands for somebody, likely another one: they are as they were."""
    told: bool
    """Whether a tracker is at work that is meant, and was told: it forgets, too, within a second or two."""


@dataclass(slots=True)
class _Done:
    """What went so far, and what could not be done."""

    size: StoreSize = field(default_factory=StoreSize)
    bursts: int = 0
    undone: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def goes_on(self) -> Iterator[None]:
        """What cannot be done within keeps nobody from the rest."""
        try:
            yield
        except (DataError, OSError) as error:
            self.undone.append(str(error))


def forget(
    folder: OnlineFolder,
    identity: int,
    *,
    camera: str | None = None,
    session: str | None = None,
    clock: Callable[[], float] = time.time,
) -> Forgotten:
    """Take an identity out of a harvest: tracklets that show it, all that was said of them, and their vectors.

    And every burst of detections in which it appears, with everybody else in it. Where one of these tracklets was
    reported under another number as well, all this is done of that number, too: pieces of the same track may have been
    reported under that one alone. Should it have been somebody else's for a while, then they are forgotten with it.

    A tracker numbers identities anew with each start, so that a number alone does not say whom. Where no session is
    named, the last start of a tracker at the camera is meant, and no other one, whether or not anything of the number
    is there: so it can be ended at any moment and called again, and never takes somebody else. A tracker that runs
    forgets as well, where its session is meant; what it sees from now on, it harvests again. What cannot be done keeps
    nobody in the rest.

    Args:
        folder: where; a tracker may be at work, and lets go of its store for a moment.
        identity: the number under which the tracker reported it.
        camera: name of the source; None where there is but one.
        session: which start of the tracker; None for the last of the camera, `"all"` for every one.
        clock: seconds since 1970.

    Raises:
        InputError: the number is none of 64 bits; there are several cameras, and none was named; or no such camera.
        DataError: a process does not let go of the harvest, something cannot be read or deleted, or the tracker that is
            meant cannot be told; the message says what is deleted, and what is not.
        OSError: the folder cannot be looked into; nothing is deleted.
    """
    check_whole("identity", identity, -(2**63), 2**63 - 1)  # as anybody's tracker may number
    left, done = dict[Path, DataError](), _Done()
    lock = FileLock.attempt(folder.harvest_lock, wait_s=PATIENCE_S)
    if lock is None:
        raise DataError(f"{folder.harvest} is being changed by another process: wait for it")
    with lock:
        last = folder.last_tracker()
        cameras = cameras_of(folder, camera, last)
        if last is not None and last.session and camera_folder(last.camera) not in cameras:
            last = None
        source = camera or next(iter(cameras), None)
        stores = _stores(folder, cameras, done)
        replays = [folder.replay / name for name in cameras]
        with done.goes_on():
            note_forgetting(folder.replay, clock())  # before looking, see `reid.online.burst_store`
        meant = whom(identity, session, last, noted_session(folder, cameras), stores, replays, left)
        chosen, numbers, runs = meant.chosen, meant.numbers, meant.runs
        untold = {name: those for name, those in numbers.items() if name in chosen or name == runs}
        # before anything goes: nobody can say afterwards under which numbers else it went
        with contextlib.suppress(DataError, OSError):  # told once more below, when a full disk has room
            _tell(folder, identity, source, untold)
        with contextlib.suppress(DataError, OSError), folder.guard():  # told below, once the pictures are gone
            _forget_sides(folder, numbers)  # as long as it is known which numbers these are
        held = _forget_bursts(replays, identity, numbers, done)
        others = {name: numbers[name] - {identity} for name in chosen}
        for goes in _by_turns(identity, others, held):
            for store in stores:
                with done.goes_on():
                    done.size += _forget_in(store, goes, left)
    with done.goes_on(), folder.guard():
        for path in folder.training.glob(f"*/{ROUND}*"):
            path.unlink(missing_ok=True)
        _forget_sides(folder, numbers)  # the round may have written them meanwhile, and cannot any more
    with done.goes_on():
        _delete_rounds(folder)
    _tell_the_rest(folder, identity, source, untold, runs, done)
    told = runs is not None and runs not in untold
    if last is not None and last.at_work and not last.session:
        done.undone.append(
            "a tracker runs that does not say which start it is, or begins just now, and could not be told: end it"
        )
    done.undone.extend(f"{error} (delete that hour's folder, or wait until it expires)" for error in left.values())
    if done.undone:
        raise DataError(_what_is_left(done, identity, others, told=told))
    also = sorted(set[int]().union(*others.values()))
    return Forgotten(done.size, done.bursts, chosen, tuple(also), meant.elsewhere, told)


def _tell(folder: OnlineFolder, identity: int, camera: str | None, untold: dict[str, set[int]]) -> None:
    """Say of each session which numbers of it are to be forgotten; of whom it is said is no longer among `untold`."""
    for session in tuple(untold):
        numbers = sorted(untold[session])
        folder.history.append("forgotten", camera=camera, identity=identity, sessions=[session], numbers=numbers)
        del untold[session]


def _tell_the_rest(
    folder: OnlineFolder, identity: int, camera: str | None, untold: dict[str, set[int]], runs: str | None, done: _Done
) -> None:
    """Once more where it failed; `runs` is the session of the tracker that runs, where it is meant."""
    try:
        _tell(folder, identity, camera, untold)
    except (DataError, OSError) as error:  # a full disk keeps nobody from forgetting
        if runs is not None and runs in untold:
            numbers = ", ".join(map(str, sorted(untold[runs])))
            done.undone.append(
                f"the tracker that runs could not be told, {error}: forget each of {numbers} of session {runs} again"
            )


def _what_is_left(done: _Done, identity: int, others: Mapping[str, set[int]], *, told: bool) -> str:
    """What could not be done, and what is; nothing may be left that says that the `others` of a session are meant."""
    more = {name: ", ".join(map(str, sorted(those))) for name, those in others.items() if those}
    also = "".join(f", and {those} of session {name}," for name, those in more.items())
    return (
        f"{done.size.crops} crops and {done.bursts} bursts of {identity} are deleted, of session "
        f"{', '.join(others) or 'none'}{', and the tracker that runs is told' if told else ''}, but not all could "
        f"be done: {'; '.join(done.undone)}. Forget {identity} of the same session{also} again once that is mended"
    )


def _forget_bursts(replays: Sequence[Path], identity: int, numbers: Mapping[str, set[int]], done: _Done) -> set[str]:
    """Delete them; sessions of which one is left that only their crops tell to be of the identity."""
    held: set[str] = set()
    for replay in replays:
        gone, left = forget_bursts(replay, numbers)
        done.bursts += gone
        done.undone.extend(str(error) for _, error in left)
        held.update(info.session for info, _ in left if info is not None and identity not in info.identities)
    if held:
        done.undone.append(f"crops of session {', '.join(sorted(held))} stay as long as these bursts do")
    return held


def _stores(folder: OnlineFolder, cameras: Sequence[str], done: _Done) -> list[Path]:
    """Of these cameras; what a killed process left without records is deleted, since nobody knows whom it shows."""
    found = [folder.harvest / name / hour for name, hour in hour_folders(folder.harvest) if name in cameras]
    stores = [store for store in found if is_tracklet_store(store)]
    for store in set(found).difference(stores):
        with done.goes_on():
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


def _forget_sides(folder: OnlineFolder, numbers: Mapping[str, set[int]]) -> None:
    """Take numbers, by session, out of those of which it is known whether they were held out; under the guard."""
    gone = tuple(f", {session}: {number}" for session, those in numbers.items() for number in those)
    sides = folder.sides() if gone else None
    if sides is not None:
        write_json(folder.people, {name: side for name, side in sides.items() if not name.endswith(gone)})


def _by_turns(identity: int, others: Mapping[str, set[int]], held: Collection[str]) -> Iterator[_Goes]:
    """Whether a tracklet goes, by its session and the numbers that it was reported under, one turn after the other.

    First those that have the `others` of their session alone: whoever calls again finds these by the ones that have
    both, should it be ended half-way. `held` are sessions of which those stay.
    """
    if any(others.values()):
        yield lambda session, found: identity not in found and not found.isdisjoint(others.get(session, ()))
    if any(name not in held for name in others):
        yield lambda session, found: identity in found and session in others and session not in held


def _forget_in(store: Path, goes: _Goes, left: dict[Path, DataError]) -> StoreSize:
    """How much went; a store that cannot be read, or is being written, goes into `left`."""

    def others(crops: list[Record], runs: Mapping[int, Record]) -> list[Record]:
        found = dict[tuple[str, int], set[int]]()
        for crop in crops:
            found.setdefault((session_of(store, crop, runs), crop["tracklet"]), set()).add(crop["identity"])
        gone = {tracklet for (session, tracklet), numbers in found.items() if goes(session, numbers)}
        return [crop for crop in crops if crop["tracklet"] not in gone]

    if store not in left:
        try:
            return tidy_tracklets(store, others, wait_s=PATIENCE_S)[1]
        except DataError as error:
            left[store] = error
    return StoreSize()
