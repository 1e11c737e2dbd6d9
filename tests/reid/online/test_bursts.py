"""Bursts of what a detector gave: when they are recorded, what is in them, and that they stay few."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid.errors import DataError, InputError
from reid.online import BurstConfig, BurstRecorder, HarvestStore, HarvestStoreConfig, OnlineFolder
from reid.online.burst import read_burst, read_burst_info
from reid.online.burst_recorder import _TAIL_S
from reid.online.burst_store import BurstStore, burst_files, burst_totals
from reid.online.hours import hour_name
from reid.online.proven_clock import note_hour
from tracker import TrackerConfig

IMAGE = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
BOXES = np.array([[10.0, 10, 30, 60], [60, 20, 90, 100], [100, 0, 120, 40], [-5, 100, 20, 140]])
SCORES = [0.9, 0.8, 0.2, 0.6]
CONFIG = BurstConfig(first_s=10, every_s=100, length_s=8, least_s=2)
Record = Callable[..., BurstRecorder]
Clock = Any


@pytest.fixture
def steady(clock: Clock) -> Clock:
    """One that never steps."""
    return type(clock)(0.0)


@pytest.fixture
def record(folder: OnlineFolder, clock: Clock, steady: Clock) -> Iterator[Record]:
    made = []

    def make(config: BurstConfig = CONFIG, camera: str = "door", session: str = "s", **more: Any) -> BurstRecorder:
        kept = HarvestStoreConfig(**{"least_free_mb": 0, "keep_days": 2} | more)
        store = HarvestStore(folder, kept, camera=camera, session=session, clock=clock)
        bursts = BurstStore.beside(store, config, clock=clock, steady=steady)
        made.append(BurstRecorder(bursts, tracker={"high_score": 0.5}))
        return made[-1]

    yield make
    for each in made:
        each.close()


def show(recorder: BurstRecorder, begin_s: float, end_s: float, ids: Any = (1, 2), **more: Any) -> None:
    """Two frames a second; all is seen in each."""
    for time_s in np.arange(begin_s, end_s, 0.5).tolist():
        recorder.observe(IMAGE, **{"boxes": BOXES, "scores": SCORES, "time_s": time_s, "ids": ids} | more)


def test_all_that_was_detected_is_kept(folder: OnlineFolder, record: Record, clock: Clock) -> None:
    with record() as recorder:
        show(recorder, 0, 18, classes=[0, 2, 0, 0])
        show(recorder, 18, 22.5, ids=[3])  # a moment later somebody has a number
        show(recorder, 23, 60, ids=[4])
    (path,) = burst_files(folder.path)
    assert path == folder.replay / "door" / "000001.npz"
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    burst = read_burst(path)
    info = burst.info
    assert info == read_burst_info(path)
    assert (info.camera, info.session, info.identities, info.frame_size) == ("door", "s", (1, 2, 3), (160, 120))
    assert (info.began_unix_s, info.tracker) == (clock(), {"high_score": 0.5})
    np.testing.assert_array_equal(burst.time_s, np.arange(10, 18, 0.5))
    np.testing.assert_array_equal(burst.first, np.arange(17) * 4)
    np.testing.assert_array_equal(burst.boxes, np.tile(BOXES, (16, 1)).astype(np.float32))
    np.testing.assert_array_equal(burst.scores, np.tile(SCORES, 16).astype(np.float32))
    assert burst.classes[:4].tolist() == [0, 2, 0, 0]
    crops = burst.crops(np.array([5, 7]))
    assert [crop.shape for crop in crops] == [(80, 30, 3), (20, 20, 3)]
    assert np.abs(crops[0].astype(int) - IMAGE[20:100, 60:90]).mean() < 12
    with pytest.raises(DataError, match=r"pictures of the detections \[1, 2\]"):
        burst.crops(np.array([1, 2]))


@pytest.mark.parametrize("of", [np.float32, np.float64])
def test_a_score_that_a_tracker_just_takes_has_a_crop(folder: OnlineFolder, clock: Clock, of: Any) -> None:
    """Trackers compare float32: 0.7 passes there, though float64(float32(0.7)) is below 0.7."""
    store = HarvestStore(folder, HarvestStoreConfig(least_free_mb=0), camera="door", session="s")
    with BurstRecorder(BurstStore.beside(store, CONFIG, clock=clock), least_score=0.7) as recorder:
        show(recorder, 0, 20, scores=np.array([0.7, 0.7, 0.69, 0.2], of))
    (path,) = burst_files(folder.replay)
    burst = read_burst(path)
    passed = np.flatnonzero(burst.scores >= np.float32(0.7))
    assert len(passed) == len(burst.crops(passed)) == 2 * len(burst.time_s)
    assert not any(burst.jpegs[row] for row in np.flatnonzero(burst.scores < np.float32(0.7)))


def test_it_waits_for_two_and_for_its_turn(folder: OnlineFolder, record: Record) -> None:
    with record() as recorder:
        show(recorder, 0, 50, boxes=BOXES[:1], scores=[0.9])
        show(recorder, 50, 400)
    began = [read_burst(path).time_s[0] for path in burst_files(folder.replay)]
    assert began == [50, 150, 250, 350]
    assert recorder.bursts == 4


def test_empty_frames_count_and_crops_are_made_smaller(folder: OnlineFolder, record: Record) -> None:
    with record(BurstConfig(first_s=0, length_s=8, most_side_px=16)) as recorder:
        show(recorder, 0, 1)
        show(recorder, 1, 6, boxes=[], scores=[])
        show(recorder, 6, 8)
    burst = read_burst(burst_files(folder.replay)[0])
    assert np.diff(burst.first).tolist() == [4, 4, *[0] * 10, 4, 4, 4, 4]
    assert burst.crops(np.array([0]))[0].shape == (16, 6, 3)


def test_the_end_of_a_source_ends_a_burst(folder: OnlineFolder, record: Record) -> None:
    with record() as recorder:
        show(recorder, 0, 15)  # five seconds of it
        show(recorder, 0, 11)  # another source; one second of a burst
        show(recorder, 0, 5)
    assert [len(read_burst(path).time_s) for path in burst_files(folder.replay)] == [10]
    assert not list(folder.replay.rglob("*draft"))


def test_a_burst_ends_where_it_grows_too_large(folder: OnlineFolder, record: Record) -> None:
    large = np.random.default_rng(0).integers(0, 256, (800, 800, 3), np.uint8)
    whole = [[0, 0, 800, 800]] * 2  # 1.6 MB as JPEG
    with record(BurstConfig(first_s=0, every_s=1000, length_s=8, least_s=1, burst_mb=5, most_side_px=800)) as recorder:
        for time_s in np.arange(0, 20, 0.5).tolist():
            recorder.observe(large, boxes=whole, scores=[1, 1], time_s=time_s)
            _settle(recorder)
    (path,) = burst_files(folder.replay)
    assert 5e6 < path.stat().st_size < 8e6
    assert 3 <= len(read_burst(path).time_s) < 16


def _settle(recorder: BurstRecorder) -> None:
    """Wait until what was handed over is done."""
    done = threading.Event()
    recorder._jobs.put((None, done.set))
    assert done.wait(10)


def test_a_slow_disk_ends_it_and_keeps_nobody_waiting(
    folder: OnlineFolder, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    begin = BurstStore.begin

    def late(store: BurstStore, began_unix_s: float) -> Path | None:
        assert go_on.wait(10)
        return begin(store, began_unix_s)

    monkeypatch.setattr(BurstStore, "begin", late)
    large = np.zeros((400, 400, 3), np.uint8)
    with record(BurstConfig(first_s=0, every_s=1000, length_s=60, least_s=1, queue_mb=10)) as recorder:
        began = time.perf_counter()
        for time_s in np.arange(0, 40, 0.5).tolist():  # 1 MB a frame
            recorder.observe(large, boxes=[[0, 0, 400, 400]] * 2, scores=[1, 1], time_s=time_s)
        assert time.perf_counter() - began < 5
        go_on.set()
    assert len(read_burst(burst_files(folder.replay)[0]).time_s) == 10


class TestBounds:
    def test_the_last_ones_are_kept(self, folder: OnlineFolder, record: Record) -> None:
        with record(BurstConfig(first_s=10, every_s=100, length_s=8, bursts=2)) as recorder:
            show(recorder, 0, 400)
        with record(camera="yard") as recorder:
            show(recorder, 0, 20)
        kept = [path.relative_to(folder.replay).as_posix() for path in burst_files(folder.replay)]
        assert kept == ["door/000003.npz", "door/000004.npz", "yard/000001.npz"]
        totals = burst_totals(folder)
        assert [(total.camera, total.bursts) for total in totals] == [("door", 2), ("yard", 1)]
        assert totals[1].disk_bytes == (folder.replay / "yard" / "000001.npz").stat().st_size

    def test_all_cameras_together_take_no_more_than_they_may(self, folder: OnlineFolder, record: Record) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
        config = BurstConfig(first_s=0, every_s=20, length_s=4, least_s=1, most_mb=7, most_side_px=300)
        for camera, end_s in (("yard", 10), ("door", 60)):
            with record(config, camera=camera) as recorder:
                for time_s in np.arange(0, end_s, 0.5).tolist():  # 2.8 MB a burst
                    recorder.observe(noise, boxes=[[0, 0, 300, 300]] * 2, scores=[1, 1], time_s=time_s)
        assert sum(total.disk_bytes for total in burst_totals(folder)) <= 7e6
        assert [total.camera for total in burst_totals(folder)] == ["door", "yard"], "who has most gives"

    def test_they_expire(self, folder: OnlineFolder, record: Record, clock: Clock, steady: Clock) -> None:
        with record() as recorder:
            show(recorder, 0, 25)
            _settle(recorder)
            assert len(burst_files(folder.replay)) == 1
            clock.now_s += 86400 * 3
            steady.now_s += 86400 * 3
            show(recorder, 25, 110, boxes=[], scores=[], ids=[])
        assert burst_files(folder.replay) == []

    def test_a_clock_that_is_ahead_after_a_start_costs_none(
        self, folder: OnlineFolder, record: Record, clock: Clock, steady: Clock
    ) -> None:
        with record() as recorder:
            show(recorder, 0, 20)
        clock.now_s += 5 * 365 * 86400
        with record() as recorder:
            show(recorder, 0, 5)
            _settle(recorder)
            clock.now_s -= 5 * 365 * 86400  # a time server was asked
            steady.now_s += 3600
            recorder._store.tidy()
        assert len(burst_files(folder.replay)) == 1

    def test_in_short_runs_they_go_by_the_run_before(self, folder: OnlineFolder, record: Record, clock: Clock) -> None:
        left = []
        for day in (0, 1, 2, 3, 4):  # they are kept for two
            with record() as recorder:
                show(recorder, 0, 20 if day == 0 else 5)
            note_hour(folder.clock, hour_name(clock()))  # as the harvest does
            left.append(len(burst_files(folder.replay)))
            clock.now_s += 86400
        assert left == [1, 1, 1, 1, 0]

    def test_a_clock_that_is_behind_for_a_while_costs_none_and_one_that_was_ahead_keeps_none_for_ever(
        self, folder: OnlineFolder, record: Record, clock: Clock, steady: Clock
    ) -> None:
        left = []
        with record() as recorder:
            show(recorder, 0, 25)
            for days in (-5, 1, 2):  # they are kept for two
                clock.now_s += 86400 * days
                recorder._store.tidy()  # which sees the step
                clock.now_s += 600
                steady.now_s += 600
                recorder._store.tidy()
                _settle(recorder)
                left.append(len(burst_files(folder.replay)))
        assert left == [1, 1, 0]

    def test_what_cannot_be_deleted_is_told_of_and_keeps_nothing_else(
        self,
        folder: OnlineFolder,
        record: Record,
        clock: Clock,
        steady: Clock,
        protect: Callable[..., None],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        (folder.replay / "yard").mkdir(parents=True)
        half, other = (folder.replay / "yard" / f".{number:06d}.npz-draft" for number in (7, 8))
        for draft in (half, other):
            draft.write_bytes(b"pictures")
        protect(half)
        with record(camera="yard") as recorder:
            _settle(recorder)
            assert (half.name in str(recorder.undeleted), recorder.failure) == (True, None)
            show(recorder, 0, 125)
            _settle(recorder)
            assert (half.name in str(recorder.undeleted), recorder.bursts) == (True, 2), "it is still there"
        old, others = burst_files(folder.replay)
        protect(old)
        clock.now_s += 86400 * 3
        with record(BurstConfig(first_s=10, every_s=20, length_s=4, least_s=2, bursts=3)) as recorder:
            show(recorder, 0, 5)
            _settle(recorder)
            for each in (clock, steady):
                each.now_s += 3600
            show(recorder, 5, 200)
            _settle(recorder)
            assert (recorder.bursts, recorder.failure) == (10, None)
            assert str(old) in str(recorder.undeleted)
            assert [path.parent.name for path in burst_files(folder.replay)] == ["door"] * 3 + ["yard"]
            assert not others.exists()
            assert caplog.text.count(str(old)) == 1
            protect()
            recorder._store.tidy()
            assert (recorder.undeleted, old.exists()) == (None, False)
        assert not other.exists()

    def test_one_that_cannot_be_deleted_is_passed_over_where_all_take_too_much(
        self, folder: OnlineFolder, record: Record, protect: Callable[..., None]
    ) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
        config = BurstConfig(first_s=0, every_s=20, length_s=4, least_s=1, most_mb=7, most_side_px=300)
        for end_s in (10, 60):
            with record(config) as recorder:
                for time_s in np.arange(0, end_s, 0.5).tolist():  # 2.8 MB a burst
                    recorder.observe(noise, boxes=[[0, 0, 300, 300]] * 2, scores=[1, 1], time_s=time_s)
            protect(folder.replay / "door" / "000001.npz")
        assert [path.name for path in burst_files(folder.replay)] == ["000001.npz", "000004.npz"]

    def test_others_keep_a_share_where_those_that_cannot_be_deleted_take_too_much(
        self, folder: OnlineFolder, protect: Callable[..., None]
    ) -> None:
        def sized(camera: str, count: int, size: int) -> None:
            (folder.replay / camera).mkdir(parents=True)
            for number in range(1, count + 1):
                (folder.replay / camera / f"{number:06d}.npz").write_bytes(b"x" * size)

        sized("old", 2, 600_000)
        sized("door", 5, 60_000)
        protect(folder.replay / "old")
        store = BurstStore(folder.replay, "door", "s", BurstConfig(most_mb=1), keep_days=30, least_free_mb=0)
        for _ in range(2):
            store.tidy()
            assert [int(path.stem) for path in burst_files(folder.replay / "door")] == [2, 3, 4, 5], "a quarter"
            assert len(burst_files(folder.replay / "old")) == 2
            assert "what should be gone cannot be deleted" in str(store.undeleted)

    def test_what_a_killed_process_left_goes(self, folder: OnlineFolder, record: Record) -> None:
        (folder.replay / "door").mkdir(parents=True)
        left = folder.replay / "door" / ".000007.npz-draft"
        left.write_bytes(b"pictures")
        record().close()
        assert not left.exists()


class TestWhatGoesWrong:
    def test_a_full_disk_costs_the_burst_and_nothing_else(
        self, folder: OnlineFolder, record: Record, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING), record(least_free_mb=10**9) as recorder:
            show(recorder, 0, 200)
        assert "detections are not recorded, tracking goes on: " in caplog.text
        assert "less than 1000000000 MB are free" in (recorder.failure or "")
        assert not list(folder.replay.rglob("*.npz*"))

    def test_a_disk_that_fails_at_the_end(
        self, folder: OnlineFolder, record: Record, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failing = [OSError(28, "No space left on device")]

        def fsync(_file: int) -> None:
            if failing:
                raise failing.pop()

        monkeypatch.setattr("os.fsync", fsync)
        with record() as recorder:
            show(recorder, 0, 60)
            _settle(recorder)
            assert "No space left" in (recorder.failure or "")
            assert not list(folder.replay.rglob("*.npz*"))
            show(recorder, 60, 160)  # the next one tries again
        assert recorder.failure is None
        assert len(burst_files(folder.replay)) == 1

    def test_a_damaged_file_is_told_by_name(self, folder: OnlineFolder, record: Record) -> None:
        with record() as recorder:
            show(recorder, 0, 20)
        (path,) = burst_files(folder.replay)
        for data in (path.read_bytes()[:-200], b"", b"PK\x03\x04 and nothing more"):
            path.write_bytes(data)
            with pytest.raises(DataError, match=r"000001\.npz is damaged.* delete it"):
                read_burst(path)
        with pytest.raises(FileNotFoundError):
            read_burst(Path("nowhere.npz"))

    def test_whatever_bit_is_flipped_in_the_table_of_contents_is_a_damage(
        self, folder: OnlineFolder, record: Record
    ) -> None:
        with record() as recorder:
            show(recorder, 0, 20)
        (path,) = burst_files(folder.replay)
        good = path.read_bytes()
        entry, damaged = good.index(b"PK\x01\x02"), 0  # of the first file in the archive, 46 bytes and its name
        for bit in range(8 * entry, 8 * (entry + 46)):
            data = bytearray(good)
            data[bit // 8] ^= 1 << bit % 8
            path.write_bytes(data)
            try:
                read_burst_info(path)
            except DataError:
                damaged += 1
        assert damaged > 100

    def test_whatever_goes_wrong_the_next_burst_is_recorded(
        self, folder: OnlineFolder, record: Record, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with record() as recorder:
            with monkeypatch.context() as patch:
                patch.setattr(BurstStore, "begin", lambda *_: {}["nobody thought of it"])
                show(recorder, 0, 60)
                _settle(recorder)
            assert recorder.failure == "KeyError('nobody thought of it')"
            show(recorder, 60, 160)
        assert recorder.failure is None
        assert len(burst_files(folder.replay)) == 1

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"boxes": BOXES[:2]}, r"boxes and classes must have 4 rows, as scores"),
            ({"classes": [1]}, r"boxes and classes must have 4 rows, as scores"),
            ({"scores": [0.5, 2, 0, 0]}, "scores must be within 0..1"),
            ({"boxes": np.full((4, 4), np.nan)}, r"boxes\[0\] must be finite"),
            ({"ids": ["a", "b"]}, r"ids must be whole numbers of 64 bits, got \['a', 'b'\]"),
            ({"ids": [2**70]}, "ids must be whole numbers of 64 bits"),
            ({"time_s": np.nan}, "time_s must be a finite number, got nan"),
        ],
    )
    def test_what_does_not_fit_is_refused(
        self, folder: OnlineFolder, record: Record, wrong: dict[str, Any], message: str
    ) -> None:
        with record(BurstConfig(first_s=0)) as recorder, pytest.raises(InputError, match=message):
            show(recorder, 0, 1, **wrong)
        assert not list(folder.replay.rglob("*.npz*"))

    def test_what_is_no_picture_is_refused(self, record: Record) -> None:
        with pytest.raises(InputError, match=r"image must be \(H, W, 3\) uint8 and not empty, got \(120, 160\) uint8"):
            record().observe(IMAGE[:, :, 0], boxes=BOXES, scores=SCORES, time_s=0)

    def test_settings_are_checked(self) -> None:
        for name, value in (("bursts", 0), ("length_s", 0.0), ("first_s", -1.0), ("jpeg_quality", 101)):
            with pytest.raises(InputError, match=name):
                BurstConfig(**{name: value})


def test_numbers_are_taken_down_until_a_tracker_has_made_them_final() -> None:
    """Or `forget` would not find a burst of somebody whose number changed after it."""
    assert TrackerConfig().settle_s < _TAIL_S
