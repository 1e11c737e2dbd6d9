"""Somebody who is forgotten leaves no trace on the disk."""

from __future__ import annotations

import base64
import itertools
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from reid.data.stores import find_stores
from reid.errors import DataError, InputError
from reid.online import (
    BurstConfig,
    BurstRecorder,
    BurstStore,
    HarvestConfig,
    Harvester,
    HarvestStore,
    HarvestStoreConfig,
    forget,
)
from reid.online.burst import read_burst
from reid.online.burst_store import burst_files
from reid.online.files import read_json, write_json
from reid.online.hours import camera_folder, hour_name
from reid.online.ledger import Ledger, harvest_totals, hour_folders
from reid.tracklets import TrackletWriter, read_tracklets, remove_tracklets, tidying

pytestmark = pytest.mark.usefixtures("fast_disk")
SOMEBODY, OTHER = 7712345678901234567, 88456  # the first is no part of any time


def hour_of(number):
    return hour_name(1_780_000_000 + 3600 * number)


@pytest.fixture
def fill(folder, clock, sheaf):
    """`fill(session, hours)`: two people in each hour, OTHER once under the number of SOMEBODY's track."""
    frames = itertools.count(1)

    def fill(session="s", hours=(0, 1), camera="door", identities=(SOMEBODY, OTHER)):
        store = HarvestStore(folder, HarvestStoreConfig(least_free_mb=0), camera=camera, session=session, clock=clock)
        store.open()
        for hour in hours:
            for _ in range(3):
                began = 1_780_000_000.0 + 3600 * hour
                store.add(sheaf(hour_of(hour), next(frames), (1, 2), number=hour, identities=identities, began=began))
        store.close()

    return fill


def stores(folder):
    return [read_tracklets(path) for path in find_stores(folder.harvest)]


def traces(folder, needles):
    """Files under the folder that hold any of these bytes."""
    files = [path for path in folder.path.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if any(needle in path.read_bytes() for needle in needles)]


def test_no_byte_is_left(folder, fill):
    fill()
    path = find_stores(folder.harvest)[0]
    vector = np.random.default_rng(1).normal(size=64).astype(np.float32)
    with TrackletWriter(path, append=True) as writer:  # as other programs may, with a vector
        writer.begin_run("door", session="s", began_unix_s=0)
        crop = np.random.default_rng(2).integers(0, 256, (24, 12, 3), np.uint8)
        fields = {"identity": SOMEBODY, "frame": 900, "time_s": 900, "box": (0, 0, 12, 24), "score": 1}
        writer.add_crop(writer.next_tracklet, crop, vector=vector, model_hash="aa" * 32, **fields)
        writer.doubt(1, since_s=1e6)
    gone = [(read, row) for read in stores(folder) for row in np.flatnonzero(read.identity == SOMEBODY).tolist()]
    kept = [(read, row) for read in stores(folder) for row in np.flatnonzero(read.identity == OTHER).tolist()]
    needles = [read.picture(row).read_bytes()[-300:] for read, row in gone]
    needles += [str(SOMEBODY).encode(), base64.b64encode(vector.astype("<f2").tobytes()), b'"pairs"', b'"doubt"']
    for stray in ("pictures/000001/00000901.part", ".store.jsonl-draft"):  # of processes that were killed
        (path / stray).write_bytes(needles[0])
    write_json(folder.people, {f"door, s: {SOMEBODY}": True, f"door, s: {OTHER}": False})
    pixels = [read.picture(row).read_bytes() for read, row in kept]
    assert len(gone) == 7
    assert len(traces(folder, needles)) >= 7 + 2 + 2 + 1
    removed = forget(folder, SOMEBODY)
    assert (removed.size.crops, removed.size.tracklets, removed.sessions) == (7, 3, ("s",))
    assert removed.size.disk_bytes >= 7 * 4096
    history = folder.history.path
    told = json.loads(history.read_bytes().splitlines()[-1])
    assert told == {
        "event": "forgotten", "unix_s": told["unix_s"], "camera": "door", "identity": SOMEBODY,
        "sessions": ["s"], "numbers": [SOMEBODY],
    }  # fmt: skip
    assert traces(folder, needles) == [history], "which says that it was done"
    assert [read.picture(row).read_bytes() for read, row in kept] == pixels, "others are as they were"
    assert sum(total.size.crops for total in harvest_totals(folder)) == 6
    assert read_json(folder.people) == {f"door, s: {OTHER}": False}


