"""Harvesting beside a tracker: what is taken, where tracks are cut, and that tracking never waits or stops."""

from __future__ import annotations

import errno
import logging
import threading
import time

import cv2
import numpy as np
import pytest

from reid.data.stores import find_stores
from reid.errors import InputError
from reid.online import FileLock
from reid.online.harvest import Harvester
from reid.online.harvest_config import HarvestConfig
from reid.online.harvest_store import HarvestStore, HarvestStoreConfig
from reid.online.hours import hour_begin, hour_name
from reid.online.proven_clock import noted_unix_s
from reid.tracklets import read_tracklets

IMAGE = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
PLAIN = {"least_age_s": 0.0, "least_sharpness": 0.0}


def box(x, y=100, width=40, height=100):
    return [x, y, x + width, y + height]


class Scene:
    """Feeds a harvester with {track: box}."""

    def __init__(self, folder, clock, store=None, **config):
        self.folder, self.clock = folder, clock
        self.start_s = clock()
        self.steady_s = 0.0
        store = store or HarvestStore(folder, HarvestStoreConfig(least_free_mb=0), camera="door", clock=clock)
        config = HarvestConfig(**PLAIN | config)
        self.harvester = Harvester(store, config, wall=clock, steady=lambda: self.steady_s)

    def show(self, time_s, boxes, **more):
        self.clock.now_s += time_s - self.steady_s
        self.steady_s = time_s
        fields = {"scores": np.full(len(boxes), 0.9)} | more
        return self.harvester.observe(IMAGE, ids=list(boxes), boxes=list(boxes.values()), time_s=time_s, **fields)

    def walk(self, boxes, seconds=2.0, begin_s=0.0, rate_hz=10, speed_px=0.0, **more):
        """Everybody goes to the right; how many crops were taken."""
        taken = 0
        for k in range(round(seconds * rate_hz)):
            way_px = speed_px * k
            moved = {track: [b[0] + way_px, b[1], b[2] + way_px, b[3]] for track, b in boxes.items()}
            taken += self.show(begin_s + k / rate_hz, moved, **more)
        return taken

    def read(self):
        self.harvester.close()
        return [read_tracklets(path) for path in find_stores(self.folder.harvest)]


@pytest.fixture
def scene(folder, clock):
    made = []

    def make(**more):
        made.append(Scene(folder, clock, **more))
        return made[-1]

    yield make
    for each in made:
        each.harvester.close()


