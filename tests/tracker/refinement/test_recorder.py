from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tracker.refinement import HistoryRecorder
from tracker.types import Detections, Frame, FrameResult, RunInfo, SourceInfo, TrackEvent, TrackEventKind, Tracks

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


def test_once_the_embedder_was_exchanged_only_vectors_of_the_new_model_count() -> None:
    recorder = HistoryRecorder()
    for frame in range(1, 41):
        old = frame <= 22
        vector = unit(1, 0, 0) if old else unit(0, 1)
        seen = result(frame, [BOX], [0], [1], vector[None])
        recorder.write(replace(seen, model_hash="old" if old else "new"))
    past = recorder.history()
    assert len(past) == 40
    assert past.appearance is not None
    np.testing.assert_allclose(past.appearance.times_s, [2.3, 3.3])
    np.testing.assert_allclose(past.appearance.vectors, [unit(0, 1)] * 2)


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


def write(
    recorder: HistoryRecorder, *frames: tuple[int, list[int]], vectors: bool = True, **events: TrackEvent
) -> None:
    """Frames with the numbers of those who stand in BOX, FAR, in this order; `at12=` an event of frame 12."""
    for frame, ids in frames:
        boxes, looks = [BOX, FAR][: len(ids)], np.stack([unit(1, 0), unit(0, 1)])[: len(ids)]
        told = tuple(event for name, event in events.items() if name.startswith(f"at{frame}_"))
        recorder.write(result(frame, boxes, range(len(ids)), ids, looks if vectors else None, events=told))


def believed(recorder: HistoryRecorder, box: list[int] = BOX) -> dict[int, int]:
    """Who stands in a box in each frame."""
    past = recorder.history()
    here = (past.boxes == np.float32(box)).all(axis=1)
    order = np.argsort(past.frame[here])
    return dict(zip(past.frame[here][order].tolist(), past.ids[here][order].tolist(), strict=True))


EARLY = {
    "at1_": TrackEvent("born", 1, 0.1),
    "at9_": TrackEvent("born", 2, 0.9),
    "at12_": TrackEvent("recalled", 1, 1.2, replaces=2, since_s=0.8),
}


def test_somebody_new_who_is_soon_found_to_be_an_old_one_is_that_from_the_first_frame_on() -> None:
    recorder = HistoryRecorder()
    write(recorder, (1, [1]), (9, [2]), (10, [2]), (12, [1]), **EARLY)
    write(recorder, (14, [1]))
    assert believed(recorder) == {1: 1, 9: 1, 10: 1, 12: 1, 14: 1}
    looks = recorder.history().appearance
    assert looks is not None
    assert looks.ids.tolist() == [1, 1]
    assert believed(recorder) == {1: 1, 9: 1, 10: 1, 12: 1, 14: 1}, "asking changes nothing"


@pytest.mark.parametrize("vectors", [False, True])
def test_a_claim_that_is_taken_back_leaves_no_trace(vectors: bool) -> None:
    recorder = HistoryRecorder()
    write(
        recorder, (1, [1]), (9, [2]), (12, [1]), (13, [1]), (14, [2]), (15, [2]), vectors=vectors,
        **EARLY, at14_=TrackEvent("corrected", 2, 1.4, replaces=1, since_s=0.8),
    )  # fmt: skip
    assert believed(recorder) == {1: 1, 9: 2, 12: 2, 13: 2, 14: 2, 15: 2}
    looks = recorder.history().appearance
    assert (None if looks is None else looks.ids.tolist()) == ([1, 2] if vectors else None)


def test_a_claim_that_passes_to_another_one_belongs_to_that_from_the_first_frame_on() -> None:
    recorder = HistoryRecorder()
    passed = TrackEvent("recalled", 7, 1.4, replaces=1, since_s=0.8)
    write(recorder, (1, [1]), (9, [2]), (12, [1]), (13, [1]), (14, [7]), **EARLY, at14_=passed)
    assert believed(recorder) == {1: 1, 9: 7, 12: 7, 13: 7, 14: 7}