@pytest.fixture
def renumbered(folder, clock, sheaf):
    """`renumbered(session)`: one tracklet of two crops, one under 33, one under the number of SOMEBODY."""

    def renumbered(session="s"):
        store = HarvestStore(folder, HarvestStoreConfig(least_free_mb=0), camera="door", session=session, clock=clock)
        store.open()
        for frame, identities in ((50, (33,)), (51, (SOMEBODY,))):
            store.add(sheaf(hour_of(3), frame, (1,), number=9, identities=identities, began=1_780_010_800.0))
        store.close()

    return renumbered


@pytest.fixture
def burst(folder, clock):
    """`burst(identities, session)`: a burst in which these are reported, and a picture of its own; its path."""
    image = np.random.default_rng(5).integers(0, 256, (100, 100, 3), np.uint8)

    def burst(identities, session="s", camera="door", finish=True):
        config = BurstConfig(first_s=0, length_s=5, least_s=1)
        store = HarvestStore(folder, HarvestStoreConfig(least_free_mb=0), camera=camera, session=session)
        recorder = BurstRecorder(BurstStore.beside(store, config, clock=clock))
        for time_s in range(4):
            boxes = [[0, 0, 50, 100], [50, 0, 100, 100]]
            recorder.observe(image, boxes=boxes, scores=[1, 1], time_s=time_s, ids=identities)
        if not finish:
            return recorder
        recorder.close()
        return burst_files(folder.replay / camera)[-1]

    return burst


class TestBursts:
    def test_every_burst_goes_in_which_somebody_was(self, folder, fill, burst):
        fill()
        theirs, others = burst([SOMEBODY, OTHER]), burst([OTHER])
        earlier = burst([SOMEBODY], session="monday")
        picture = read_burst(theirs).jpegs[0][-300:]
        for stray in (".000009.npz-draft", ".000010.npz-draft"):  # of processes that were killed
            theirs.with_name(stray).write_bytes(picture)
        assert {theirs, others, earlier} <= set(traces(folder, [picture]))
        removed = forget(folder, SOMEBODY)
        assert (removed.bursts, removed.sessions, removed.elsewhere) == (1, ("s",), ("monday",))
        assert sorted(traces(folder, [picture])) == sorted([others, earlier])
        assert forget(folder, SOMEBODY, session="all").bursts == 1
        assert list(folder.replay.rglob("*.npz*")) == [others]

    def test_so_do_those_in_which_the_same_track_had_another_number(self, folder, clock, sheaf, burst):
        store = HarvestStore(folder, HarvestStoreConfig(least_free_mb=0), camera="door", session="s", clock=clock)
        store.open()
        store.add(sheaf(frame=1, pieces=(1, 2), identities=(5, 6)))
        store.add(sheaf(frame=2, pieces=(1, 2), identities=(SOMEBODY, 6)))
        store.close()
        before, other = burst([5]), burst([6])
        assert forget(folder, SOMEBODY).bursts == 1
        assert not before.exists()
        assert other.exists()

    def test_each_session_has_its_own_numbers(self, folder, renumbered, burst):
        renumbered("monday")
        theirs, stranger = burst([33], session="monday"), burst([33], session="tuesday")
        write_json(folder.people, {"door, monday: 33": True, "door, tuesday: 33": True})
        with folder.lock_tracker(session="tuesday", camera="door"):
            assert forget(folder, SOMEBODY, session="all").told
        assert (theirs.exists(), stranger.exists()) == (False, True)
        assert read_json(folder.people) == {"door, tuesday: 33": True}
        told = [(event["sessions"], event["numbers"]) for event in folder.history.read()[-2:]]
        assert told == [(["tuesday"], [SOMEBODY]), (["monday"], [33, SOMEBODY])]

    @pytest.mark.parametrize(("number", "kept"), [(SOMEBODY, 0), (33, 2)])
    def test_one_that_cannot_be_deleted_holds_no_more_back_than_it_must(
        self, folder, fill, renumbered, burst, monkeypatch, number, kept
    ):
        """Crops stay where they alone say that a burst which is left is of the same track."""
        renumbered()
        fill("monday", identities=(SOMEBODY, OTHER))
        stays, others = burst([number]), [burst([SOMEBODY]), burst([33]), burst([SOMEBODY], session="monday")]
        unlink = Path.unlink

        def refused(path, missing_ok=False):
            if path == stays:
                raise PermissionError(1, "Operation not permitted", str(path))
            unlink(path, missing_ok=missing_ok)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", refused)
            with pytest.raises(DataError, match=rf"{8 - kept} crops and 3 bursts .*not permitted: .*{stays.name}"):
                forget(folder, SOMEBODY, session="all")
        assert [path.exists() for path in others] == [False] * 3
        assert crops(folder) == 6 + kept
        assert (forget(folder, SOMEBODY, session="all").size.crops, stays.exists()) == (kept, False)

    def test_drafts_that_cannot_be_deleted_keep_nothing_else(self, folder, fill, burst):
        fill()
        theirs = burst([SOMEBODY])
        draft = theirs.with_name(".000009.npz-draft")
        draft.mkdir()
        with pytest.raises(DataError, match=r"6 crops and 1 bursts .* directory: .*000009\.npz-draft"):
            forget(folder, SOMEBODY)
        assert not theirs.exists()

    def test_who_is_in_a_burst_alone_is_forgotten_as_well(self, folder, burst):
        path = burst([SOMEBODY], camera="roof")
        with pytest.raises(InputError, match="camera must be one that was harvested, roof, got 'door'"):
            forget(folder, SOMEBODY, camera="door")
        assert (forget(folder, SOMEBODY).sessions, path.exists()) == (("s",), False)

    def test_a_burst_that_is_being_recorded_never_comes_to_be(self, folder, fill, burst):
        fill()
        recorder = burst([SOMEBODY], finish=False)
        assert wait_for(lambda: list(folder.replay.rglob("*draft")))
        assert forget(folder, SOMEBODY).bursts == 0
        recorder.close()
        assert recorder.failure is None
        assert not list(folder.replay.rglob("*.npz*"))

    def test_nor_does_one_that_gets_its_draft_afterwards(self, folder, clock, burst, monkeypatch):
        begin, go_on = BurstStore.begin, threading.Event()

        def late(store, began_unix_s):
            assert go_on.wait(10)
            return begin(store, began_unix_s)

        monkeypatch.setattr(BurstStore, "begin", late)
        recorder = burst([SOMEBODY], finish=False)
        clock.now_s += 1
        forget(folder, SOMEBODY, clock=clock)
        go_on.set()
        recorder.close()
        assert burst_files(folder.replay) == []
        monkeypatch.undo()
        clock.now_s += 1
        assert burst([OTHER]).exists()
        forget(folder, SOMEBODY, clock=lambda: clock.now_s + 1e6)  # by a clock that is ahead
        before = burst_files(folder.replay)
        assert burst([OTHER]) not in before

    def test_nobody_knows_who_is_in_a_damaged_one(self, folder, fill, burst):
        fill()
        damaged = burst([OTHER])
        damaged.write_bytes(damaged.read_bytes()[:-500])
        assert forget(folder, SOMEBODY).bursts == 1
        assert not damaged.exists()


