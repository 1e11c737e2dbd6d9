"""The store of a harvest keeps within its bounds of size and age: what goes first."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from harvested import hour_of, stores

from reid.data import open_crops
from reid.online.harvest_store import HarvestStore, HarvestStoreConfig
from reid.online.hours import hour_begin
from reid.online.ledger import harvest_totals

pytestmark = pytest.mark.usefixtures("fast_disk")


def make_unreadable(hour):
    records = hour / "store.jsonl"
    records.write_bytes(records.read_bytes().replace(b'"version":1', b'"version":3', 1))


def refuse(monkeypatch, records):
    """Have this file opened by nobody; root, who may run the tests, may open any."""
    opened, read = os.open, Path.read_bytes

    def check(path):
        if Path(path) == records:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != records)
    monkeypatch.setattr(os, "open", lambda path, *more, **named: check(path) or opened(path, *more, **named))
    monkeypatch.setattr(Path, "read_bytes", lambda path: check(path) or read(path))


def disk_bytes(root):
    """What all the files and folders below take, hours and what is in them."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in root.glob("*/*/**/*")) + sum(
        4096 for path in root.glob("*/*")
    )


def harvest(make, sheaf, plan, config):
    """Store `plan`: (camera, hour, tracklets, crops of each), in rounds; the store of each camera, closed."""
    frame = 0
    for camera, hour, tracklets, crops in plan:
        store = make(camera, config)
        for _ in range(crops):
            frame += 1
            for first in range(0, tracklets, 10):
                pieces = tuple(range(first + 1, min(first + 10, tracklets) + 1))
                store.add(sheaf(hour_of(hour), frame, pieces, together=False))
                assert store.disk_bytes <= config.most_mb * 1_000_000
        store.close()


