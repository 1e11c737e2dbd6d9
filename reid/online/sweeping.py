"""What is too old goes where no tracker runs that would see to it, too."""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable
from pathlib import Path

from reid.locking import is_locked
from reid.online.burst_store import dated_bursts, discard_drafts, expire_bursts
from reid.online.files import delete_each
from reid.online.folder import OnlineFolder
from reid.online.hours import DAY_S
from reid.online.ledger import Ledger
from reid.online.locks import FileLock
from reid.online.proven_clock import ProvenClock, noted_keep_s, noted_unix_s

_EVERY_S = 3600.0


def overdue(folder: OnlineFolder, now_unix_s: float) -> tuple[Path, ...]:
    """Hours and bursts that were to go a day ago and more: they cannot be deleted, or nobody is there to do it.

    Raises:
        OSError: something cannot be read.
    """
    keep_s, ledger = noted_keep_s(folder.clock), Ledger(folder.harvest)
    ledger.refresh(tidy=False)
    late_s = now_unix_s - DAY_S
    bursts = (path for path, began_s in dated_bursts(folder.replay) if began_s + keep_s < late_s)
    return (*map(ledger.path, ledger.expired(late_s, keep_s)), *bursts)


class Sweeper:
    """Deletes harvest and bursts of a folder that were kept for as long as its last tracker was to keep them.

    And half bursts, which a tracker left that was killed.

    Call it now and then: once an hour it does so, by a clock that has proved itself, unless a tracker is at work, which
    does it itself.

    Args:
        folder: the online folder.
        wall: seconds since 1970.
        steady: a clock in seconds that never steps.
    """

    def __init__(
        self,
        folder: OnlineFolder,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._wall, self._steady = folder, wall, steady
        self._clock = ProvenClock(noted_unix_s(folder.clock), wall=wall, steady=steady)
        self._ledger = Ledger(folder.harvest)
        self._next_s = -math.inf

    def __call__(self) -> None:
        """Delete what is old for certain, where it is time.

        Raises:
            DataError: the file system has no locks.
            OSError: something cannot be read or deleted.
        """
        passed_s = self._clock.passed_unix_s()  # asked each time, so that it sees when it was set
        if passed_s == -math.inf or self._steady() < self._next_s or is_locked(self._folder.tracker_lock):
            return
        lock = FileLock.attempt(self._folder.harvest_lock)
        if lock is None:  # somebody is forgotten
            return
        with lock:
            self._next_s = self._steady() + _EVERY_S
            keep_s = noted_keep_s(self._folder.clock)
            replay, ledger = self._folder.replay, self._ledger

            def drafts() -> None:
                discard_drafts(replay)  # a tracker that began this moment goes without its first burst

            def bursts() -> None:
                expire_bursts(replay, self._wall(), passed_s, keep_s)

            def hours() -> None:
                ledger.refresh()
                try:
                    ledger.expire(passed_s, keep_s)
                finally:
                    ledger.save()

            delete_each(operator.call, (drafts, bursts, hours))