class TestWhatIsTaken:
    def test_two_crops_a_second_and_track(self, scene):
        each = scene()
        assert each.walk({7: box(50), 8: box(300)}, seconds=3, rate_hz=25, speed_px=1) == 12
        [read] = each.read()
        assert read.identity.tolist() == [7, 8] * 6
        assert np.diff(read.time_s[::2]).min() >= 0.5 - 1e-3
        assert read.together.tolist() == [[1, 2]]
        x1, y1, x2, y2 = read.boxes[0].astype(int)
        stored = cv2.imread(str(read.picture(0))).astype(int)
        assert np.abs(stored - IMAGE[y1:y2, x1:x2]).mean() < 12, "what was in the box"
        assert each.harvester.counts.written == 12

    def test_no_more_where_the_box_jumps_all_the_time(self, scene):
        each = scene()
        whole, half = box(50, height=200), box(50, height=90)
        assert sum(each.show(k / 10, {1: half if k % 2 else whole}) for k in range(30)) == 6

    @pytest.mark.parametrize(("rate_hz", "told"), [(2.0, 0), (1.9, 1), (1.0, 1)])
    def test_frames_that_come_too_rarely_are_told_of_once(self, scene, caplog, rate_hz, told):
        each = scene(least_age_s=0.5)
        assert (each.walk({1: box(50)}, seconds=60, rate_hz=rate_hz) == 0) == bool(told)
        assert caplog.text.count(f"frames come {1 / rate_hz:.2f} s apart") == told
        assert caplog.text.count("not seen for more than 0.5 s (cut.longest_gap_s)") == told

    def test_who_stays_for_long_gives_ever_fewer(self, scene):
        each = scene(dense=4)
        assert each.walk({1: box(50)}, seconds=40, rate_hz=4) == 4 + 4 + 4 + 4 + 1

    @pytest.mark.parametrize(
        ("boxes", "more"),
        [
            ({1: box(50, height=40)}, {}),
            ({1: box(50)}, {"scores": [0.4]}),
            ({1: box(1)}, {}), ({1: box(599)}, {}), ({1: box(50, y=379)}, {}), ({1: box(50, y=-5)}, {}),
            ({1: box(50)}, {"seen": [False]}),
            ({1: box(50)}, {"covered": [0.6]}),
            ({1: [np.nan, 0, 10, 10]}, {}),
            ({1: box(900)}, {}),
            ({}, {}),
        ],
    )  # fmt: skip
    def test_what_is_not_worth_it(self, scene, boxes, more):
        each = scene()
        assert each.walk(boxes, seconds=1, **more) == 0
        assert each.read() == []

    def test_who_is_behind_somebody_gives_none(self, scene):
        each = scene()
        each.walk({1: box(100), 2: box(115, y=60, height=80)}, seconds=1)
        [read] = each.read()
        assert set(read.identity.tolist()) == {1}
        assert 0.2 < read.covered[0] < 0.5
        assert read.together.shape == (0, 2), "whom no crop shows is not spoken of"

    def test_young_tracks_give_none(self, scene):
        each = scene(least_age_s=0.5)
        assert each.walk({1: box(50)}, seconds=0.5) == 0
        assert each.show(0.5, {1: box(50)}) == 1

    def test_blurred_crops_are_left_out(self, scene):
        each = scene(least_sharpness=0.012)
        each.harvester.observe(np.full((480, 640, 3), 128, np.uint8), ids=[1], boxes=[box(50)], scores=[1], time_s=0)
        each.show(0.6, {1: box(50)})
        each.harvester.flush()
        assert (each.harvester.counts.written, each.harvester.counts.blurred) == (1, 1)

    def test_large_crops_are_made_smaller(self, scene):
        each = scene(most_side_px=64)
        each.show(0, {1: box(50, y=10, width=100, height=400)})
        [read] = each.read()
        assert cv2.imread(str(read.picture(0))).shape == (64, 16, 3)
        np.testing.assert_allclose(read.boxes[0], box(50, y=10, width=100, height=400))

    def test_the_callers_picture_may_change_at_once(self, scene):
        each = scene()
        image = IMAGE.copy()
        each.harvester.observe(image, ids=[1], boxes=[box(50)], scores=[1], time_s=0)
        image[:] = 0
        [read] = each.read()
        assert cv2.imread(str(read.picture(0))).mean() > 50

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"boxes": [box(1), box(2)]}, r"boxes must have shape \(1, 4\), as many rows as ids, got \(2, 4\)"),
            ({"scores": []}, r"scores must have shape \(1,\)"),
            ({"seen": [True, False]}, r"seen must have shape \(1,\)"),
            (
                {"ids": [3, 3], "boxes": [box(1), box(2)], "scores": [1, 1]},
                r"ids must be different numbers, got \[3, 3\]",
            ),
            ({"ids": ["a"]}, r"ids must be whole numbers of 64 bits, got \['a'\]"),
            ({"ids": ["1"]}, r"ids must be whole numbers of 64 bits, got \['1'\]"),
            ({"ids": [1.5]}, r"ids must be whole numbers of 64 bits, got \[1\.5\]"),
            ({"ids": [2**70]}, "ids must be whole numbers of 64 bits"),
            ({"ids": np.array([2**63 + 5], np.uint64)}, "ids must be whole numbers of 64 bits"),
            ({"time_s": float("nan")}, "time_s must be a finite number, got nan"),
            ({"time_s": "noon"}, "time_s must be a finite number, got 'noon'"),
            ({"doubted": {1: float("inf")}}, "doubted must be a finite number, got inf"),
            ({"frame": -1}, "frame must be a whole number of at least 0, got -1"),
            ({"frame": 1.5}, r"frame must be a whole number of at least 0, got 1\.5"),
            ({"scores": ["high"]}, "scores must be numbers: could not convert"),
            ({"boxes": [[1, 2], [3]]}, "boxes must be numbers: setting an array element"),
            ({"classes": [2**70]}, "classes must be numbers: "),
            ({"image": IMAGE[:, :, 0]}, r"image must be \(H, W, 3\) uint8 and not empty, got \(480, 640\) uint8"),
            ({"image": IMAGE / 255}, r"image must be \(H, W, 3\) uint8 and not empty, got \(480, 640, 3\) float64"),
            ({"image": IMAGE[:0]}, r"image must be \(H, W, 3\) uint8 and not empty, got \(0, 640, 3\) uint8"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, scene, wrong, message):
        right = {"image": IMAGE, "ids": [1], "boxes": [box(1)], "scores": [1], "time_s": 0}
        with pytest.raises(InputError, match=message):
            scene().harvester.observe(**right | wrong)

    def test_numbers_of_any_kind_are_taken(self, scene):
        each = scene()
        for k in range(10):
            each.harvester.observe(
                IMAGE, ids=np.array([7], np.uint64), boxes=[box(50)], scores=[1], time_s=np.float32(k / 8),
                frame=np.int64(k), doubted={np.int64(7): np.float32(0)} if k == 8 else None,
            )  # fmt: skip
        [read] = each.read()
        assert read.frame.tolist() == [8], "what was seen before is taken back"
        assert each.harvester.counts.written == 3

    def test_a_box_of_one_pixel_has_a_crop(self, scene):
        each = scene()
        each.walk({1: [301.5, 60, 302.5, 260], 2: box(50)}, seconds=1)
        [read] = each.read()
        assert each.harvester.counts.written == 4
        assert cv2.imread(str(read.picture(0))).shape == (200, 1, 3)


