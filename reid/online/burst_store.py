"""Where bursts lie: the last few of each camera, `replay/<camera>/<number>.npz`, and never more than a number of bytes.

A burst that is being recorded has an empty draft, into which it is written at the end. Whoever forgets somebody notes
when, deletes drafts, and looks at bursts then: a burst whose draft is gone never comes to be, nor one that began before
and gets its draft afterwards.
"""

from __future__ import annotations

import contextlib
import logging
import math
import operator
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reid.atomic import sync_folder
from reid.errors import DataError
from reid.online.burst import Burst, BurstInfo, read_burst_info
from reid.online.burst_config import BurstConfig
from reid.online.files import Undeleted, check_free, delete_each, read_json, write_json
from reid.online.folder import OnlineFolder
from reid.online.harvest_store import HarvestStore
from reid.online.hours import DAY_S, camera_folder
from reid.online.proven_clock import ProvenClock

_logger = logging.getLogger(__name__)
_FORGOTTEN = "forgotten.json"
_MB = 1_000_000
_LEAST_SHARE = 0.25  # of the bound, for those that can be deleted: two of the largest bursts by default


@dataclass(frozen=True, slots=True)
class BurstTotal:
    """What is kept of one camera."""

    camera: str
    """Folder of the camera."""
    bursts: int
    """How many."""
    disk_bytes: int
    """What they take."""


