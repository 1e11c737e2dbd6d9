"""A harvest outlives whatever ends its writer: a kill at any moment, a full disk."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from reid.data.stores import find_stores
from reid.online.harvest import Harvester
from reid.online.harvest_config import HarvestConfig
from reid.online.harvest_store import HarvestStore, HarvestStoreConfig
from reid.online.hours import hour_name
from reid.online.ledger import harvest_totals
from reid.tracklets import measure_tracklets, read_tracklets

CRAMPED = HarvestStoreConfig(most_mb=1, keep_days=1, least_free_mb=0, few_crops=2)
ROOMY = HarvestStoreConfig(keep_days=1, least_free_mb=0)
DAY_S = 86400.0
BIG = (160, 80)  # about 25 kB each, so that the cap is reached soon


pytestmark = pytest.mark.usefixtures("fast_disk")


class Killed(BaseException):
    """What a dead process would do next."""


class Machine:
    """Counts the system calls that change the disk; ends the process, or fills the disk, at one of them."""

    CALLS = ("write", "fsync", "ftruncate", "replace", "unlink", "rmdir", "mkdir")
    NEED_ROOM = ("write", "fsync", "mkdir")

    def __init__(self, monkeypatch):
        self.count = 0
        self.kill_at = self.full_from = self.full_until = None
        for name in self.CALLS:
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name)))
        self._write_bytes = Path.write_bytes
        monkeypatch.setattr(Path, "write_bytes", lambda path, data: self._half_write(path, data))

    def _wrap(self, name, real):
        def call(*args, **kwargs):
            self._tick(name)
            return real(*args, **kwargs)

        return call

    def _half_write(self, path, data):
        """Writing a file takes two calls: a kill in between leaves one half."""
        self._tick("mkdir")
        self._write_bytes(path, data[: len(data) // 2])
        self._tick("write")
        return self._write_bytes(path, data)

    def _tick(self, name):
        self.count += 1
        if self.kill_at is not None and self.count >= self.kill_at:
            raise Killed
        if self.full_from is not None and self.full_from <= self.count < self.full_until and name in self.NEED_ROOM:
            raise OSError(errno.ENOSPC, "No space left on device")


def session(folder, sheaf, clock, done, config=CRAMPED):
    """A busy week in short: hours come, are thinned, and go; `done` gets what was stored so far."""
    store = HarvestStore(folder, config, camera="door", session="s", clock=clock)
    done.append(store)
    store.open()
    for part in range(3):
        hour = hour_name(clock())
        for frame in range(1, 9):
            store.add(sheaf(hour, frame, (1, 2, 3), number=part, size_px=BIG, doubts={3: 8.0} if frame == 8 else None))
            done.append((hour, frame))
        store.sweep()
        clock.now_s += 0.6 * DAY_S
    store.close()
    return store


def let_go(store):
    """The system closes the files of a dead process."""
    if store._writer is not None and store._writer._file >= 0:
        os.close(store._writer._file)


def check(folder, caplog):
    """Readers find nothing amiss."""
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        found = {path.name: read_tracklets(path) for path in find_stores(folder.harvest)}
    assert not caplog.text
    return found


def check_reopened(folder, sheaf, clock, caplog):
    """The next start puts all in order, and goes on."""
    store = HarvestStore(folder, CRAMPED, camera="door", session="t", clock=clock)
    store.open()
    store.add(sheaf(hour_name(clock()), 99, (1, 2), number=99, size_px=BIG))
    store.close()
    found = check(folder, caplog)
    assert found[hour_name(clock())].frame.tolist()[-2:] == [99, 99]
    pictures = {path for path in folder.harvest.rglob("*") if path.is_file()}
    known = {read.picture(row) for read in found.values() for row in range(len(read))}
    stores = {folder.harvest / "door" / name / "store.jsonl" for name in found}
    assert pictures == known | stores | {folder.harvest / "totals.json"}, "nothing lies about"
    for total in harvest_totals(folder):
        assert total.size == measure_tracklets(folder.harvest / total.camera / total.hour)


def calls_of_a_session(folder, sheaf, clock, config):
    with pytest.MonkeyPatch.context() as patch:
        machine = Machine(patch)
        session(folder, sheaf, clock, [], config)
    return machine.count


def spread(total, count, seed):
    return sorted(np.random.default_rng(seed).choice(np.arange(1, total + 1), count, replace=False).tolist())


@pytest.fixture
def fresh(tmp_path, clock):
    """`fresh(k)` gives a new folder, and sets the clock back."""
    from reid.online import BaseModel, OnlineFolder

    start_s = clock.now_s

    def fresh(k):
        clock.now_s = start_s
        return OnlineFolder.make(tmp_path / str(k), BaseModel("m", "00"))

    return fresh


@pytest.mark.parametrize("config", [CRAMPED, ROOMY])
def test_a_kill_between_any_two_system_calls(fresh, sheaf, clock, caplog, config):
    total = calls_of_a_session(fresh("whole"), sheaf, clock, config)
    assert total > 200
    for kill_at in spread(total, 30, 1):
        folder, done = fresh(kill_at), []
        with pytest.MonkeyPatch.context() as patch:
            Machine(patch).kill_at = kill_at
            with pytest.raises(Killed):
                session(folder, sheaf, clock, done, config)
        if done:
            let_go(done[0])
        stored = done[1:]
        found = check(folder, caplog)
        if stored and config is ROOMY:
            hour, frame = stored[-1]
            assert frame in found[hour].frame, "what was stored before is there"
        check_reopened(folder, sheaf, clock, caplog)


@pytest.mark.parametrize("config", [CRAMPED, ROOMY])
def test_a_disk_that_is_full_from_any_system_call_on(fresh, sheaf, clock, caplog, config):
    total = calls_of_a_session(fresh("whole"), sheaf, clock, config)
    for full_from in spread(total - 20, 20, 2):
        folder, done, errors = fresh(full_from), [], []
        store = HarvestStore(folder, config, camera="door", session="s", clock=clock)
        with pytest.MonkeyPatch.context() as patch:
            machine = Machine(patch)
            machine.full_from, machine.full_until = full_from, full_from + 30
            store.open()
            for part in range(3):
                hour = hour_name(clock())
                for frame in range(1, 9):
                    try:
                        store.add(sheaf(hour, frame, (1, 2, 3), number=part, size_px=BIG))
                        store.sweep()
                        done.append((hour, frame))
                    except OSError as error:
                        errors.append(error.errno)
                        with contextlib.suppress(OSError):
                            store.rest()
                        with contextlib.suppress(OSError):
                            store.open()
                clock.now_s += 0.3 * DAY_S
            with contextlib.suppress(OSError):
                store.close()
        let_go(store)
        assert set(errors) <= {errno.ENOSPC}
        found = check(folder, caplog)
        for hour, frame in done if config is ROOMY else ():
            assert frame in found[hour].frame
        check_reopened(folder, sheaf, clock, caplog)


KILL = """
import os, random, signal, sys, time
import cv2, numpy as np
from reid.online import BaseModel, HarvestConfig, Harvester, HarvestStore, HarvestStoreConfig, OnlineFolder