class TestWhereTracksAreCut:
    def pieces(self, each):
        """Tracklets by identity."""
        [read] = each.read()
        return {number: sorted(set(read.tracklet[read.identity == number].tolist())) for number in set(read.identity)}

    def test_at_gaps(self, scene):
        each = scene()
        each.walk({1: box(50)})
        each.walk({1: box(60)}, begin_s=2.6)
        assert self.pieces(each) == {1: [1, 2]}

    def test_where_two_cross(self, scene):
        each = scene()
        for k in range(41):
            each.show(k / 10, {1: box(100 + 4 * k), 2: box(260 - 4 * k)})
        assert {number: len(pieces) for number, pieces in self.pieces(each).items()} == {1: 2, 2: 2}

    @pytest.mark.parametrize("there", [box(120), box(50, y=180), box(50, height=170), box(50, width=90)])
    def test_where_motion_jumps(self, scene, there):
        each = scene()
        each.walk({1: box(50)})
        each.walk({1: there}, begin_s=2)
        assert self.pieces(each) == {1: [1, 2]}

    def test_not_where_somebody_runs(self, scene):
        each = scene()
        each.walk({1: box(50)}, speed_px=18, rate_hz=10, seconds=3)
        assert self.pieces(each) == {1: [1]}

    def test_where_the_tracker_says_so(self, scene):
        each = scene()
        each.walk({1: box(50), 2: box(200)})
        each.show(2.0, {1: box(50), 2: box(200)}, broken=[1])
        each.walk({1: box(50), 2: box(200)}, begin_s=2.1)
        assert self.pieces(each) == {1: [1, 3], 2: [2]}

    def test_not_where_it_goes_on_under_another_number(self, scene):
        each = scene()
        each.walk({1: box(50)})
        each.show(2.0, {5: box(50)}, renamed={1: 5})
        each.walk({5: box(50)}, begin_s=2.1)
        assert self.pieces(each) == {1: [1], 5: [1]}

    def test_what_turned_out_to_be_somebody_else_is_taken_back(self, scene):
        each = scene()
        each.walk({1: box(50)}, seconds=4)
        each.show(4.0, {1: box(50)}, doubted={1: 2.2})
        each.walk({1: box(50)}, begin_s=4.1, seconds=1)
        [read] = each.read()
        assert read.time_s[read.tracklet == 1].tolist() == [0, 0.5, 1, 1.5, 2]
        assert read.tracklet[read.time_s >= 4].tolist() == [2] * 3

    def test_pairs_are_told_once_both_have_a_crop(self, scene):
        each = scene()
        small = {"scores": [0.9, 0.2]}
        each.walk({1: box(50), 2: box(300)}, seconds=1, **small)
        each.walk({1: box(50), 2: box(300)}, begin_s=1, seconds=1)
        [read] = each.read()
        assert read.together.tolist() == [[1, 2]]