class BurstStore:
    """Keeps the bursts of one camera, and bounds those of all; for one thread.

    Args:
        root: a folder for those of all cameras, which no other process writes.
        camera: name of the source.
        session: name of this start of the tracker, since identities are numbered anew with each.
        config: how much is kept.
        keep_days: days after which a burst is deleted.
        least_free_mb: megabytes that stay free on the disk.
        before_unix_s: see `ProvenClock`, and `HarvestStore.before_unix_s`.
        clock: seconds since 1970.
        steady: a clock in seconds that never steps.
    """

    def __init__(
        self,
        root: Path,
        camera: str,
        session: str,
        config: BurstConfig | None = None,
        *,
        keep_days: float,
        least_free_mb: int,
        before_unix_s: float = -math.inf,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.root, self.camera, self.session = root, camera, session
        self.config, self.clock = config or BurstConfig(), clock
        self._proven = ProvenClock(before_unix_s, wall=clock, steady=steady)
        self._here = root / camera_folder(camera)
        self._keep_s, self._least_free_mb = keep_days * DAY_S, least_free_mb
        self._undeleted = Undeleted()
        self._left_half: set[Path] = set()

    @classmethod
    def beside(
        cls,
        harvest: HarvestStore,
        config: BurstConfig | None = None,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> BurstStore:
        """That of a harvest: its folder, camera, session, time to live and the least free disk."""
        return cls(
            harvest.folder.replay, harvest.camera, harvest.session, config,
            keep_days=harvest.config.keep_days, least_free_mb=harvest.config.least_free_mb,
            before_unix_s=harvest.before_unix_s, clock=clock, steady=steady,
        )  # fmt: skip

    @property
    def undeleted(self) -> str | None:
        """Why a burst is still there that is too old or too much; None where none is."""
        return self._undeleted.why

    def open(self) -> None:
        """Delete what killed processes left half recorded."""
        with self._undeleted.noted():
            discard_drafts(self.root)
        self._left_half = set(_drafts(self.root))

    def begin(self, began_unix_s: float) -> Path | None:
        """The empty draft of a burst that is being recorded; None where somebody was forgotten since it began.

        Raises:
            OSError: it cannot be made, or the disk is about to be full.
        """
        self._here.mkdir(parents=True, exist_ok=True)
        check_free(self._here, self._least_free_mb)
        number = max((int(path.stem) for path in burst_files(self._here)), default=0) + 1
        draft = self._here / f".{number:06d}.npz-draft"
        self._left_half.discard(draft)
        draft.touch()
        if began_unix_s <= _forgotten_unix_s(self.root) <= self.clock():  # what is ahead is of a clock that was wrong
            draft.unlink(missing_ok=True)
            return None
        return draft

    def keep(self, draft: Path, burst: Burst) -> bool:
        """Write a burst into its draft, under its name from then on; False where the draft was deleted meanwhile.

        Raises:
            OSError: it cannot be written, or the disk is about to be full; the draft is gone then.
        """
        try:
            check_free(self._here, self._least_free_mb)
            with draft.open("r+b") as file:
                burst.write(file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(draft.with_name(draft.name[1:].removesuffix("-draft")))
        except FileNotFoundError:
            return False
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        sync_folder(self._here)
        self.tidy()
        return True

    def tidy(self) -> None:
        """Delete what was kept for long enough for certain, and what is too much: the oldest first.

        What was left half recorded before it was opened goes too, where it could not go then.
        What cannot be deleted keeps none of the others, see `undeleted`.
        """
        now_s, passed_s = self.clock(), self._proven.passed_unix_s()

        def discard_half() -> None:
            delete_each(_delete, self._left_half)

        def expire() -> None:
            expire_bursts(self.root, now_s, passed_s, self._keep_s)

        def keep_the_last() -> None:
            delete_each(_delete, burst_files(self._here)[: -self.config.bursts])

        def keep_within_bytes() -> None:
            delete_each(_delete, _excess(self.root, self.config.most_mb * _MB))

        with self._undeleted.noted():
            delete_each(operator.call, (discard_half, expire, keep_the_last, keep_within_bytes))


def expire_bursts(root: Path, now_s: float, passed_s: float, keep_s: float) -> None:
    """Delete what was kept for longer than `keep_s` by the time `passed_s`, see `ProvenClock`.

    What is dated after `now_s`, which the clock says, is kept for as long from when that was noticed.

    Raises:
        OSError: one cannot be deleted; the others are deleted all the same.
    """

    def delete(burst: tuple[Path, BurstInfo | None]) -> None:
        path, info = burst
        if passed_s - _since_unix_s(path, info, now_s) > keep_s:
            _delete(path)

    delete_each(delete, _infos(root))


def burst_files(root: Path) -> list[Path]:
    """Every burst below a folder; of each camera the oldest first."""
    return sorted(path for path in root.rglob("*.npz") if path.stem.isdecimal())


def note_forgetting(root: Path, now_unix_s: float) -> None:
    """Take down when somebody is forgotten, and see to it that no burst that has begun by then comes to be."""
    with contextlib.suppress(OSError):  # on a full disk no burst begins
        root.mkdir(exist_ok=True)
        write_json(root / _FORGOTTEN, {"unix_s": now_unix_s})
    discard_drafts(root)


def _forgotten_unix_s(root: Path) -> float:
    """When somebody was forgotten last."""
    with contextlib.suppress(DataError, KeyError, TypeError, ValueError):
        return float((read_json(root / _FORGOTTEN) or {})["unix_s"])
    return -math.inf


def discard_drafts(root: Path) -> None:
    """Delete what is being recorded below a folder, and what killed processes left: they never become bursts.

    Raises:
        OSError: one cannot be deleted; the others are deleted all the same.
    """
    delete_each(_delete, _drafts(root))


def _drafts(root: Path) -> Iterator[Path]:
    return root.rglob(".*.npz-draft")


def burst_totals(folder: OnlineFolder) -> tuple[BurstTotal, ...]:
    """What is kept, by camera."""
    totals: dict[str, BurstTotal] = {}
    for path, size in _sizes(folder.replay).items():
        total = totals.get(path.parent.name, BurstTotal(path.parent.name, 0, 0))
        totals[total.camera] = BurstTotal(total.camera, total.bursts + 1, total.disk_bytes + size)
    return tuple(totals.values())


def burst_infos(root: Path) -> list[BurstInfo]:
    """What every burst below a folder is of; the damaged are passed over."""
    return [info for _, info in _infos(root) if info is not None]


def dated_bursts(root: Path) -> list[tuple[Path, float]]:
    """Every burst below a folder, and when it began, seconds since 1970; the damaged are passed over."""
    return [(path, info.began_unix_s) for path, info in _infos(root) if info is not None]


def forget_bursts(
    root: Path, numbers: Mapping[str, Collection[int]]
) -> tuple[int, list[tuple[BurstInfo | None, OSError]]]:
    """Delete all bursts in which a number of their session was reported, and the damaged.

    Args:
        root: every burst below it is looked at.
        numbers: of each session.

    Returns:
        How many went, and what those are of that could not be deleted, None for damaged ones, and why.
    """
    gone, left = 0, list[tuple[BurstInfo | None, OSError]]()
    for path, info in _infos(root):
        if info is None or not set(numbers.get(info.session, ())).isdisjoint(info.identities):
            try:
                path.unlink(missing_ok=True)
                gone += 1
            except OSError as error:
                left.append((info, error))
    return gone, left


def _infos(root: Path) -> list[tuple[Path, BurstInfo | None]]:
    """Every burst that is there, and what it is of; None where that cannot be said."""
    found: list[tuple[Path, BurstInfo | None]] = []
    for path in burst_files(root):
        try:
            found.append((path, read_burst_info(path)))
        except FileNotFoundError:  # deleted meanwhile
            continue
        except DataError as error:
            _logger.warning("%s", error)
            found.append((path, None))
    return found


def _since_unix_s(path: Path, info: BurstInfo | None, now_s: float) -> float:
    """Since when a burst is kept; a damaged one since it was written.

    One in the future is of a clock that was wrong: since that was noticed.
    """
    if info is not None and info.began_unix_s <= now_s:
        return info.began_unix_s
    with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
        if path.stat().st_mtime <= now_s:
            return path.stat().st_mtime
        os.utime(path, (now_s, now_s))
    return now_s


def _excess(root: Path, most_bytes: int) -> Iterator[Path]:
    """The oldest burst of the camera that has most, each time, until all take no more than they may.

    The caller deletes each before asking for the next. What is still there then leaves the others what it does not take
    itself, and never less than a share of all: else none of them would stay, and no candidate be tried on any.
    """
    named: set[Path] = set()
    while True:
        sizes = _sizes(root)
        others = {path: size for path, size in sizes.items() if path not in named}
        stays = sum(sizes.values()) - sum(others.values())
        if sum(others.values()) <= max(most_bytes - stays, int(_LEAST_SHARE * most_bytes)):
            return
        cameras: dict[Path, int] = {}
        for path, size in others.items():
            cameras[path.parent] = cameras.get(path.parent, 0) + size
        most = max(cameras, key=lambda camera: (cameras[camera], camera.name))
        oldest = next(path for path in others if path.parent == most)
        named.add(oldest)
        yield oldest


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)


def _sizes(root: Path) -> dict[Path, int]:
    """Bytes of every burst that is there."""
    sizes: dict[Path, int] = {}
    for path in burst_files(root):
        with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
            sizes[path] = path.stat().st_size
    return sizes