def wait_for(condition, timeout_s=10):
    """What a condition comes to, once it is true."""
    end_s = time.monotonic() + timeout_s
    while not (found := condition()) and time.monotonic() < end_s:
        time.sleep(0.01)
    return found


def test_a_tracklet_that_shows_somebody_goes_as_a_whole(folder, clock, sheaf):
    store = HarvestStore(folder, HarvestStoreConfig(least_free_mb=0), camera="door", clock=clock)
    store.open()
    store.add(sheaf(frame=1, pieces=(1, 2), identities=(5, 6)))
    store.add(sheaf(frame=2, pieces=(1, 2), identities=(SOMEBODY, 6)))
    store.close()
    assert forget(folder, SOMEBODY).size.crops == 2
    assert [read.identity.tolist() for read in stores(folder)] == [[6, 6]]


class TestNumbersBeforeACorrection:
    """Pieces of the same track may have been reported under the earlier number alone."""

    @pytest.fixture
    def corrected(self, folder, clock, sheaf):
        """Piece 1 under 12; piece 3, of the next hour, under 12 and then 17; piece 4 under 12; OTHER beside them."""
        store = HarvestStore(folder, HarvestStoreConfig(least_free_mb=0), camera="door", session="s", clock=clock)
        store.open()
        for frame, (hour, piece, number) in enumerate(((0, 1, 12), (1, 3, 12), (1, 3, 17), (2, 4, 12)), 1):
            began = 1_780_000_000.0 + 3600 * hour
            store.add(sheaf(hour_of(hour), frame, (piece, 9), number=hour, identities=(number, OTHER), began=began))
        store.close()

    def test_what_was_harvested_of_them_goes_as_well(self, folder, corrected, fill):
        fill("monday", hours=(5,), identities=(12, OTHER))
        gone = forget(folder, 17, session="s")
        assert (gone.size.crops, gone.size.tracklets, gone.also) == (4, 3, (12,))
        assert sorted({number for read in stores(folder) for number in read.identity.tolist()}) == [12, OTHER]
        assert forget(folder, 12, session="monday").size.crops == 3, "another start has numbers of its own"

    @pytest.mark.parametrize("tidied", range(6))
    def test_a_second_attempt_finishes_what_a_killed_one_began(self, folder, corrected, monkeypatch, tidied):
        left = [tidying.tidy_tracklets] * tidied

        def killed(*args, **more):
            if not left:
                raise KeyboardInterrupt
            return left.pop()(*args, **more)

        with monkeypatch.context() as patch:
            patch.setattr("reid.online.forgetting.tidy_tracklets", killed)
            with pytest.raises(KeyboardInterrupt):
                forget(folder, 17)
        forget(folder, 17)
        assert {number for read in stores(folder) for number in read.identity.tolist()} == {OTHER}

    def test_whoever_calls_again_is_told_of_them(self, folder, corrected):
        path = folder.harvest / "door" / hour_of(0) / "store.jsonl"
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b'"version":1', b'"version":3', 1))
        with pytest.raises(DataError, match=r"Forget 17 of the same session, and 12 of session s, again once"):
            forget(folder, 17)
        path.write_bytes(whole)
        assert forget(folder, 17).size.crops == 0, "nobody knows any more"
        assert forget(folder, 12).size.crops == 1


