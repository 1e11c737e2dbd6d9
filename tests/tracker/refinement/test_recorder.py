from __future__ import annotations

import numpy as np

from tracker.refinement import HistoryRecorder
from tracker.types import Detections, Frame, FrameResult, RunInfo, SourceInfo, TrackEvent, Tracks

IMAGE = np.zeros((1, 1, 3), np.uint8)
RUN = RunInfo(SourceInfo("x", 1000, 500, 10.0, None, live=False), {})


def result(frame: int, boxes, matched, ids, vectors=None, detected: bool = True, events=()) -> FrameResult:
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    matched = np.asarray(matched, np.int64)
    n = len(matched)
    where = boxes[np.maximum(matched, 0)] if len(boxes) else np.zeros((n, 4), np.float32)
    tracks = Tracks(np.array(ids), where, np.full(n, 0.5, np.float32), np.full(n, 2), matched, frame / 10, events)
    detections = Detections(boxes, None, None, vectors) if detected else Detections.empty()
    return FrameResult(Frame(IMAGE, frame, frame / 10), detections, tracks, detected)


def unit(*direction: float) -> np.ndarray:
    return np.array(direction, np.float32) / np.float32(np.linalg.norm(direction))


BOX, FAR = [10, 10, 50, 110], [500, 10, 540, 110]


def test_everything_that_was_seen_is_there() -> None:
    recorder = HistoryRecorder()
    recorder.open(RUN)
    recorder.write(result(5, [BOX, FAR], [1, 0], [8, 3]))
    recorder.write(result(6, [], [], []))
    recorder.write(result(7, [BOX], [0, -1], [3, 8]))
    past = recorder.history()
    assert past.frames.tolist() == [5, 6, 7]
    assert list(zip(past.frame.tolist(), past.ids.tolist(), strict=True)) == [(5, 3), (7, 3), (5, 8)]
    assert past.boxes[past.ids == 8].tolist() == [FAR]
    assert (past.frame_size, past.appearance) == ((1000, 500), None)
    np.testing.assert_allclose(past.times_s, [0.5, 0.6, 0.7])
    assert past.classes.tolist() == [2, 2, 2]


def test_positions_between_detections_are_kept_as_not_seen() -> None:
    recorder = HistoryRecorder()
    recorder.write(result(1, [BOX], [0], [1]))
    recorder.write(result(2, [], [-1], [1], detected=False))
    past = recorder.history()
    assert past.seen.tolist() == [True, False]
    assert past.detected.tolist() == [True, False]


def test_vectors_become_means_over_a_second_of_unbroken_sight() -> None:
    recorder = HistoryRecorder()
    for frame in [*range(1, 16), *range(30, 33)]:  # 1.5 s, then lost for longer than a tracklet may be
        vector = unit(1, 0, 0) if frame % 2 else unit(0, 1, 0)
        recorder.write(result(frame, [BOX], [0], [1], vector[None]))
    looks = recorder.history().appearance
    assert looks is not None
    np.testing.assert_allclose(looks.times_s, [0.1, 1.1, 3.0])
    np.testing.assert_allclose(looks.vectors[0], unit(1, 1, 0), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(looks.vectors, axis=1), 1, rtol=1e-6)
    again = recorder.history().appearance
    assert again is not None
    assert len(again.ids) == 3, "asking changes nothing"


def test_covered_crops_say_nothing() -> None:
    recorder = HistoryRecorder()
    vectors = np.stack([unit(1, 0), unit(0, 1), unit(1, 1)])
    recorder.write(result(1, [BOX, [20, 10, 60, 110], FAR], [0, 1, 2], [1, 2, 3], vectors))
    looks = recorder.history().appearance
    assert looks is not None
    assert looks.ids.tolist() == [3]


def test_a_long_life_takes_little_memory() -> None:
    recorder = HistoryRecorder()
    vector = unit(1, 0)[None]
    for frame in range(1, 3001):  # five minutes
        recorder.write(result(frame, [BOX], [0], [1], vector))
    looks = recorder.history().appearance
    assert looks is not None
    assert 60 < len(looks.ids) < 120, "not one a second"
    assert len(recorder.history()) == 3000


def test_somebody_new_who_is_soon_found_to_be_an_old_one_is_that_from_the_first_frame_on() -> None:
    recorder = HistoryRecorder()
    vector = unit(1, 0)[None]
    recorder.write(result(1, [BOX], [0], [1], vector, events=(TrackEvent("born", 1, 0.1),)))
    recorder.write(result(9, [BOX], [0], [2], vector, events=(TrackEvent("born", 2, 0.9),)))
    recorder.write(result(12, [BOX], [0], [1], vector, events=(TrackEvent("recalled", 1, 1.2, replaces=2),)))
    recorder.write(result(14, [BOX], [0], [2], vector, events=(TrackEvent("corrected", 2, 1.4, replaces=1),)))
    past = recorder.history()
    assert past.ids[np.argsort(past.frame)].tolist() == [1, 1, 1, 2], "later the number may be used again"
    assert past.appearance is not None
    assert sorted(past.appearance.ids.tolist()) == [1, 1, 1]
    assert recorder.history().ids.tolist() == past.ids.tolist()


def test_a_track_that_went_over_to_somebody_else_late_keeps_its_past() -> None:
    recorder = HistoryRecorder()
    recorder.write(result(1, [BOX], [0], [1], events=(TrackEvent("born", 1, 0.1),)))
    for frame in range(2, 60):
        recorder.write(result(frame, [BOX], [0], [1]))
    recorder.write(result(60, [BOX], [0], [2], events=(TrackEvent("recalled", 2, 6.0, replaces=1),)))
    assert recorder.history().ids.tolist() == [1] * 59 + [2]


def test_nobody_is_renamed_to_somebody_who_was_there() -> None:
    recorder = HistoryRecorder()
    both = (TrackEvent("born", 1, 0.1), TrackEvent("born", 2, 0.1))
    recorder.write(result(1, [BOX, FAR], [0, 1], [1, 2], events=both))
    recorder.write(result(2, [BOX], [0], [1], events=(TrackEvent("recalled", 1, 0.2, replaces=2),)))
    assert recorder.history().ids.tolist() == [1, 1, 2]
