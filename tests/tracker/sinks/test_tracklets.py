"""From a tracker's frames to a store of tracklets."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from reid.tracklets import TrackletWriter, read_tracklets
from tracker.errors import ConfigError, InputError, OutputError
from tracker.sinks import TrackletsSink
from tracker.types import Detections, Frame, FrameResult, TrackEvent, Tracks


def frame(index, boxes, *, events=(), coasted=(), rate_hz=10):
    """A frame with {identity: (x, y, width, height)}."""
    image = np.full((120, 160, 3), index % 256, np.uint8)
    ids = np.array(list(boxes), np.int64)
    corners = np.array([[x, y, x + w, y + h] for x, y, w, h in boxes.values()], np.float32).reshape(-1, 4)
    matched = np.array([-1 if k in coasted else row for row, k in enumerate(boxes)], np.int64)
    time_s = (index - 1) / rate_hz
    events = tuple(TrackEvent(kind, who, time_s, *correction) for kind, who, *correction in events)
    ones = np.ones(len(ids), np.float32)
    tracks = Tracks(ids, corners, 0.5 * ones, ones.astype(np.int64), matched, time_s, events)
    return FrameResult(Frame(image, index, time_s), Detections.empty(), tracks)


@pytest.fixture
def kept(tmp_path, run):
    """What a store holds after these frames: {tracklet: (identities, frames)}, and the store."""

    def feed(frames, **options):
        sink = TrackletsSink(tmp_path / "tracklets", overwrite=True, **options)
        sink.open(run)
        for result in frames:
            sink.write(result)
        sink.close()
        store = read_tracklets(sink.path)
        lives = {
            int(k): (store.identity[store.tracklet == k].tolist(), store.frame[store.tracklet == k].tolist())
            for k in np.unique(store.tracklet)
        }
        return lives, store

    return feed


LEFT, RIGHT = (10, 20, 30, 80), (100, 20, 30, 80)


def test_crops_are_spaced_and_get_rarer_as_a_tracklet_grows_older(kept):
    lives, _ = kept((frame(k, {1: LEFT}) for k in range(1, 62)), dense=4)
    assert lives == {1: ([1] * 8, [1, 6, 11, 16, 26, 36, 46, 56])}


def test_what_is_known_is_stored(kept):
    lives, store = kept([frame(1, {1: LEFT, 2: RIGHT}), frame(2, {1: LEFT, 2: RIGHT}), frame(6, {1: LEFT})])
    assert lives == {1: ([1, 1], [1, 6]), 2: ([2], [1])}
    assert store.together.tolist() == [[1, 2]]
    assert store.runs[0].source == "clip.mp4"
    assert store.runs[0].rate_hz == 25.0
    assert store.boxes[0].tolist() == [10, 20, 40, 100]
    assert store.scores.tolist() == [0.5] * 3
    assert store.classes.tolist() == [1] * 3


def test_predicted_small_cut_off_and_covered_boxes_give_no_crop(kept):
    lives, store = kept(
        [
            frame(1, {1: LEFT, 2: RIGHT}, coasted=(2,)),
            frame(2, {3: (150, 20, 60, 80), 4: (50, 20, 15, 80), 5: (300, 20, 30, 80), 6: (20, 30, 20, 40), 1: LEFT}),
        ]
    )
    assert lives == {1: ([1], [1])}
    assert 5 not in store.together, "a box that is wholly outside is nobody"


def test_tracks_are_cut_at_gaps_and_crossings(kept):
    frames = [
        frame(1, {1: LEFT, 2: RIGHT}),
        frame(12, {1: LEFT, 2: RIGHT}),
        frame(14, {1: (50, 20, 30, 80), 2: (55, 20, 30, 80)}),
        frame(16, {1: RIGHT, 2: LEFT}),
    ]
    lives, store = kept(frames)
    assert lives == {
        1: ([1], [1]), 2: ([2], [1]), 3: ([1], [12]), 4: ([2], [12]), 5: ([1], [16]), 6: ([2], [16]),
    }  # fmt: skip
    assert store.together.tolist() == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize("kind", ["recovered", "recalled", "born"])
def test_who_was_found_again_by_appearance_is_another_tracklet(kept, kind):
    lives, _ = kept([frame(1, {1: LEFT}), frame(6, {1: RIGHT}, events=[(kind, 1, None)])])
    assert lives == {1: ([1], [1]), 2: ([1], [6])}


@pytest.mark.parametrize("since", [(), (0.0,), (-0.1,)])
@pytest.mark.parametrize("kind", ["recovered", "recalled"])
def test_who_turns_out_to_be_known_goes_on_as_one_tracklet(kept, kind, since):
    lives, _ = kept([frame(1, {5: LEFT}), frame(5, {5: LEFT}), frame(6, {1: LEFT}, events=[(kind, 1, 5, *since)])])
    assert lives == {1: ([5, 1], [1, 6])}


@pytest.mark.parametrize(("since_s", "kept_frames"), [(2.9, [1, 6, 11, 16, 21]), (0.8, [1, 6])])
def test_a_track_that_went_over_to_somebody_known_is_another_tracklet(kept, since_s, kept_frames):
    frames = [frame(k, {1: LEFT}) for k in range(1, 32)]
    frames += [frame(k, {2: LEFT}, events=[("recalled", 2, 1, since_s)] * (k == 32)) for k in range(32, 38)]
    lives, _ = kept(frames)
    assert lives == {1: ([1] * len(kept_frames), kept_frames), 2: ([2] * 2, [32, 37])}


def test_who_was_taken_for_somebody_else_is_cut_and_the_last_second_is_taken_back(kept):
    frames = [frame(k, {1: LEFT, 3: RIGHT}) for k in range(1, 32)]
    frames += [frame(k, {2: LEFT, 3: RIGHT}, events=[("corrected", 2, 1)] * (k == 32)) for k in range(32, 38)]
    lives, store = kept(frames)
    assert lives == {
        1: ([1] * 5, [1, 6, 11, 16, 21]), 2: ([3] * 8, [1, 6, 11, 16, 21, 26, 31, 36]), 3: ([2] * 2, [32, 37]),
    }  # fmt: skip
    assert store.together.tolist() == [[1, 2], [2, 3]]


def test_memory_is_bounded(tmp_path, run):
    sink = TrackletsSink(tmp_path / "tracklets")
    sink.open(run)
    for k in range(1, 301):
        who = k // 3
        events = [("born", who, None)] * (k % 3 == 0) + [("ended", who - 5, None)] * (k % 3 == 0 and who > 5)
        sink.write(frame(k, {who: LEFT, 10**6: RIGHT}, events=events))
    sink.close()
    assert len(sink._kept) < 10
    assert len(sink._last) < 10
    assert len(sink._begun_s) < 10


def test_an_earlier_store_is_replaced_only_when_asked(tmp_path, run):
    def run_once(overwrite, index):
        sink = TrackletsSink(tmp_path / "tracklets", overwrite=overwrite)
        sink.open(run)
        sink.write(frame(index, {1: LEFT}))
        sink.close()
        return read_tracklets(sink.path).frame.tolist()

    assert run_once(False, 1) == [1]
    with pytest.raises(OutputError, match="tracklets exists: choose another folder, or allow overwriting"):
        run_once(False, 2)
    assert run_once(True, 3) == [3]


def test_a_store_that_another_process_writes_is_left_alone(tmp_path, run):
    with TrackletWriter(tmp_path / "tracklets") as writer:
        writer.begin_run("other")
        with pytest.raises(OutputError, match="is being written by another process"):
            TrackletsSink(tmp_path / "tracklets", overwrite=True).open(run)


def test_a_full_disk_is_named(tmp_path, run, monkeypatch):
    sink = TrackletsSink(tmp_path / "tracklets")
    sink.open(run)
    sink.write(frame(1, {1: LEFT}))

    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"00000011\.part cannot be written: No space left .*; the rest is kept"):
        sink.write(frame(11, {1: LEFT}))
    monkeypatch.undo()
    sink.close()
    assert read_tracklets(sink.path).frame.tolist() == [1]


def test_frames_before_it_is_open_are_refused(tmp_path):
    with pytest.raises(InputError, match="tracklets is not open"):
        TrackletsSink(tmp_path / "tracklets").write(frame(1, {1: LEFT}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spacing_s": 0}, "spacing_s must be more than 0, got 0"),
        ({"dense": 0}, "dense must be 1 or more, got 0"),
        ({"least_px": 0}, "least_px must be 1 or more, got 0"),
        ({"most_covered": 2}, "most_covered must be 0 or more and at most 1, got 2"),
        ({"doubt_s": -1}, "doubt_s must be 0 or more, got -1"),
        ({"jpeg_quality": 101}, "jpeg_quality must be 1 or more and at most 100, got 101"),
    ],
)
def test_impossible_settings_are_refused(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        TrackletsSink(tmp_path, **options)