def test_a_number_means_somebody_in_one_start_of_the_tracker(folder, fill):
    fill("monday", (0,))
    fill("tuesday", (1, 2))
    removed = forget(folder, SOMEBODY)
    assert (removed.size.crops, removed.sessions, removed.elsewhere) == (6, ("tuesday",), ("monday",))
    assert forget(folder, OTHER, session="monday").elsewhere == ("tuesday",)
    assert forget(folder, OTHER, session="sunday").sessions == ()
    assert forget(folder, OTHER, session="all").size.crops == 6
    assert [read.identity.tolist() for read in stores(folder) if len(read)] == [[SOMEBODY] * 3]


def test_a_number_means_somebody_at_one_camera(folder, fill):
    fill("a", camera="door")
    fill("b", camera="yard/2")
    with pytest.raises(InputError, match="camera must be given, since identities of several are harvested"):
        forget(folder, SOMEBODY)
    with pytest.raises(InputError, match=r"camera must be one that was harvested, door, yard_2-\w+, got 'roof'"):
        forget(folder, SOMEBODY, camera="roof")
    assert forget(folder, SOMEBODY, camera="yard/2").sessions == ("b",)
    assert forget(folder, SOMEBODY, camera="door").sessions == ("a",)


def test_nobody_is_forgotten_of_whom_nothing_is_known(folder, fill):
    assert forget(folder, 5).sessions == ()
    fill()
    before = [path.read_bytes() for path in sorted(folder.harvest.rglob("*.jsonl"))]
    assert forget(folder, 5).size.crops == 0
    assert [path.read_bytes() for path in sorted(folder.harvest.rglob("*.jsonl"))] == before
    assert [event["event"] for event in folder.history.read()] == ["harvested", "harvested"]


@pytest.mark.parametrize("number", [10**20, -(2**63) - 1, 1.0, True])
def test_numbers_that_nobody_has(folder, fill, number):
    with pytest.raises(InputError, match="identity must be a whole number within"):
        forget(folder, number)


def test_other_trackers_may_number_from_0(folder, fill):
    fill(identities=(0, 1))
    assert forget(folder, 0).size.crops == 6
    assert {number for read in stores(folder) for number in read.identity.tolist()} == {1}


def test_a_second_attempt_finishes_what_a_killed_one_began(folder, fill, monkeypatch):
    fill(hours=(0,))
    pictures = len(list(folder.harvest.rglob("*.jpg")))
    with monkeypatch.context() as patch:

        def killed(*args):
            raise KeyboardInterrupt

        patch.setattr(
            "reid.tracklets.tidying.delete_strangers", lambda folder, known: None if len(known) == 2 else killed()
        )
        with pytest.raises(KeyboardInterrupt):
            forget(folder, SOMEBODY)
    assert len(list(folder.harvest.rglob("*.jpg"))) == pictures, "records went first"
    assert forget(folder, SOMEBODY).size.crops == 0
    assert len(list(folder.harvest.rglob("*.jpg"))) == pictures - 3