class TestBounds:
    def test_the_camera_and_the_hour_that_have_most_give(self, folder, make, sheaf):
        config = HarvestStoreConfig(most_mb=1, least_free_mb=0, few_crops=2)
        plan = [("door", 0, 5, 4), ("yard", 0, 10, 20), ("yard", 1, 5, 5), ("yard", 2, 6, 20)]
        harvest(make, sheaf, plan, config)
        found = {name: np.bincount(read.tracklet)[1:].tolist() for name, read in stores(folder).items()}
        assert found[f"door/{hour_of(0)}"] == [4] * 5, "a quiet camera keeps all"
        assert found[f"yard/{hour_of(1)}"] == [5] * 5, "and so does a quiet hour"
        busy, later = found[f"yard/{hour_of(0)}"], found[f"yard/{hour_of(2)}"]
        assert max(busy) - min(busy) <= 1, "tracklets of an hour shrink alike"
        assert max(later) - min(later) <= 1
        assert len(busy) == 10
        assert sum(busy) < 200
        assert 0.5 < sum(busy) / sum(later) < 2, "hours become alike"

    def test_a_week_stays_below_the_cap_on_the_disk(self, folder, make, sheaf, caplog):
        config = HarvestStoreConfig(most_mb=1, least_free_mb=0, few_crops=2)
        rng = np.random.default_rng(3)
        plan = [
            (camera, hour, int(rng.integers(1, 8)), int(rng.integers(1, 8)))
            for hour in range(0, 168, 12)
            for camera in ("door", "yard")
        ]
        with caplog.at_level(logging.WARNING):
            harvest(make, sheaf, plan, config)
            found = stores(folder)
        assert not caplog.text
        taken = int(
            subprocess.run(["du", "-s", "-B1", folder.harvest], capture_output=True, check=True).stdout.split()[0]
        )
        empty_folders = 4096 * (2 * len(found) + 3)
        assert taken <= 1_000_000 + empty_folders
        totals = harvest_totals(folder)
        assert sum(total.size.crops for total in totals) == sum(map(len, found.values())) > 50
        cameras = {name: sum(t.size.disk_bytes for t in totals if t.camera == name) for name in ("door", "yard")}
        assert max(cameras.values()) < 1.3 * min(cameras.values())
        assert len(open_crops(folder.harvest)) > 50

    def test_the_hour_that_is_written_gives_too_and_goes_on(self, folder, make, sheaf):
        config = HarvestStoreConfig(most_mb=1, least_free_mb=0, few_crops=2)
        store = make("door", config)
        for frame in range(1, 120):
            store.add(sheaf(frame=frame, pieces=(1, 2, 3), together=frame == 1))
            assert store.disk_bytes <= 1_000_000
        before_close = store.totals()[0].size
        store.close()
        [read] = stores(folder).values()
        assert sorted(set(read.tracklet.tolist())) == [1, 2, 3], "pieces keep their tracklets"
        assert len(read.runs) == 1
        assert read.together.tolist() == [[1, 2], [1, 3], [2, 3]]
        assert len(read) == before_close.crops == store.totals()[0].size.crops
        assert read.frame.min() < 60, "something of the beginning"
        assert read.frame.max() == 119

    def test_whole_tracklets_go_when_all_are_short_the_oldest_first(self, folder, make, sheaf):
        config = HarvestStoreConfig(most_mb=1, least_free_mb=0, few_crops=4)
        store = make("door", config)
        for frame in range(1, 300):
            store.add(sheaf(frame=frame, pieces=((frame - 1) // 2,), seed=1))
        store.close()
        [read] = stores(folder).values()
        assert set(np.bincount(read.tracklet)[np.unique(read.tracklet)].tolist()) == {1, 2}
        assert np.unique(read.frame).tolist() == list(range(int(read.frame.min()), 300))

    def test_the_same_frames_give_the_same_store(self, tmp_path, sheaf, clock):
        from reid.online import BaseModel, OnlineFolder

        left = []
        for name in ("a", "b"):
            folder = OnlineFolder.make(tmp_path / name, BaseModel("m", "00"))
            config = HarvestStoreConfig(most_mb=1, least_free_mb=0)
            store = HarvestStore(folder, config, camera="door", session="s", clock=clock)
            store.open()
            for frame in range(1, 110):
                store.add(sheaf(frame=frame, pieces=(1, 2)))
            store.close()
            left.append([read.frame.tolist() for read in stores(folder).values()])
        assert left[0] == left[1]

    def test_hours_that_cannot_be_read_count_and_go_first_the_oldest_before_others(self, folder, make, sheaf, caplog):
        for hour in range(3):
            harvest(make, sheaf, [("yard", hour, 5, 6)], HarvestStoreConfig(least_free_mb=0))
        whole = harvest_totals(folder)
        for hour in range(2):
            make_unreadable(folder.harvest / "yard" / hour_of(hour))
        counted = harvest_totals(folder)
        assert [total.size.crops for total in counted] == [0, 0, 30]
        assert [total.size.disk_bytes for total in counted] == [total.size.disk_bytes for total in whole]
        config = HarvestStoreConfig(most_mb=1, least_free_mb=0)
        store, frame = make("door", config), 0
        with caplog.at_level(logging.WARNING):
            while (folder.harvest / "yard" / hour_of(0)).exists():
                frame += 1
                store.add(sheaf(hour_of(9), frame))
                assert disk_bytes(folder.harvest) <= 1_000_000
        assert f"{folder.harvest / 'yard' / hour_of(0)} is deleted to make room: it cannot be read" in caplog.text
        store.close()
        assert [total.hour for total in harvest_totals(folder)] == [hour_of(9), hour_of(1), hour_of(2)]
        assert [total.size.crops for total in store.totals()] == [2 * frame, 0, 30], "nothing else went for it"

    def test_an_hour_that_one_may_not_read_counts_and_goes(self, folder, make, sheaf, monkeypatch):
        harvest(make, sheaf, [("yard", 0, 5, 6)], HarvestStoreConfig(least_free_mb=0))
        [whole] = harvest_totals(folder)
        refuse(monkeypatch, folder.harvest / "yard" / hour_of(0) / "store.jsonl")
        [counted] = harvest_totals(folder)
        assert (counted.size.crops, counted.size.disk_bytes) == (0, whole.size.disk_bytes)
        store = make("door", HarvestStoreConfig(most_mb=1, least_free_mb=0))
        for frame in range(200):
            store.add(sheaf(frame=frame))
        assert not (folder.harvest / "yard").exists()
        store.close()

    @pytest.mark.parametrize("tracklets", [30, 47], ids=["a little", "hardly any"])
    def test_where_no_room_can_be_made_nothing_more_is_written(self, folder, make, sheaf, protect, tracklets):
        harvest(make, sheaf, [("yard", 0, tracklets, 4)], HarvestStoreConfig(least_free_mb=0))
        kept = folder.harvest / "yard" / hour_of(0)
        make_unreadable(kept)
        protect(kept)
        most = disk_bytes(folder.harvest)
        store, denied = make("door", HarvestStoreConfig(most_mb=1, least_free_mb=0)), 0
        for frame in range(400):
            try:
                store.add(sheaf(frame=frame))
            except PermissionError:  # as the thread that writes a harvest goes on
                denied += 1
                store.rest()
                store.open()
            assert disk_bytes(folder.harvest) <= max(most, 1_000_000) + 30_000, "one frame"
        assert denied > 100 if tracklets == 47 else not denied, "others make room, as long as that is of any use"
        store.close()

    def test_an_hour_that_cannot_be_thinned_is_passed_over(self, folder, make, sheaf, protect):
        config = HarvestStoreConfig(most_mb=1, least_free_mb=0, few_crops=2)
        harvest(make, sheaf, [("yard", 0, 10, 8), ("yard", 1, 10, 6)], HarvestStoreConfig(least_free_mb=0))
        protect(folder.harvest / "yard" / hour_of(0) / "pictures")
        store = make("door", config)
        for frame in range(1, 300):
            store.add(sheaf(hour_of(2), frame, (1, 2)))
            assert disk_bytes(folder.harvest) <= 1_010_000, "one frame"
        store.close()
        crops = {name: len(read) for name, read in stores(folder).items()}
        assert 0 < crops[f"yard/{hour_of(1)}"] < 60

    def test_a_disk_that_is_about_to_be_full_is_left_alone(self, folder, make, sheaf):
        store = make("door", HarvestStoreConfig(least_free_mb=10**9))
        with pytest.raises(OSError, match="less than 1000000000 MB are free"):
            store.add(sheaf())
        assert not stores(folder)


class TestAge:
    def test_hours_go_when_they_were_kept_long_enough(self, folder, make, sheaf, clock):
        clock.now_s = hour_begin(hour_of(0)) + 100
        store = make("door", HarvestStoreConfig(keep_days=2, least_free_mb=0))
        for hour in (0, 10, 47):
            store.add(sheaf(hour_of(hour), number=hour))
        store.close()
        for days, left in ((1.9, 3), (2.06, 2), (2.5, 1), (4.1, 0)):
            clock.now_s = hour_begin(hour_of(0)) + days * 86400
            store = make("door", HarvestStoreConfig(keep_days=2, least_free_mb=0))
            store.sweep()
            store.close()
            assert len(stores(folder)) == len(harvest_totals(folder)) == left
        assert not (folder.harvest / "door").exists()

    def test_what_cannot_be_deleted_is_told_of_and_keeps_nothing_else(
        self, folder, make, sheaf, clock, protect, caplog
    ):
        clock.now_s = hour_begin(hour_of(0)) + 100
        store = make("yard")
        for hour in range(3):
            store.add(sheaf(hour_of(hour), number=hour))
        store.close()
        kept = folder.harvest / "yard" / hour_of(1)
        protect(kept)
        clock.now_s += 40 * 86400
        store = make("door")
        for _ in range(3):
            store.sweep()
            store.add(sheaf(hour_of(960)))
        assert sorted(stores(folder)) == [f"door/{hour_of(960)}", f"yard/{hour_of(1)}"]
        assert f"cannot be deleted: [Errno 13] Permission denied: '{kept}" in store.undeleted
        assert caplog.text.count("cannot be deleted") == 1
        protect()
        store.sweep()
        assert (store.undeleted, sorted(stores(folder))) == (None, [f"door/{hour_of(960)}"])
        store.close()

    def test_half_an_hour_that_cannot_be_deleted_keeps_nothing_else(self, folder, make, sheaf, clock, protect, caplog):
        store = make("yard")
        store.add(sheaf(hour_of(0)))
        store.close()
        half = folder.harvest / "yard" / hour_of(0)
        (half / "store.jsonl").unlink()  # whoever deleted it was killed
        protect(half)
        clock.now_s += 40 * 86400
        store = make("door")
        store.sweep()
        store.add(sheaf(hour_of(960)))
        store.close()
        assert "cannot be deleted" in store.undeleted
        assert caplog.text.count("left alone") == 1
        assert len(stores(folder)) == 1

    def test_a_clock_that_was_ahead_keeps_nothing_for_longer(self, folder, make, sheaf, clock):
        store = make()
        store.add(sheaf("20990101-00"))
        store.close()
        for days, left in ((0, 1), (29, 1), (31, 0)):
            store = make()
            clock.now_s = 1_780_000_000 + 86400 * days
            store.sweep()
            store.close()
            assert len(stores(folder)) == left

    def test_a_clock_that_is_behind_deletes_nothing(self, folder, make, sheaf, clock):
        store = make()
        store.add(sheaf(hour_of(0)))
        store.add(sheaf(hour_of(100), number=2))
        store.close()
        for now_s in (0.0, 86400.0 * 20, 1_780_000_000.0 + 3600 * 101):
            clock.now_s = now_s
            store = make()
            store.sweep()
            store.close()
        assert len(stores(folder)) == 2

    def test_an_hour_that_is_over_is_finished(self, folder, make, sheaf, clock):
        clock.now_s = hour_begin(hour_of(0)) + 10
        store = make()
        store.add(sheaf(hour_of(0)))
        store.sweep()
        assert not folder.history.read()
        clock.now_s += 3600
        store.sweep()
        assert [event["event"] for event in folder.history.read()] == ["harvested"]
        store.add(sheaf(hour_of(0), 2))
        store.close()
        assert [len(read) for read in stores(folder).values()] == [4]