class TestClocks:
    def test_a_new_hour_is_a_new_store_on_one_clock(self, scene, clock):
        clock.now_s = hour_begin(hour_name(clock.now_s)) + 3590
        began = clock.now_s
        each = scene()
        each.walk({1: box(50), 2: box(300)}, seconds=20, rate_hz=4)
        first, second = each.read()
        for read in (first, second):
            assert read.runs[0].began_unix_s == pytest.approx(began)
            assert read.together.tolist() == [[1, 2]], "told in each hour"
        assert first.time_s.max() < 10 <= second.time_s.min()
        assert first.runs[0].session == second.runs[0].session

    @pytest.mark.parametrize("step_s", [-86400.0 * 365 * 30, 7200.0, 1e12])
    def test_a_clock_that_is_set_cuts_and_is_followed(self, scene, clock, step_s):
        each = scene()
        began = clock.now_s
        each.walk({1: box(50)}, rate_hz=4)
        clock.now_s += step_s
        each.walk({1: box(50)}, begin_s=2, rate_hz=4)
        reads = each.read()
        assert sorted(read.runs[0].began_unix_s for read in reads) == pytest.approx(sorted([began, began + step_s]))
        assert sum(map(len, reads)) == 8

    def test_a_source_that_begins_anew_is_another_run(self, scene):
        each = scene()
        each.walk({1: box(50)})
        for k in range(10):
            each.harvester.observe(IMAGE, ids=[1], boxes=[box(50)], scores=[1], time_s=k / 10)
        [read] = each.read()
        assert read.run.tolist() == [1, 1, 1, 1, 2, 2]
        assert read.tracklet.tolist() == [1, 1, 1, 1, 2, 2]

    def test_nothing_is_deleted_for_its_age_right_after_a_step(self, scene, clock, folder):
        each = scene()
        each.walk({1: box(50)})
        each.harvester.flush()
        clock.now_s += 86400 * 365
        each.walk({1: box(50)}, begin_s=2)
        each.harvester.flush()
        time.sleep(0.6)  # the thread looks after the store several times
        assert len(find_stores(folder.harvest)) == 2
        clock.now_s += 700
        each.steady_s = 700.0
        deadline = time.monotonic() + 120
        while len(find_stores(folder.harvest)) == 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(find_stores(folder.harvest)) == 1

    def test_a_clock_that_is_ahead_at_the_start_deletes_nothing(self, scene, clock, folder):
        right_s = clock.now_s
        for ahead_s in (0, 5 * 365 * 86400, 0, 6 * 365 * 86400):
            clock.now_s = right_s = right_s + 86400
            clock.now_s += ahead_s
            each = scene()
            each.walk({1: box(50)})
            each.harvester.flush()
            time.sleep(0.6)  # the thread looks after the store several times
            clock.now_s -= ahead_s  # a time server was asked
            each.walk({1: box(50)}, begin_s=61)
            each.harvester.flush()
            time.sleep(0.6)
            each.harvester.close()
        hours = [path.name for path in find_stores(folder.harvest)]
        assert len(hours) == 6
        assert hours[:4] == [hour_name(right_s - 86400 * days) for days in (3, 2, 1, 0)]

    def test_a_clock_that_is_set_right_at_the_end_of_a_run_is_noted_so(self, scene, clock, folder):
        right_s, clock.now_s = clock.now_s, 0.0
        each = scene()
        each.walk({1: box(50)})
        each.harvester.flush()
        clock.now_s = right_s
        each.harvester.close()
        assert noted_unix_s(folder.clock) == hour_begin(hour_name(right_s))

    def test_short_runs_delete_what_is_old(self, scene, clock, folder):
        begin_s, days = clock.now_s, []
        for day in (0, 29, 30, 31, 32, 33):
            clock.now_s = begin_s + 86400 * day
            each = scene()
            each.walk({1: box(50)})
            each.harvester.flush()
            time.sleep(0.6)  # the thread looks after the store several times
            each.harvester.close()
            if hour_name(begin_s) in [path.name for path in find_stores(folder.harvest)]:
                days.append(day)
        assert days == [0, 29, 30, 31], "the run before found it too old already"

    def test_nothing_is_deleted_for_its_age_by_a_clock_that_was_set_while_nobody_was_seen(self, scene, clock, folder):
        each = scene()
        each.walk({1: box(50)})
        each.harvester.flush()
        clock.now_s += 86400 * 365
        each.steady_s += 120  # a sweep is due
        time.sleep(1)  # the thread looks after the store several times
        assert len(find_stores(folder.harvest)) == 1