def test_what_an_interrupted_attempt_leaves_has_nobody_among_those_held_out(folder, fill, monkeypatch):
    fill(hours=(0,))
    write_json(folder.people, {f"door, s: {SOMEBODY}": True, f"door, s: {OTHER}": False})

    def killed(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("reid.online.forgetting._delete_rounds", killed)
        with pytest.raises(KeyboardInterrupt):
            forget(folder, SOMEBODY)
    assert read_json(folder.people) == {f"door, s: {OTHER}": False}


def test_whom_a_round_notes_meanwhile_is_not_left_among_those_held_out(folder, fill, monkeypatch):
    fill(hours=(0,))

    def meanwhile(*_args):
        write_json(folder.people, {f"door, s: {SOMEBODY}": True, f"door, s: {OTHER}": False})
        return 0, []

    monkeypatch.setattr("reid.online.forgetting.forget_bursts", meanwhile)
    forget(folder, SOMEBODY)
    assert read_json(folder.people) == {f"door, s: {OTHER}": False}


def test_notes_that_are_damaged_keep_no_pictures(folder, fill):
    fill(hours=(0,))
    pictures = len(list(folder.harvest.rglob("*.jpg")))
    folder.people.write_text("{half")
    (folder.training / "1").mkdir(parents=True)
    with pytest.raises(DataError, match=r"people\.json is damaged"):
        forget(folder, SOMEBODY)
    assert len(list(folder.harvest.rglob("*.jpg"))) == pictures - 3
    assert not folder.training.exists()


def test_an_hour_that_lost_its_records_keeps_nobody_from_being_forgotten(folder, fill):
    fill(hours=(0,))
    left = folder.harvest / "door" / hour_of(3) / "pictures" / "000001" / "00000007.jpg"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"a picture that nobody speaks of")
    assert forget(folder, SOMEBODY).size.crops == 3
    assert not left.exists()


def test_an_hour_that_cannot_be_read_keeps_nobody_in_the_others(folder, fill):
    fill(hours=(0, 1, 2))
    path = folder.harvest / "door" / hour_of(1) / "store.jsonl"
    damaged = path.read_bytes().replace(b'"version":1', b'"version":3', 1)
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=rf"6 crops .* of session s, .*{path}.*delete that hour's folder") as told:
        forget(folder, SOMEBODY, session="s")
    assert hour_of(0) not in str(told.value)
    assert sum(total.size.crops for total in harvest_totals(folder)) == 6, "of the other one, in the other hours"
    assert path.read_bytes() == damaged
    with pytest.raises(DataError, match=r"^0 crops .* of session none"):
        forget(folder, SOMEBODY, session="s")


def test_a_full_disk_keeps_nobody_in_the_hours_that_need_no_room_to_be_looked_through(folder, fill, burst, monkeypatch):
    fill(hours=(0, 1))
    theirs = burst([SOMEBODY])
    half, whole = find_stores(folder.harvest)
    with (half / "store.jsonl").open("ab") as file:
        file.write(b'{"half')  # as a killed process leaves it
    write = tidying.write_whole

    def full(path, data):
        if path.parent == half:
            raise OSError(28, "No space left on device")
        write(path, data)

    with monkeypatch.context() as patch, folder.lock_tracker(session="s", camera="door"):
        patch.setattr(tidying, "write_whole", full)
        with pytest.raises(DataError, match=rf"3 crops and 1 bursts .* is told, but .*{half} cannot be .*: No space"):
            forget(folder, SOMEBODY)
    assert not theirs.exists()
    assert SOMEBODY not in read_tracklets(whole).identity
    assert forget(folder, SOMEBODY).size.crops == 3


def test_strays_that_cannot_be_deleted_keep_nothing_else(folder, fill, monkeypatch):
    fill(hours=(0,))
    (folder.harvest / "door" / hour_of(3)).mkdir()

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("reid.online.forgetting.remove_tracklets", refused)
    with pytest.raises(DataError, match=rf"3 crops .*Permission denied: .*{hour_of(3)}"):
        forget(folder, SOMEBODY)


def test_where_an_hour_cannot_be_read_nobody_guesses_which_session_was_the_last(folder, fill):
    fill(hours=(0, 1))
    path = folder.harvest / "door" / hour_of(1) / "store.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":3', 1))
    noted = folder.starts.read_bytes()
    folder.starts.unlink()
    before = crops(folder)
    with pytest.raises(DataError, match=rf"nothing is deleted: .*{path}.* Name the session, or all for all of them"):
        forget(folder, SOMEBODY)
    assert crops(folder) == before
    folder.starts.write_bytes(noted)
    with pytest.raises(DataError, match=rf"^3 crops .* of session s, but not all could be done: {path}"):
        forget(folder, SOMEBODY)


def test_pictures_that_cannot_be_deleted_are_told(folder, fill, monkeypatch):
    fill(hours=(0,))
    kept = folder.training / "1" / "harvest" / "door" / "17.jpg"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"picture")

    def refused(path, ignore_errors=False):
        if not ignore_errors:
            raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch, folder.lock_tracker(session="s", camera="door"):
        patch.setattr("shutil.rmtree", refused)
        with pytest.raises(DataError, match=r"3 crops .* and the tracker that runs is told, but .*Permission denied"):
            forget(folder, SOMEBODY)
    assert folder.history.read()[-1]["sessions"] == ["s"]
    forget(folder, SOMEBODY)
    assert not kept.exists()