cv2.setNumThreads(0)
folder = OnlineFolder.make(sys.argv[1], BaseModel("m", "00"))
chance = random.Random(5)
image = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)

def track(ready):
    config = HarvestConfig(least_age_s=0, least_sharpness=0, spacing_s=0.04, border_px=0)
    store = HarvestStore(folder, HarvestStoreConfig(most_mb=1, least_free_mb=0), camera="door")
    with folder.lock_tracker(), Harvester(store, config) as harvester:
        for frame in range(100000):
            boxes = [[10 + 90 * k, 10, 40 + 90 * k, 70] for k in range(4)]
            harvester.observe(image, ids=range(4), boxes=boxes, scores=[1] * 4, time_s=frame * 0.04)
            time.sleep(0.002)
            if harvester.counts.written > 20:
                os.write(ready, b"1")

for round in range(20):
    begun, ready = os.pipe()
    child = os.fork()
    if not child:
        track(ready)
    os.read(begun, 1)
    time.sleep(chance.uniform(0, 0.2))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    folder.lock_tracker().release()
    print(round, flush=True)
"""


def test_twenty_killed_trackers(tmp_path, sheaf, clock, caplog):
    from reid.online import OnlineFolder

    clock.now_s = time.time()
    with subprocess.Popen(
        [sys.executable, "-c", KILL, tmp_path / "online"], stdout=subprocess.PIPE, text=True
    ) as kills:
        crops = 0
        for line in kills.stdout:
            assert int(line) < 20
            found = check(OnlineFolder.open(tmp_path / "online"), caplog)
            crops = max(crops, sum(map(len, found.values())))
    assert kills.returncode == 0
    assert crops > 100
    folder = OnlineFolder.open(tmp_path / "online")
    assert folder.history.read() == [] or folder.history.read()[0]["event"] == "harvested"
    check_reopened(folder, sheaf, clock, caplog)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MB, where the system lets us have one."""
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("mounting a small disk needs rights that this user has not")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def test_a_real_full_disk_pauses_the_harvest_until_there_is_room(small_disk, caplog):
    from reid.online import BaseModel, OnlineFolder

    folder = OnlineFolder.make(small_disk / "online", BaseModel("m", "00"))
    config = HarvestConfig(least_age_s=0, least_sharpness=0, retry_s=0)
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    store = HarvestStore(folder, HarvestStoreConfig(most_mb=100, least_free_mb=0), camera="door")
    with Harvester(store, config) as harvester, caplog.at_level(logging.WARNING):
        (small_disk / "others").write_bytes(bytes(600_000))
        for k in range(40):
            harvester.observe(image, ids=[1], boxes=[[10, 10, 110, 150]], scores=[1], time_s=k)
            harvester.flush()
        counts = harvester.counts
        assert counts.written > 0
        assert counts.paused > 0
        assert harvester.failure is not None
        (small_disk / "others").unlink()
        for k in range(40, 45):
            harvester.observe(image, ids=[1], boxes=[[10, 10, 110, 150]], scores=[1], time_s=k)
            harvester.flush()
        assert harvester.counts.written == counts.written + 5
        assert harvester.failure is None
    assert caplog.text.count("harvesting pauses, tracking goes on") == 1
    found = check(folder, caplog)
    assert sum(map(len, found.values())) == counts.written + 5