def until(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "it never came to pass"
        time.sleep(0.01)


class BrokenStore(HarvestStore):
    """Fails, or waits, where it is told to."""

    error: Exception | None = None
    gate: threading.Event | None = None

    def add(self, sheaf):
        if self.gate is not None:
            self.gate.wait(120)
        if self.error is not None:
            raise self.error
        super().add(sheaf)


class TestItNeverStopsTracking:
    @pytest.fixture
    def store(self, folder, clock):
        return BrokenStore(folder, HarvestStoreConfig(least_free_mb=0), camera="door", clock=clock)

    def test_a_disk_that_fails_pauses_with_one_warning_and_goes_on_later(self, scene, store, folder, caplog):
        each = scene(store=store, retry_s=100)
        store.error = OSError(errno.ENOSPC, "No space left on device")
        with caplog.at_level(logging.WARNING):
            for k in range(5):
                each.show(k, {1: box(50)})
                each.harvester.flush()
        assert "No space left" in each.harvester.failure
        assert each.harvester.counts.paused == 5
        each.steady_s = 200.0
        each.show(200, {1: box(50)})
        each.harvester.flush()
        store.error = None
        each.show(250, {1: box(50)})
        each.harvester.flush()
        assert each.harvester.counts.written == 0, "not before it is time"
        each.show(301, {1: box(50)})
        each.harvester.flush()
        assert (each.harvester.counts.written, each.harvester.failure) == (1, None)
        assert caplog.text.count("harvesting pauses, tracking goes on") == 1
        assert [(e["event"], e["by"]) for e in folder.history.read()] == [("paused", "harvest"), ("resumed", "harvest")]

    @pytest.mark.parametrize(
        ("error", "failure"),
        [
            (TypeError("Object of type int64 is not JSON serializable"), "TypeError('Object of type int64"),
            (ZeroDivisionError(), "ZeroDivisionError()"),
        ],
    )
    def test_nothing_ends_the_thread(self, scene, store, folder, caplog, error, failure):
        each = scene(store=store, retry_s=100)
        store.error = error
        each.show(0, {1: box(50)})
        assert each.harvester.flush()
        assert each.harvester.failure.startswith(failure)
        store.error = None
        each.show(101, {1: box(50)})
        assert each.harvester.flush()
        counts = each.harvester.counts
        assert (counts.paused, counts.written, counts.crowded_out, each.harvester.failure) == (1, 1, 0, None)
        assert caplog.text.count(f"harvesting pauses, tracking goes on: {failure}") == 1

    def test_who_may_not_ask_whether_somebody_is_to_be_forgotten_harvests_nothing(self, scene, store, monkeypatch):
        def refuse():
            raise PermissionError(errno.EACCES, "Permission denied", "lock.harvest")

        each = scene(store=store, retry_s=0)
        each.show(0, {1: box(50)})
        assert each.harvester.flush()
        monkeypatch.setattr(store, "is_wanted", refuse)
        until(lambda: each.harvester.failure)
        assert "lock.harvest" in each.harvester.failure
        each.show(1, {1: box(50)})
        assert each.harvester.flush()
        assert (each.harvester.counts.written, each.harvester.counts.paused) == (1, 1)
        monkeypatch.undo()
        each.show(2, {1: box(50)})
        assert each.harvester.flush()
        assert (each.harvester.counts.written, each.harvester.failure) == (2, None)

    def test_a_process_that_does_not_let_go_is_told_of(self, scene, store, folder, caplog):
        each = scene(store=store)
        each.show(0, {1: box(50)})
        assert each.harvester.flush()
        rested = threading.Event()
        rest = store.rest
        store.rest = lambda: (rest(), rested.set())
        with FileLock.attempt(folder.harvest_lock):
            assert rested.wait(120)
            assert each.harvester.failure is None, "not at once"
            each.steady_s = 61.0
            until(lambda: each.harvester.failure)
            assert each.harvester.failure == "another process is changing what was harvested"
        until(lambda: each.harvester.failure is None)
        each.steady_s = 0.0
        each.show(1, {1: box(50)})
        assert each.harvester.flush()
        assert each.harvester.counts.written == 2
        assert caplog.text.count("it goes on once that one has ended") == 1

    def test_a_slow_disk_costs_crops_and_no_time(self, scene, store):
        store.gate = threading.Event()
        each = scene(store=store, queue_mb=1, spacing_s=0.01)
        big = {1: box(50, y=10, width=200, height=460)}  # 276 kB each
        taken = sum(each.show(k / 10, big) for k in range(30))
        assert taken == 3
        assert each.harvester.counts.crowded_out == 27
        store.gate.set()
        each.harvester.flush()
        assert each.show(4, big) == 1
        [read] = each.read()
        assert len(read) == 4

    def test_closing_writes_what_waits(self, scene, store):
        store.gate = threading.Event()
        each = scene(store=store)
        each.walk({1: box(50)})
        threading.Timer(0.2, store.gate.set).start()
        [read] = each.read()
        assert len(read) == 4
        assert each.show(9, {1: box(50)}) == 0
        each.harvester.close()

    def test_what_is_not_written_when_nobody_waits_any_longer_is_counted(self, scene, store, caplog):
        store.gate = threading.Event()
        each = scene(store=store)
        each.walk({1: box(50)})
        until(lambda: len(each.harvester._writer._queue) == 3)  # the first one is being written
        each.harvester.close(timeout_s=0)
        assert "not written after 0 s: 3 crops that wait are dropped" in caplog.text
        each.harvester.close(timeout_s=1)  # nothing waits any longer
        assert caplog.text.count("that wait are dropped") == 1
        store.gate.set()
        each.harvester._writer._thread.join(10)
        [read] = each.read()
        assert (len(read), each.harvester.counts.written, each.harvester.counts.crowded_out) == (1, 1, 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"spacing_s": 0}, "spacing_s must be a number above 0"),
        ({"least_score": 1.5}, r"least_score must be within 0\.\.1"),
        ({"dense": 0}, "dense must be a whole number of at least 1"),
        ({"most_covered": -0.1}, r"most_covered must be within 0\.\.1"),
        ({"queue_mb": 0}, "queue_mb must be a whole number of at least 1"),
        ({"least_age_s": float("nan")}, "least_age_s must be a number of at least 0"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        HarvestConfig(**wrong)