def test_what_waits_for_a_slow_disk_is_forgotten_as_well(folder, monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (200, 400, 3), np.uint8)
    boxes = [[10, 10, 60, 150], [210, 10, 260, 150]]
    add = HarvestStore.add

    def slowly(store, sheaf):
        time.sleep(0.03)
        add(store, sheaf)

    monkeypatch.setattr(HarvestStore, "add", slowly)
    store = HarvestStore(folder, HarvestStoreConfig(least_free_mb=0), camera="door")
    with Harvester(store, HarvestConfig(least_age_s=0, least_sharpness=0)) as harvester:
        for k in range(20):
            harvester.observe(image, ids=[SOMEBODY, OTHER], boxes=boxes, scores=[1, 1], time_s=k / 2)
        until_s = time.monotonic() + 10
        while not harvester.counts.written and time.monotonic() < until_s:
            time.sleep(0.01)
        assert forget(folder, SOMEBODY).size.crops == 20
        assert not traces(folder, [str(SOMEBODY).encode()])[1:], "but for the history"
    assert sum(map(len, stores(folder))) == 20


def test_a_tracker_lets_go_and_goes_on(folder):
    """Forgetting waits for the thread that writes, and that one goes on with new pieces."""
    image = np.random.default_rng(0).integers(0, 256, (200, 400, 3), np.uint8)
    boxes = [[10, 10, 60, 150], [210, 10, 260, 150]]
    config = HarvestConfig(least_age_s=0, least_sharpness=0)
    store = HarvestStore(folder, HarvestStoreConfig(least_free_mb=0), camera="door")
    with Harvester(store, config) as harvester:
        for k in range(20):
            harvester.observe(image, ids=[SOMEBODY, OTHER], boxes=boxes, scores=[1, 1], time_s=k / 2)
        harvester.flush()
        assert forget(folder, SOMEBODY).size.crops == 20
        assert not traces(folder, [str(SOMEBODY).encode()])[1:], "but for the history"
        for k in range(20, 30):
            harvester.observe(image, ids=[1, OTHER], boxes=boxes, scores=[1, 1], time_s=k / 2)
        harvester.flush()
        assert harvester.failure is None
    found = stores(folder)
    assert sum(map(len, found)) == 40
    for read in found:
        for tracklet in np.unique(read.tracklet):
            assert len(set(read.identity[read.tracklet == tracklet].tolist())) == 1


def remove_hours(folder, camera):
    ledger = Ledger(folder.harvest)
    for name, hour in hour_folders(folder.harvest):
        if name == camera:
            ledger.remove((name, hour))


def crops(folder):
    return sum(total.size.crops for total in harvest_totals(folder))


