"""Frames go through all stages in order, and the stages overlap."""

from __future__ import annotations

import threading

import pytest
from pipeline_parts import Detector, Embedder, ListSink, ListSource, ScreenSink, Tracker, frames, pipeline

from tracker.errors import ConfigError, InputError
from tracker.pipeline import PipelineConfig
from tracker.types import FrameResult

WAIT_S = 30.0  # how long a broken overlap may hang before the test says so; a working one never waits


def test_every_frame_of_a_file_comes_out_in_order_and_the_source_is_closed():
    source = ListSource(frames(50))
    results = list(pipeline(source, queue_frames=1))
    assert [r.frame.index for r in results] == list(range(1, 51))
    assert all(r.detected for r in results)
    assert source.closed >= 1


def test_between_detections_positions_are_predicted():
    detector, tracker = Detector(), Tracker()
    results = list(pipeline(ListSource(frames(7)), detector, None, tracker, every=3))
    assert detector.seen == [1, 4, 7]
    assert [r.detected for r in results] == [True, False, False, True, False, False, True]
    assert [len(r.detections) for r in results] == [2, 0, 0, 2, 0, 0, 2]
    assert [c[0] for c in tracker.calls] == ["update", "predict", "predict"] * 2 + ["update"]
    assert [c[1] for c in tracker.calls] == [r.frame.time_s for r in results]


def test_the_tracker_asks_for_the_vectors_that_it_wants():
    embedder, tracker = Embedder(), Tracker()
    list(pipeline(ListSource(frames(2)), None, embedder, tracker))
    assert embedder.asked == [(1, [[3, 3, 5, 5]]), (2, [[3, 3, 5, 5]])]
    assert [v.shape for v in tracker.vectors] == [(1, 1), (1, 1)]


def test_coasted_objects_are_asked_for_by_the_config():
    tracker = Tracker()
    list(pipeline(ListSource(frames(1)), None, None, tracker, include_coasted=True))
    assert tracker.calls == [("update", 0.0, True)]


def test_decoding_goes_on_while_the_detector_works():
    second_read = threading.Event()
    source = ListSource(frames(3), between=lambda index: second_read.set())
    overlapped = []
    detector = Detector(lambda index: overlapped.append(second_read.wait(WAIT_S)))
    list(pipeline(source, detector))
    assert overlapped[0]


def test_detection_goes_on_while_the_embedder_works():
    second_detected = threading.Event()
    detector = Detector(lambda index: second_detected.set() if index == 2 else None)
    waited = []

    class Patient(Embedder):
        def __call__(self, image, boxes):
            waited.append(second_detected.wait(WAIT_S))
            return super().__call__(image, boxes)

    list(pipeline(ListSource(frames(3)), detector, Patient()))
    assert waited == [True] * 3


def test_detection_goes_on_while_the_sinks_write():
    second_detected = threading.Event()
    detector = Detector(lambda index: second_detected.set() if index == 2 else None)
    waited = []
    sink = ListSink(on_write=lambda index: waited.append(second_detected.wait(WAIT_S)))
    pipeline(ListSource(frames(3)), detector).run([sink])
    assert waited == [True] * 3


def test_of_a_live_source_the_newest_frame_wins_and_the_rest_is_counted():
    all_read = threading.Event()
    first_taken = threading.Event()

    def detect(index):
        first_taken.set()
        if index == 1:
            assert all_read.wait(WAIT_S)

    def after(index):
        if index == 1:  # the first must not be replaced, or the test would not know which one it is
            assert first_taken.wait(WAIT_S)
        if index == 10:
            all_read.set()

    run = pipeline(ListSource(frames(10), live=True, between=after), Detector(detect))
    assert [r.frame.index for r in run] == [1, 10]
    assert run.dropped == 8


def test_a_run_is_summed_up():
    sink = ListSink()
    embedder = Embedder()
    seen = []
    summary = pipeline(ListSource(frames(9)), None, embedder, every=2).run([sink], seen.append)
    assert sink.log == [("open", {0: "thing"}), *(("write", i) for i in range(1, 10)), ("close",)]
    assert [r.frame.index for r in seen] == list(range(1, 10))
    assert all(isinstance(r, FrameResult) for r in seen)
    assert (summary.frames, summary.detected_frames, summary.dropped_frames, summary.identities) == (9, 5, 0, 2)
    calls = {name: stage.calls for name, stage in summary.stages.items()}
    assert calls == {"decode": 9, "detect": 5, "camera": 9, "embed": 5, "track": 9, "write": 9}
    assert all(stage.seconds >= 0 for _, stage in summary.stages.items())
    assert summary.wall_s > 0


def test_the_clock_of_the_tracker_does_not_hold_the_embedder():
    class Slow(Embedder):
        def __call__(self, image, boxes):
            threading.Event().wait(0.05)
            return super().__call__(image, boxes)

    run = pipeline(ListSource(frames(4)), None, Slow())
    list(run)
    assert run.stages.embed.seconds >= 0.2
    assert run.stages.track.seconds < run.stages.embed.seconds
    assert run.stages.embed.mean_ms >= 50


def test_sinks_write_in_a_thread_of_their_own_and_a_screen_in_the_callers():
    sink, screen = ListSink(), ScreenSink(stop_at=3)
    source = ListSource(frames(50))
    summary = pipeline(source).run([sink, screen])
    assert threading.current_thread() not in sink.threads
    assert screen.threads == {threading.current_thread()}
    assert screen.written == sink.written == [1, 2, 3]
    assert summary.frames == 3
    assert source.closed >= 1


def test_a_pipeline_is_used_once():
    run = pipeline(ListSource(frames(2)))
    list(run)
    with pytest.raises(InputError, match="can be iterated once"):
        iter(run)


@pytest.mark.parametrize(
    ("field", "value"),
    [("every", 0), ("every", 1.5), ("every", True), ("queue_frames", 0), ("write_queue_frames", -1)],
)
def test_impossible_settings_are_refused(field, value):
    with pytest.raises(ConfigError, match=f"{field} must be a whole number of 1 or more, got {value}"):
        PipelineConfig(**{field: value})
