"""What a pipeline leaves when it ends early: by an error, Ctrl-C or a caller who has enough."""

from __future__ import annotations

import threading

import pytest
from pipeline_parts import Detector, ListSink, ListSource, frame, frames, pipeline

from tracker.errors import InputError, OutputError, SourceError


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


def test_another_thread_may_close_it_while_this_one_waits():
    waits, goes_on = threading.Event(), threading.Event()

    def stall(index):
        if index == 3:
            waits.set()
            goes_on.wait(60)

    source = ListSource(frames(500), between=stall)
    run = pipeline(source)
    watchdog = threading.Thread(target=lambda: (waits.wait(60), run.close(), goes_on.set()))
    watchdog.start()
    got = [result.frame.index for result in run]
    watchdog.join()
    assert got == list(range(1, len(got) + 1))
    assert len(got) <= 3
    assert source.closed >= 1
    run.close()


def test_a_detector_that_returns_nothing_is_no_empty_scene():
    with pytest.raises(InputError, match=r"a detector must return tracker\.Detections, got NoneType"):
        list(pipeline(ListSource(frames(3)), lambda frame: None))


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
