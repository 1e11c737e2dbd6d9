from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from tracker.errors import ConfigError, InputError, OutputError, SourceError
from tracker.pipeline import Pipeline, PipelineConfig
from tracker.types import Detections, Frame, FrameResult, SourceInfo, TrackEvent, Tracks

WAIT_S = 30.0  # how long a broken overlap may hang before the test says so; a working one never waits


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def frame(index, size=(8, 6)):
    return Frame(np.full((size[1], size[0], 3), index % 256, np.uint8), index, (index - 1) / 25)


class ListSource:
    def __init__(self, frames, *, live=False, error=None, between=None):
        self.info = SourceInfo("list", 8, 6, 25.0, None, live)
        self.frames = frames
        self.error = error
        self.between = between or (lambda index: None)
        self.closed = 0

    def __iter__(self):
        for item in self.frames:
            if self.closed:
                return
            yield item
            self.between(item.index)
        if self.error is not None:
            raise self.error

    def close(self):
        self.closed += 1

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()


class Detector:
    def __init__(self, on_frame=None):
        self.class_names = {0: "thing"}
        self.seen = []
        self.on_frame = on_frame or (lambda index: None)

    def __call__(self, frame):
        self.seen.append(frame.index)
        self.on_frame(frame.index)
        return Detections(np.array([[0, 0, 2, 2], [3, 3, 5, 5]], np.float32))


class Tracker:
    def __init__(self):
        self.calls = []
        self.vectors = []

    def update(self, detections, *, time_s=None, embed=None, include_coasted=False):
        self.calls.append(("update", time_s, include_coasted))
        events = () if len(self.calls) > 1 else tuple(TrackEvent("born", i, time_s) for i in (1, 2))
        if embed is not None:
            self.vectors.append(embed(np.array([1])))
        n = len(detections)
        return Tracks(
            np.arange(1, n + 1), detections.boxes, detections.scores, detections.classes, np.arange(n), time_s, events
        )

    def predict(self, time_s):
        self.calls.append(("predict", time_s, False))
        return Tracks(
            np.array([1]),
            np.zeros((1, 4), np.float32),
            np.ones(1, np.float32),
            np.zeros(1, int),
            np.array([-1]),
            time_s,
        )


class Embedder:
    info = SimpleNamespace(dimension=1, model_hash="ab" * 32, calibration=None)

    def __init__(self):
        self.asked = []

    def __call__(self, image, boxes):
        self.asked.append((int(image[0, 0, 0]), boxes.tolist()))
        return np.ones((len(boxes), 1), np.float32)


class ListSink:
    def __init__(self, fail_on=None, fail_close=False, on_write=None):
        self.log = []
        self.fail_on = fail_on
        self.fail_close = fail_close
        self.on_write = on_write or (lambda index: None)
        self.threads = set()

    def open(self, run):
        self.log.append(("open", dict(run.class_names)))

    def write(self, result):
        self.threads.add(threading.current_thread())
        self.on_write(result.frame.index)
        if result.frame.index == self.fail_on:
            raise OutputError("no space left")
        self.log.append(("write", result.frame.index))

    def close(self):
        self.log.append(("close",))
        if self.fail_close:
            raise OutputError("cannot finish")

    @property
    def written(self):
        return [entry[1] for entry in self.log if entry[0] == "write"]


class ScreenSink(ListSink):
    def __init__(self, stop_at):
        super().__init__()
        self.stop_at = stop_at

    @property
    def stop_requested(self):
        return bool(self.written) and self.written[-1] >= self.stop_at


def frames(n):
    return [frame(i) for i in range(1, n + 1)]


def pipeline(source, detector=None, embedder=None, tracker=None, **config):
    return Pipeline(source, detector or Detector(), embedder, tracker or Tracker(), config=PipelineConfig(**config))


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


class BoomError(Exception):
    pass


def test_an_error_of_the_source_comes_after_the_frames_before_it():
    error = BoomError()
    sink = ListSink()
    with pytest.raises(BoomError) as caught:
        pipeline(ListSource(frames(5), error=error)).run([sink])
    assert caught.value is error
    assert sink.written == [1, 2, 3, 4, 5]
    assert sink.log[-1] == ("close",)


