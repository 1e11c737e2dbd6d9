"""The store of a harvest: what it holds, under which names, and who else may write."""

from __future__ import annotations

import numpy as np
import pytest
from harvested import hour_of, stores

from reid.data import DIFFERENT, SAME, UNKNOWN, open_crops
from reid.errors import DataError, InputError
from reid.online.harvest_store import HarvestStoreConfig
from reid.online.hours import camera_folder, hour_begin, hour_name
from reid.online.ledger import harvest_totals
from reid.tracklets import TrackletWriter

pytestmark = pytest.mark.usefixtures("fast_disk")


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

    def test_two_numbers_of_one_tracklet_are_one_person(self, folder, make, sheaf):
        store = make(session="a")
        store.add(sheaf(hour_of(0), 1, (1, 2), identities=(12, 5)))
        store.add(sheaf(hour_of(1), 2, (1, 2), number=1, identities=(17, 5)))
        store.add(sheaf(hour_of(1), 3, (1, 2), number=1, identities=(12, 5)))  # 17 turned out to be 12
        store.close()
        crops = open_crops(folder.harvest)
        assert sorted(crops.kin_names) == [("door, a: 12", "door, a: 17"), ("door, a: 5",)]
        shown = {crops.kin_names[crops.kin[number]] for number in crops.identities.tolist()}
        assert shown == set(crops.kin_names)

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
        ({"most_mb": 0}, "most_mb must be a whole number of at least 1, got 0"),
        ({"keep_days": 0}, "keep_days must be a number above 0"),
        ({"keep_days": float("nan")}, "keep_days must be a number above 0"),
        ({"few_crops": 0}, "few_crops must be a whole number of at least 1"),
        ({"least_free_mb": -1}, "least_free_mb must be a whole number of at least 0"),
        ({"jpeg_quality": 101}, r"jpeg_quality must be a whole number within 1\.\.100"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        HarvestStoreConfig(**wrong)


@pytest.mark.parametrize("rate_hz", [float("nan"), float("inf"), 0, -25.0])
def test_an_impossible_rate_is_refused(make, rate_hz):
    with pytest.raises(InputError, match="rate_hz must be a finite number above 0, got"):
        make(rate_hz=rate_hz)


def test_a_rate_of_any_kind_is_stored(folder, make, sheaf):
    store = make(rate_hz=np.float32(12.5))
    store.add(sheaf())
    store.close()
    [read] = stores(folder).values()
    assert read.runs[0].rate_hz == 12.5
