"""The bounded store of a harvest: what it holds, how it shrinks, and that it opens again whatever happened."""

from __future__ import annotations

import logging
import subprocess

import numpy as np
import pytest

from reid.data import DIFFERENT, SAME, UNKNOWN, open_crops
from reid.data.stores import find_stores
from reid.errors import DataError, InputError
from reid.online.harvest_store import HarvestStore, HarvestStoreConfig
from reid.online.hours import camera_folder, hour_begin, hour_name
from reid.online.ledger import harvest_totals
from reid.tracklets import TrackletWriter, read_tracklets

pytestmark = pytest.mark.usefixtures("fast_disk")
ROOMY = HarvestStoreConfig(least_free_mb=0)


def hour_of(number):
    return hour_name(1_780_000_000 + 3600 * number)


@pytest.fixture
def make(folder, clock):
    """`make(camera)` opens a store."""

    def make(camera="door", config=ROOMY, **more):
        store = HarvestStore(folder, config, camera=camera, clock=clock, **more)
        store.open()
        return store

    return make


def stores(folder):
    return {path.relative_to(folder.harvest).as_posix(): read_tracklets(path) for path in find_stores(folder.harvest)}


class TestWhatIsStored:
    def test_everything_comes_back(self, folder, make, sheaf):
        store = make(session="s1", rate_hz=25.0)
        store.add(sheaf(frame=1, pieces=(5, 9), identities=(70, 90)))
        store.add(sheaf(frame=7, pieces=(9,), identities=(90,)))
        store.close()
        [(name, read)] = stores(folder).items()
        assert name == "door/20260601-10"
        assert read.tracklet.tolist() == [1, 2, 2]
        assert read.identity.tolist() == [70, 90, 90]
        assert read.frame.tolist() == [1, 1, 7]
        assert read.together.tolist() == [[1, 2]]
        assert read.scores.tolist() == [0.9] * 3
        [run] = read.runs
        assert (run.source, run.rate_hz, run.began_unix_s, run.session) == ("door", 25.0, 1_780_000_000.0, "s1")

    def test_each_hour_and_camera_has_a_store_and_training_reads_all(self, folder, make, sheaf):
        for camera in ("door", "yard"):
            store = make(camera)
            for number in range(3):
                for frame in (1, 2, 3):
                    store.add(sheaf(hour_of(number), frame, (1, 2), number=number))
            store.close()
        assert len(stores(folder)) == 6
        crops = open_crops(folder.harvest)
        assert len(crops) == 36
        assert len(crops.identities) == 12
        relations = crops.relations(np.arange(36))
        assert (relations == SAME).sum() == 12 * 9
        assert (relations == DIFFERENT).sum() == 12 * 9
        assert (relations == UNKNOWN).sum() == 36 * 36 - 2 * 12 * 9

    def test_one_number_may_be_one_person_in_all_hours_of_a_session(self, folder, make, sheaf):
        for session in ("a", "b"):
            store = make(session=session)
            for number in range(2):
                store.add(sheaf(hour_of(number), 1, (1, 2), number=number))
            store.close()
        crops = open_crops(folder.harvest)
        assert len(crops.identities) == 8
        kin = {name: int(crops.kin[number]) for number, name in enumerate(crops.names)}
        assert len(set(kin.values())) == 4, "two people in each of two sessions"

    def test_two_stretches_of_one_hour_share_no_piece(self, folder, make, sheaf):
        store = make()
        store.add(sheaf(pieces=(1, 2), number=1))
        store.add(sheaf(pieces=(1, 2), number=2, frame=2, began=1_780_000_500.0))
        store.add(sheaf(pieces=(1, 2), number=1, frame=3))
        store.close()
        [read] = stores(folder).values()
        assert read.tracklet.tolist() == [1, 2, 3, 4, 5, 6]
        assert [run.began_unix_s for run in read.runs] == [1_780_000_000.0, 1_780_000_500.0, 1_780_000_000.0]

    def test_a_restart_goes_on_in_the_same_hour(self, folder, make, sheaf):
        for session in ("a", "b"):
            store = make(session=session)
            store.add(sheaf(pieces=(1, 2)))
            store.close()
        [read] = stores(folder).values()
        assert read.tracklet.tolist() == [1, 2, 3, 4]
        assert [run.session for run in read.runs] == ["a", "b"]

    def test_what_came_in_doubt_leaves_the_disk(self, folder, make, sheaf):
        store = make()
        for frame in range(6):
            store.add(sheaf(frame=frame, pieces=(1, 2)))
        store.add(sheaf(frame=6, pieces=(), doubts={2: 4.0, 99: 0.0}))
        store.close()
        [read] = stores(folder).values()
        assert read.frame[read.tracklet == 2].tolist() == [0, 1, 2, 3]
        assert len(list(folder.harvest.rglob("*.jpg"))) == 10

    def test_the_history_says_what_was_harvested(self, folder, make, sheaf):
        store = make()
        store.add(sheaf(hour_of(0)))
        store.add(sheaf(hour_of(1), pieces=(1,), number=2))
        store.close()
        assert [(e["event"], e["camera"], e["hour"], e["crops"]) for e in folder.history.read()] == [
            ("harvested", "door", hour_of(0), 2), ("harvested", "door", hour_of(1), 1),
        ]  # fmt: skip