class TestWhichStartIsMeant:
    """Without a name it is the last one, and no earlier one, whatever is there of the number."""

    def test_a_second_call_takes_nobody_else(self, folder, fill):
        fill(session="before")
        fill(session="now", hours=(2,))
        with folder.lock_tracker(session="now", camera="door"):
            assert forget(folder, SOMEBODY).sessions == ("now",)
            again = forget(folder, SOMEBODY)
            assert (again.sessions, again.elsewhere, again.told) == ((), ("before",), True)
        assert forget(folder, SOMEBODY).sessions == (), "nor once it has ended"
        assert crops(folder) == 12 + 3
        assert forget(folder, SOMEBODY, session="before").sessions == ("before",)

    def test_nor_does_one_for_somebody_of_whom_nothing_was_harvested(self, folder, fill):
        fill(session="before")
        with folder.lock_tracker(session="now", camera="door"):
            gone = forget(folder, SOMEBODY)
        assert (gone.sessions, gone.elsewhere, gone.told, crops(folder)) == ((), ("before",), True, 12)
        event = folder.history.read()[-1]
        assert (event["numbers"], event["sessions"]) == ([SOMEBODY], ["now"])

    def test_where_nobody_said_so_it_is_the_last_of_which_anything_is_there(self, folder, fill, burst):
        fill(session="before")
        fill(session="now", hours=(2,), identities=(1, OTHER))
        gone = forget(folder, SOMEBODY)
        assert (gone.sessions, gone.elsewhere, crops(folder)) == ((), ("before",), 18)
        assert forget(folder, OTHER).sessions == ("now",)

    @pytest.mark.parametrize("hours", [(2,), ()], ids=["something", "nothing"])
    def test_nor_does_one_where_another_camera_had_its_turn(self, folder, fill, hours):
        fill(session="before")
        fill(session="now", hours=hours)
        fill(session="other", camera="yard")
        with folder.lock_tracker(session="other", camera="yard"):
            for sessions in (("now",) * len(hours), ()):
                gone = forget(folder, SOMEBODY, camera="door")
                assert (gone.sessions, gone.elsewhere, gone.told) == (sessions, ("before",), False)
                remove_tracklets(folder.harvest / "door" / hour_of(2))  # its time has come
        assert crops(folder) == 12 + 12

    def test_a_file_that_was_tracked_faster_than_it_was_filmed_was_not_the_last(self, folder, clock):
        image = np.random.default_rng(0).integers(0, 256, (200, 400, 3), np.uint8)
        steady = type(clock)(0.0)

        def track(session, camera, length_s):
            store = HarvestStore(
                folder, HarvestStoreConfig(least_free_mb=0), camera=camera, session=session, clock=clock
            )
            config = HarvestConfig(least_age_s=0, least_sharpness=0)
            with Harvester(store, config, wall=clock, steady=steady) as harvester:
                for time_s in np.arange(0, length_s, 0.5).tolist():
                    harvester.observe(image, ids=[SOMEBODY], boxes=[[10, 10, 60, 150]], scores=[1], time_s=time_s)
                    clock.now_s += 0.05  # ten times as fast
                    steady.now_s += 0.05
                assert harvester.flush()
            clock.now_s += 1
            steady.now_s += 1
            return harvester.counts.written

        written = [track("first", "door", 60), track("second", "door", 10), track("other", "yard", 10)]
        gone = forget(folder, SOMEBODY, camera="door", clock=clock)
        assert (gone.sessions, gone.elsewhere, gone.size.crops) == (("second",), ("first",), written[1])
        assert crops(folder) == written[0] + written[2]

    def test_nor_was_one_that_was_dated_by_a_clock_that_was_ahead(self, folder, fill):
        fill(session="before", hours=(50,))
        fill(session="now", hours=(1,))
        gone = forget(folder, SOMEBODY)
        assert (gone.sessions, gone.elsewhere) == (("now",), ("before",))

    @pytest.mark.parametrize("noted", [None, b"{half", b'{"door": 3}'])
    def test_where_the_note_is_lost_nobody_guesses(self, folder, fill, noted):
        fill(session="before", hours=(0,))
        fill(session="now", hours=(0,))
        folder.starts.unlink() if noted is None else folder.starts.write_bytes(noted)
        with pytest.raises(DataError, match=r"nothing is deleted: .*nobody noted it of now, before\. Name the session"):
            forget(folder, SOMEBODY)
        assert forget(folder, SOMEBODY, session="all").sessions == ("now", "before"), "the latest first"
        fill(session="next", hours=(1,))
        assert forget(folder, SOMEBODY).sessions == ("next",), "whoever begins next notes it anew"

    def test_cameras_are_noted_as_long_as_anything_of_them_is_there(self, folder, fill, burst):
        for camera in ("door", "roof", "yard"):
            fill(camera=camera)
            assert burst([OTHER], camera=camera).exists()
        remove_hours(folder, "door")
        remove_hours(folder, "roof")
        burst_files(folder.replay / "door")[0].unlink()
        fill(session="now", camera="gate")
        assert read_json(folder.starts) == {"roof": "s", "yard": "s", "gate": "now"}

    def test_nothing_is_harvested_of_a_start_that_cannot_be_noted(self, folder, fill, monkeypatch):
        def full(*_args):
            raise OSError(28, "No space left on device")

        fill(session="before")
        monkeypatch.setattr("reid.online.starts.write_json", full)
        with pytest.raises(OSError, match="No space left"):
            fill(session="now")
        assert crops(folder) == 12

    def test_a_camera_of_which_nothing_was_harvested_is_one(self, folder, fill):
        fill(session="before")
        with folder.lock_tracker(session="now", camera="yard 2"):
            with pytest.raises(InputError, match=r"camera must be given, .*: one of door, yard_2-\w+$"):
                forget(folder, SOMEBODY)
            for name in ("yard 2", camera_folder("yard 2")):
                assert forget(folder, SOMEBODY, camera=name).told
                assert folder.history.read()[-1]["sessions"] == ["now"]
            assert crops(folder) == 12

    def test_another_camera_is_not_meant(self, folder, fill):
        fill(session="before")
        with folder.lock_tracker(session="now", camera="yard 2"):
            for session in (None, "all"):
                fill(session="before")
                gone = forget(folder, SOMEBODY, camera="door", session=session)
                assert (gone.sessions, gone.told) == (("before",), False)
                assert folder.history.read()[-1]["sessions"] == ["before"]

    def test_a_tracker_that_does_not_say_which_it_is(self, folder, fill):
        fill(session="before")
        with folder.lock_tracker(), pytest.raises(DataError, match="nothing is deleted: a tracker is at work that"):
            forget(folder, SOMEBODY)
        assert crops(folder) == 12


