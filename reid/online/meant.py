"""Whom a number means that somebody names: which starts of a tracker, and under which numbers these reported them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reid.errors import DataError, InputError
from reid.online.burst_store import burst_files, burst_infos
from reid.online.folder import OnlineFolder, TrackerStart
from reid.online.hours import camera_folder, hour_name
from reid.online.ledger import hour_folders
from reid.tracklets import tidy_tracklets
from reid.tracklets.tidying import Record

PATIENCE_S = 30.0
"""A tracker lets go of its store several times a second, but may be writing to a slow disk."""
ALL = "all"
"""In place of a session: every one."""


@dataclass(frozen=True, slots=True)
class Meant:
    """Who is meant."""

    numbers: Mapping[str, set[int]]
    """Under which numbers, by session."""
    chosen: tuple[str, ...]
    """Those of these sessions of which something is there, the latest first."""
    elsewhere: tuple[str, ...]
    """Further sessions in which the same number stands for somebody, likely another one."""
    runs: str | None
    """Which of the sessions is that of a tracker at work; None where none is."""


@dataclass(slots=True)
class _Trace:
    """What is there of a session."""

    last: tuple[str, int] = ("", 0)
    """The last hour of it, and the run in the store of that hour. By no time of a crop: files are tracked faster than
    they were filmed, so that what is seen in them lies in the future."""
    numbers: set[int] = field(default_factory=set)
    """Under which numbers tracklets of the identity were reported; empty where it has none."""


def whom(
    identity: int,
    session: str | None,
    last: TrackerStart | None,
    noted: str | None,
    stores: Sequence[Path],
    replays: Sequence[Path],
    left: dict[Path, DataError],
) -> Meant:
    """Who is meant by a number of some cameras.

    Args:
        identity: the number under which a tracker reported them.
        session: which start of the tracker; None for the last one, `ALL` for every one.
        last: the last start of a tracker at these cameras, where that is known.
        noted: the session that was noted as the last of these cameras.
        stores: what was harvested of them, an hour each.
        replays: folders of their bursts.
        left: takes the stores that cannot be looked through.

    Raises:
        DataError: no session is named, and which was the last cannot be told.
    """
    traces = _traces(stores, replays, identity, left)
    meant = _sessions(session, last, noted, traces, left)
    known = [name for name in _latest_first(traces) if traces[name].numbers]
    numbers = {name: {identity} | traces.get(name, _Trace()).numbers for name in meant}
    runs = last.session if last is not None and last.at_work and last.session in numbers else None
    chosen = tuple(name for name in known if name in meant)
    elsewhere = tuple(name for name in known if name not in meant)
    return Meant(numbers, chosen, elsewhere, runs)


def cameras_of(folder: OnlineFolder, camera: str | None, last: TrackerStart | None) -> list[str]:
    """Folders of a camera; that of the last tracker is one, whether or not anything of it is there."""
    known = {path.parent.name for path in burst_files(folder.replay)}
    if last is not None and last.session:
        known.add(camera_folder(last.camera))
    found = sorted(known.union(name for name, _ in hour_folders(folder.harvest)))
    if camera is None and len(found) > 1:
        raise InputError(f"camera must be given, since identities of several are harvested: one of {', '.join(found)}")
    if camera is not None and camera not in found and camera_folder(camera) not in found:
        raise InputError(f"camera must be one that was harvested, {', '.join(found) or 'none yet'}, got {camera!r}")
    return found if camera is None else sorted({camera, camera_folder(camera)})


def _sessions(
    session: str | None,
    last: TrackerStart | None,
    noted: str | None,
    traces: Mapping[str, _Trace],
    left: Mapping[Path, DataError],
) -> list[str]:
    """Sessions that are meant, the latest first; `noted` is the last one of the camera.

    Raises:
        DataError: none is named, and which was the last cannot be told.
    """
    begun = [last.session] if last is not None and last.session else []
    found = _latest_first(traces)
    if session == ALL:
        return list(dict.fromkeys([*begun, *found]))
    if session is not None:
        return [session]
    if begun:
        return begun
    if last is not None:
        raise DataError(
            "nothing is deleted: a tracker is at work that does not say which start of it this is, or begins just now. "
            f"Call again, or name the session, or {ALL} for all of them"
        )
    if noted is not None:
        return [noted]
    if left or len(found) > 1:  # the same number of an earlier session is somebody else
        why = "; ".join(map(str, left.values())) or f"nobody noted it of {', '.join(found)}"
        raise DataError(
            "nothing is deleted: which start of the tracker was the last cannot be told, since "
            f"{why}. Name the session, or {ALL} for all of them"
        )
    return found


def _latest_first(traces: Mapping[str, _Trace]) -> list[str]:
    return sorted(traces, key=lambda name: traces[name].last, reverse=True)


def _traces(
    stores: Sequence[Path], replays: Sequence[Path], identity: int, left: dict[Path, DataError]
) -> dict[str, _Trace]:
    """What is there, by session, and of an identity; stores that cannot be looked through go into `left`."""
    traces: dict[str, _Trace] = {}
    for burst in (info for replay in replays for info in burst_infos(replay)):
        trace = traces.setdefault(burst.session, _Trace())
        trace.last = max((hour_name(burst.began_unix_s), 0), trace.last)
        if identity in burst.identities:
            trace.numbers.add(identity)
    for store in stores:
        try:
            _look_for(identity, store, traces)
        except DataError as error:
            left[store] = error
        except OSError as error:  # looking puts it in order, for which a full disk has no room
            left[store] = DataError(f"{store} cannot be looked through: {error.strerror}")
    return traces


def session_of(store: Path, crop: Record, runs: Mapping[int, Record]) -> str:
    """Of a crop in a store; what was written before there were sessions counts as one of its own a run."""
    run = runs[crop["run"]]
    return str(run.get("session") or f"{store.name} run {crop['run']}")


def _look_for(identity: int, store: Path, traces: dict[str, _Trace]) -> None:
    """Add what a store has, and has of an identity."""

    def look(crops: list[Record], runs: Mapping[int, Record]) -> list[Record]:
        tracklets = {crop["tracklet"] for crop in crops if crop["identity"] == identity}
        for crop in crops:
            trace = traces.setdefault(session_of(store, crop, runs), _Trace())
            trace.last = max((store.name, crop["run"]), trace.last)
            if crop["tracklet"] in tracklets:
                trace.numbers.add(crop["identity"])
        return crops

    tidy_tracklets(store, look, wait_s=PATIENCE_S)