class TestNames:
    @pytest.mark.parametrize("camera", ["door", "clip.mp4", "cam-2_b", "7"])
    def test_plain_names_are_kept(self, camera):
        assert camera_folder(camera) == camera

    def test_others_are_made_safe_and_stay_apart(self):
        awkward = [
            "",
            ".",
            "..",
            "a/b",
            "a:b",
            "../../etc",
            ".hidden",
            "__pycache__",
            "x" * 300,
            "Hof süd",
            "caf\udce9",
            "\0",
        ]
        folders = [camera_folder(camera) for camera in awkward]
        assert len(set(folders)) == len(awkward)
        assert all(name.isascii() and name[0] not in "._" and "/" not in name and len(name) < 64 for name in folders)

    def test_hours(self):
        assert hour_begin(hour_name(1_780_000_000)) == 1_780_000_000 // 3600 * 3600
        assert hour_name(-1e99) == "19700101-00"
        assert hour_name(1e99) == "99991231-23"
        for name in ("notes", "20261301-00", "20260101-25", "20260101"):
            assert hour_begin(name) is None


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


class TestOpeningAgain:
    def test_what_a_killed_process_left_is_put_in_order(self, folder, make, sheaf, caplog):
        store = make()
        store.add(sheaf(hour_of(0)))
        store.close()
        path = folder.harvest / "door" / hour_of(0)
        with (path / "store.jsonl").open("ab") as file:
            file.write(b'{"kind":"crop","tracklet":1,"frame":9,"bytes":10}\n{"kind":"cr')
        (path / "pictures/000001/00000044.jpg").write_bytes(b"without a record")
        half_removed = folder.harvest / "door" / hour_of(1) / "pictures" / "000001"
        half_removed.mkdir(parents=True)
        (half_removed / "00000001.jpg").write_bytes(b"of a store whose records are gone")
        store = make()
        with caplog.at_level(logging.WARNING):
            assert [len(read) for read in stores(folder).values()] == [2]
        assert not caplog.text
        assert not half_removed.parent.parent.exists()
        assert [total.size.crops for total in store.totals()] == [2]

    def test_hours_that_did_not_change_are_not_read_again(self, folder, make, sheaf, monkeypatch):
        store = make()
        for hour in range(3):
            store.add(sheaf(hour_of(hour), number=hour))
        store.close()
        import reid.online.ledger as ledger

        real, read = ledger.tidy_tracklets, []
        monkeypatch.setattr(ledger, "tidy_tracklets", lambda path: read.append(path.name) or real(path))
        again = make()
        assert read == []
        assert again.totals() == store.totals()
        (folder.harvest / "door" / hour_of(1) / "store.jsonl").touch()
        make()
        assert read == [hour_of(1)]

    @pytest.mark.parametrize(
        "content", ["", "{", "[1]", '{"hours": 5}', '{"hours": {"door": {}}}', '{"hours": {"a/b": {"stamp": null}}}']
    )
    def test_totals_that_are_damaged_are_counted_anew(self, folder, make, sheaf, content):
        store = make()
        store.add(sheaf())
        store.close()
        (folder.harvest / "totals.json").write_text(content)
        assert make().totals() == store.totals() == harvest_totals(folder)

    def test_what_is_no_store_is_left_alone(self, folder, make, sheaf):
        (folder.harvest / "notes").mkdir(parents=True)
        (folder.harvest / "notes" / "readme.txt").write_text("mine")
        (folder.harvest / "door").write_text("a file in the way")
        store = make("yard")
        store.add(sheaf())
        store.close()
        assert (folder.harvest / "notes" / "readme.txt").read_text() == "mine"
        store = make("door")
        with pytest.raises(OSError, match="door"):
            store.add(sheaf())

    def test_a_store_of_a_later_version_is_left_alone(self, folder, make, sheaf, caplog):
        later = folder.harvest / "door" / "20260601-10"
        later.mkdir(parents=True)
        (later / "store.jsonl").write_text('{"schema":"reidtrack.tracklets","version":2}\n')
        store = make()
        assert "must be of version 1 or lower, got 2" in caplog.text
        with pytest.raises(DataError, match="version 1 or lower"):
            store.add(sheaf())
        store.add(sheaf(hour_of(5)))
        store.close()
        assert (later / "store.jsonl").read_text().endswith("2}\n")

    def test_a_damaged_hour_costs_what_is_damaged(self, folder, make, sheaf):
        store = make()
        for frame in range(10):
            store.add(sheaf(frame=frame))
        store.close()
        path = folder.harvest / "door" / "20260601-10" / "store.jsonl"
        lines = path.read_bytes().split(b"\n")
        lines[0] = b"\x00" * len(lines[0])
        lines[5] = lines[5][:10]
        path.write_bytes(b"\n".join(lines))
        store = make()
        store.add(sheaf(frame=20))
        store.close()
        assert [len(read) for read in stores(folder).values()] == [21]