class TestTrackerAtWork:
    """It is told by the history, and obeys where its session is named."""

    def test_it_is_told_which_numbers(self, folder, fill, renumbered):
        fill()
        renumbered()
        with folder.lock_tracker(session="s", camera="door"):
            assert forget(folder, SOMEBODY).told
        event = folder.history.read()[-1]
        assert (event["event"], event["numbers"], event["sessions"]) == ("forgotten", [33, SOMEBODY], ["s"])

    @pytest.mark.parametrize(("session", "meant"), [(None, True), ("all", True), ("now", True), ("before", False)])
    def test_it_may_know_somebody_of_whom_nothing_was_harvested(self, folder, fill, session, meant):
        fill(session="before")
        assert not forget(folder, 5, session=session).told
        with folder.lock_tracker(session="now", camera="door"):
            gone = forget(folder, 5, session=session)
        assert (gone.told, gone.sessions) == (meant, ())
        told = [event["sessions"] for event in folder.history.read() if event["event"] == "forgotten"]
        assert ["now" in sessions for sessions in told] == [True] * meant

    def test_it_is_told_whatever_else_cannot_be_done(self, folder, fill, monkeypatch):
        fill()
        folder.people.write_text("{half")
        with folder.lock_tracker(session="s", camera="door"):
            with pytest.raises(DataError, match=r"6 crops .* and the tracker that runs is told, but .*people"):
                forget(folder, SOMEBODY)
            assert folder.history.read()[-1]["sessions"] == ["s"]
            write_json(folder.people, {f"door, s: {SOMEBODY}": True, f"door, t: {SOMEBODY}": True})
            assert forget(folder, SOMEBODY).told
            assert read_json(folder.people) == {f"door, t: {SOMEBODY}": True}, "once more, with no pictures left"

    def test_a_guard_that_hangs_keeps_no_pictures(self, folder, fill, monkeypatch):
        fill()
        monkeypatch.setattr("reid.online.folder._PATIENCE_S", 0.01)
        with folder.lock_tracker(session="s", camera="door"):
            with (
                folder.guard(),
                pytest.raises(DataError, match=r"6 crops .* could not be told, .* locked by"),
            ):
                forget(folder, SOMEBODY)
            assert not traces(folder, [str(SOMEBODY).encode()])
            assert forget(folder, SOMEBODY).told

    def test_it_is_told_all_numbers_even_where_somebody_is_killed_halfway(self, folder, renumbered, monkeypatch):
        renumbered()

        def killed(*_args):
            raise KeyboardInterrupt

        with folder.lock_tracker(session="s", camera="door"):
            for name in ("forget_bursts", "_forget_in", "_delete_rounds"):
                with monkeypatch.context() as patch:
                    patch.setattr(f"reid.online.forgetting.{name}", killed)
                    with pytest.raises(KeyboardInterrupt):
                        forget(folder, SOMEBODY)
            forget(folder, SOMEBODY)
        assert crops(folder) == 0
        told = [event["numbers"] for event in folder.history.read() if event["event"] == "forgotten"]
        assert told == [[33, SOMEBODY]] * 3 + [[SOMEBODY]], "before the crops went that say so"

    def test_it_is_told_all_numbers_once_a_full_disk_has_room(self, folder, renumbered, monkeypatch):
        renumbered()
        append = folder.history.append

        def full(*args, **fields):
            if crops(folder):
                raise OSError(28, "No space left on device")
            append(*args, **fields)

        monkeypatch.setattr(folder.history, "append", full)
        with folder.lock_tracker(session="s", camera="door"):
            assert forget(folder, SOMEBODY).told
        assert (folder.history.read()[-1]["numbers"], crops(folder)) == ([33, SOMEBODY], 0)

    @pytest.mark.parametrize("session", ["all", "s"])
    def test_one_that_does_not_say_which_it_is_cannot_be_told(self, folder, fill, session):
        fill()
        with folder.lock_tracker(), pytest.raises(DataError, match=r"6 crops .* could not be told: end it"):
            forget(folder, SOMEBODY, session=session)
        assert folder.history.read()[-1]["sessions"] == ["s"]

    def test_where_it_cannot_be_told_somebody_says_so(self, folder, fill, renumbered, monkeypatch):
        fill()
        renumbered()

        def full(*_args, **_fields):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(folder.history, "append", full)
        with (
            folder.lock_tracker(session="s", camera="door"),
            pytest.raises(DataError, match=f"could not be told, .*: forget each of 33, {SOMEBODY} of session s again"),
        ):
            forget(folder, SOMEBODY)
        assert not traces(folder, [str(SOMEBODY).encode()])
        forget(folder, OTHER)  # nobody runs