def test_an_error_of_the_detector_keeps_what_was_finished():
    def fail(index):
        if index == 4:
            raise BoomError

    source, sink = ListSource(frames(50)), ListSink()
    with pytest.raises(BoomError):
        pipeline(source, Detector(fail)).run([sink])
    assert sink.written == [1, 2, 3]
    assert sink.log[-1] == ("close",)
    assert source.closed >= 1


def test_what_fails_at_once_fails_before_a_sink_is_open():
    def fail(index):
        raise BoomError("no such layer")

    sink = ListSink()
    with pytest.raises(BoomError, match="no such layer"):
        pipeline(ListSource(frames(5)), Detector(fail)).run([sink])
    assert sink.log == []


def test_an_error_of_a_sink_reaches_the_caller_and_every_sink_is_closed():
    good, bad = ListSink(), ListSink(fail_on=3)
    with pytest.raises(OutputError, match="no space left"):
        pipeline(ListSource(frames(500))).run([good, bad])
    assert good.written == [1, 2, 3]
    assert bad.written == [1, 2]
    assert good.log[-1] == bad.log[-1] == ("close",)


def test_a_sink_that_fails_on_the_last_frame_is_noticed():
    with pytest.raises(OutputError, match="no space left"):
        pipeline(ListSource(frames(3))).run([ListSink(fail_on=3)])


def test_a_sink_that_cannot_finish_is_an_error_and_the_others_are_closed():
    bad, good = ListSink(fail_close=True), ListSink()
    with pytest.raises(OutputError, match="cannot finish"):
        pipeline(ListSource(frames(2))).run([bad, good])
    assert good.log[-1] == ("close",)


def test_the_first_error_goes_before_one_of_closing():
    sink = ListSink(fail_close=True)
    error = BoomError()
    with pytest.raises(BoomError) as caught:
        pipeline(ListSource(frames(2), error=error)).run([sink])
    assert caught.value.__notes__ == ["while closing ListSink: cannot finish"]


def test_a_sink_that_cannot_be_opened_closes_the_ones_before_it_and_the_source():
    class Broken(ListSink):
        def open(self, run):
            raise OutputError("exists")

    first, source = ListSink(), ListSource(frames(2))
    with pytest.raises(OutputError, match="exists"):
        pipeline(source).run([first, Broken()])
    assert first.log == [("open", {0: "thing"}), ("close",)]
    assert source.closed >= 1


def test_ctrl_c_keeps_what_was_finished():
    def interrupt(result):
        if result.frame.index == 5:
            raise KeyboardInterrupt

    source, sink = ListSource(frames(500)), ListSink()
    with pytest.raises(KeyboardInterrupt):
        pipeline(source).run([sink], interrupt)
    assert sink.written == [1, 2, 3, 4, 5]
    assert sink.log[-1] == ("close",)
    assert source.closed >= 1


def test_leaving_the_loop_ends_the_threads_and_closes_the_source():
    source = ListSource(frames(500))
    for result in pipeline(source):
        if result.frame.index == 3:
            break
    assert source.closed >= 1


def test_closing_ends_an_iteration_that_somebody_holds():
    source = ListSource(frames(500))
    run = pipeline(source)
    results = iter(run)
    next(results)
    run.close()
    run.close()
    assert list(results) == []
    assert source.closed >= 1


def test_a_pipeline_that_was_never_iterated_closes_its_source():
    source = ListSource(frames(5))
    with pipeline(source):
        pass
    assert source.closed == 1


def test_a_frame_of_another_size_names_the_frame_and_both_sizes():
    mixed = [*frames(3), frame(4, size=(10, 6)), frame(5)]
    sink = ListSink()
    with pytest.raises(
        SourceError, match=r"^frame 4 is 10x6, but the source began with 8x6: .*before frame 4 are kept"
    ):
        pipeline(ListSource(mixed)).run([sink])
    assert sink.written == [1, 2, 3]


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