class TestOthers:
    def test_a_store_that_another_one_writes_is_left_alone(self, folder, make, sheaf):
        path = folder.harvest / "door" / "20260601-10"
        with TrackletWriter(path):
            store = make()
            with pytest.raises(DataError, match="is being written by another process"):
                store.add(sheaf())
        store.add(sheaf())
        store.close()
        assert [len(read) for read in stores(folder).values()] == [2]

    def test_two_cameras_at_once_share_the_cap(self, folder, make, sheaf):
        config = HarvestStoreConfig(most_mb=1, least_free_mb=0)
        door, yard = make("door", config), make("yard", config)
        for frame in range(1, 90):
            door.add(sheaf(frame=frame, pieces=(1, 2)))
            yard.add(sheaf(frame=frame, pieces=(1, 2)))
            if frame % 10 == 0:
                door.sweep()
                yard.sweep()
        door.close()
        yard.close()
        taken = sum(total.size.disk_bytes for total in harvest_totals(folder))
        assert taken <= 1_100_000
        assert {name.split("/")[0] for name in stores(folder)} == {"door", "yard"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"most_mb": 0}, "most_mb must be 1 or more, got 0"),
        ({"keep_days": 0}, "keep_days must be more than 0"),
        ({"keep_days": float("nan")}, "keep_days must be more than 0"),
        ({"few_crops": 0}, "few_crops must be 1 or more"),
        ({"least_free_mb": -1}, "least_free_mb must be 0 or more"),
        ({"jpeg_quality": 101}, r"jpeg_quality must be within 1\.\.100"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        HarvestStoreConfig(**wrong)