def test_who_takes_a_number_that_another_one_gives_back_in_that_frame_does_not_give_it_back() -> None:
    recorder = HistoryRecorder()
    write(
        recorder, (1, [1]), (9, [2]), (12, [1]), (13, [1, 3]), (14, [2, 1]), (15, [2, 1]), **EARLY,
        at13_=TrackEvent("born", 3, 1.3),
        at14_a=TrackEvent("recalled", 1, 1.4, replaces=3, since_s=1.2),
        at14_b=TrackEvent("corrected", 2, 1.4, replaces=1, since_s=0.8),
    )  # fmt: skip
    assert believed(recorder) == {1: 1, 9: 2, 12: 2, 13: 2, 14: 2, 15: 2}
    assert believed(recorder, FAR) == {13: 1, 14: 1, 15: 1}


@pytest.mark.parametrize("kind", ["recalled", "corrected"])
def test_a_track_that_went_over_to_somebody_else_keeps_its_past_until_then(kind: TrackEventKind) -> None:
    recorder = HistoryRecorder()
    over = TrackEvent(kind, 2, 6.0, replaces=1, since_s=5.5)
    write(
        recorder, *((frame, [1]) for frame in range(1, 60)), (60, [2]), (61, [2]),
        at1_=TrackEvent("born", 1, 0.1), at60_=over,
    )  # fmt: skip
    assert list(believed(recorder).values()) == [1] * 54 + [2] * 7


def test_who_went_over_lately_is_not_mixed_into_the_looks_of_the_one_before() -> None:
    recorder = HistoryRecorder()
    there = [TrackEvent("born", 1, 0.1), TrackEvent("corrected", 2, 4.5, replaces=1, since_s=4.3)]
    for frame in range(1, 61):
        vector = unit(1, 0) if frame < 43 else unit(0, 1)
        number = 1 if frame < 45 else 2
        told = tuple(event for event in there if event.time_s == frame / 10)
        recorder.write(result(frame, [BOX], [0], [number], vector[None], events=told))
    looks = recorder.history().appearance
    assert looks is not None
    for number, direction in ((1, unit(1, 0)), (2, unit(0, 1))):
        mine = looks.vectors[looks.ids == number]
        np.testing.assert_allclose(mine, np.tile(direction, (len(mine), 1)), atol=1e-6)
        assert len(mine)


def test_a_track_of_two_seconds_is_not_two_objects() -> None:
    recorder = HistoryRecorder()
    write(
        recorder, (1, [1]), (8, [1]), (12, [2]), (30, [2]), (31, [3]),
        at1_=TrackEvent("born", 1, 0.1),
        at12_=TrackEvent("corrected", 2, 1.2, replaces=1, since_s=0.9),
        at31_=TrackEvent("corrected", 3, 3.1, replaces=2, since_s=3.0),
    )  # fmt: skip
    assert believed(recorder) == {1: 2, 8: 2, 12: 2, 30: 3, 31: 3}


def test_an_event_that_does_not_say_since_when_counts_from_then_on() -> None:
    recorder = HistoryRecorder()
    late = {"at1_": TrackEvent("born", 1, 0.1), "at30_": TrackEvent("recalled", 2, 3.0, replaces=1)}
    write(recorder, (1, [1]), (29, [1]), (30, [2]), **late)
    assert believed(recorder) == {1: 1, 29: 1, 30: 2}


def test_nobody_is_renamed_to_somebody_who_was_there() -> None:
    recorder = HistoryRecorder()
    both = [TrackEvent("born", 1, 0.1), TrackEvent("born", 2, 0.1)]
    recorder.write(result(1, [BOX, FAR], [0, 1], [1, 2], events=both))
    recorder.write(result(2, [FAR], [0], [2]))
    recorder.write(result(3, [FAR], [0], [1], events=(TrackEvent("recalled", 1, 0.3, replaces=2, since_s=0.1),)))
    assert believed(recorder) == {1: 1}
    assert believed(recorder, FAR) == {1: 2, 2: 1, 3: 1}
