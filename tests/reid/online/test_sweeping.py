"""What is too old goes where no tracker is at work, too."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid.online import OnlineFolder
from reid.online.burst import Burst, BurstInfo
from reid.online.burst_store import BurstStore, burst_files
from reid.online.harvest_store import HarvestStore, HarvestStoreConfig
from reid.online.hours import DAY_S, HOUR_S, hour_name
from reid.online.ledger import Ledger, hour_folders
from reid.online.locks import FileLock
from reid.online.sheaf import Sheaf
from reid.online.sweeping import Sweeper, overdue

Clock = Any
pytestmark = pytest.mark.usefixtures("fast_disk")


@pytest.fixture
def site(folder: OnlineFolder, clock: Clock, sheaf: Callable[..., Sheaf]) -> OnlineFolder:
    """A folder whose tracker kept all for two days, and left an hour and a burst of each of its last two days."""
    store = HarvestStore(folder, HarvestStoreConfig(keep_days=2, least_free_mb=0), camera="door", clock=clock)
    bursts = BurstStore.beside(store, clock=clock)
    store.open()
    for _ in range(2):
        store.add(sheaf(hour_name(clock()), began=clock()))
        info = BurstInfo("door", "s", clock(), (1,), (8, 8), {})
        draft = bursts.begin(clock())
        assert draft is not None
        empty = np.zeros(0)
        assert bursts.keep(draft, Burst(info, empty, np.zeros(1, np.int64), np.zeros((0, 4)), empty, empty, []))
        clock.now_s += DAY_S
    store.close()
    return folder


def left(folder: OnlineFolder) -> tuple[int, int]:
    return len(hour_folders(folder.harvest)), len(burst_files(folder.replay))


def go_on(sweep: Sweeper, clock: Clock, steady: Clock, by_s: float) -> tuple[int, int]:
    """What is left after a while."""
    clock.now_s += by_s
    steady.now_s += by_s
    sweep()
    return left(sweep._folder)


def test_a_worker_deletes_what_the_last_tracker_would_have_by_a_clock_that_has_proved_itself(
    site: OnlineFolder, clock: Clock
) -> None:
    steady = type(clock)(0.0)
    sweep = Sweeper(site, wall=clock, steady=steady)
    assert go_on(sweep, clock, steady, 0) == (2, 2)
    clock.now_s += 2 * DAY_S  # a step: a time server was asked, or it is wrong
    assert [go_on(sweep, clock, steady, by_s) for by_s in (0, 599, HOUR_S)] == [(2, 2), (2, 2), (0, 0)]


def test_it_looks_once_an_hour_from_when_the_clock_has_proved_itself(
    site: OnlineFolder, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady, looks = type(clock)(0.0), list[float]()
    monkeypatch.setattr("reid.online.sweeping.expire_bursts", lambda *_: looks.append(steady()))
    site.clock.unlink()
    sweep = Sweeper(site, wall=clock, steady=steady)
    for _ in range(150):
        go_on(sweep, clock, steady, 60)
    assert looks == [600, 4200, 7800]


def test_each_hour_it_goes_on(site: OnlineFolder, clock: Clock) -> None:
    steady = type(clock)(0.0)
    sweep = Sweeper(site, wall=clock, steady=steady)
    found = [go_on(sweep, clock, steady, HOUR_S) for _ in range(30)]
    assert found[0] == (1, 1)
    assert found[-1] == (0, 0)
    assert sorted(found, reverse=True) == found


def test_a_tracker_that_runs_does_it_itself_and_who_forgets_is_waited_for(site: OnlineFolder, clock: Clock) -> None:
    steady = type(clock)(0.0)
    sweep = Sweeper(site, wall=clock, steady=steady)
    for take in (site.lock_tracker, lambda: FileLock.attempt(site.harvest_lock)):
        lock = take()
        assert lock is not None
        with lock:
            assert go_on(sweep, clock, steady, 5 * DAY_S) == (2, 2)
    assert go_on(sweep, clock, steady, 0) == (0, 0)


def test_half_bursts_of_a_tracker_that_was_killed_go_and_damaged_ones_in_their_time(
    site: OnlineFolder, clock: Clock
) -> None:
    steady = type(clock)(0.0)
    sweep = Sweeper(site, wall=clock, steady=steady)
    half = site.replay / "door" / ".000003.npz-draft"
    half.write_bytes(b"pictures")
    damaged = burst_files(site.replay)[1]
    damaged.write_bytes(b"pictures")
    os.utime(damaged, (clock(), clock()))
    with site.lock_tracker():
        go_on(sweep, clock, steady, HOUR_S)
        assert half.exists(), "it may be recording it"
    go_on(sweep, clock, steady, HOUR_S)
    assert (half.exists(), damaged.exists()) == (False, True)
    go_on(sweep, clock, steady, 2 * DAY_S)
    assert not damaged.exists()


def test_what_is_still_there_a_day_after_it_was_to_go_is_said(site: OnlineFolder, clock: Clock) -> None:
    first, last = (site.harvest / "door" / hour for _, hour in hour_folders(site.harvest))
    bursts = burst_files(site.replay)
    since = clock() - 2 * DAY_S  # of the first ones; all are kept for two
    said = {days: overdue(site, since + days * DAY_S) for days in (2.9, 3.1, 4.1)}
    assert said == {2.9: (), 3.1: (first, bursts[0]), 4.1: (first, last, *bursts)}
    site.clock.unlink()
    assert overdue(site, since + 9 * DAY_S) == ()


def test_where_nobody_noted_for_how_long_all_stays(site: OnlineFolder, clock: Clock) -> None:
    steady = type(clock)(0.0)
    site.clock.unlink()
    assert go_on(Sweeper(site, wall=clock, steady=steady), clock, steady, 5 * DAY_S) == (2, 2)


def test_what_cannot_be_deleted_keeps_nothing_else(
    site: OnlineFolder, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady, remove, unlink = type(clock)(0.0), Ledger.remove, Path.unlink
    hours, bursts = hour_folders(site.harvest), burst_files(site.replay)

    def refuse(one: Any, first: Any) -> None:
        if one == first:
            raise PermissionError(13, "not yours")

    def remove_hour(ledger: Ledger, key: Any) -> None:
        refuse(key, hours[0])
        remove(ledger, key)

    def unlink_file(path: Path, missing_ok: bool = False) -> None:
        refuse(path, bursts[0])
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Ledger, "remove", remove_hour)
    monkeypatch.setattr(Path, "unlink", unlink_file)
    with pytest.raises(PermissionError, match="not yours"):
        go_on(Sweeper(site, wall=clock, steady=steady), clock, steady, 5 * DAY_S)
    assert (hour_folders(site.harvest), burst_files(site.replay)) == (hours[:1], bursts[:1])
