from __future__ import annotations

import threading

import numpy as np
import pytest

from tracker.errors import OutputError
from tracker.stages import StageTime
from tracker.types import Detections, Frame, FrameResult, RunInfo, SourceInfo, Tracks
from tracker.writing import SinkThread, opened

RUN = RunInfo(SourceInfo("clip", 8, 6, 25.0, None, live=False), {})
NOTHING = Tracks(*(np.zeros(s, t) for s, t in ((0, int), ((0, 4), np.float32), (0, np.float32), (0, int), (0, int))))
RESULT = FrameResult(Frame(np.zeros((6, 8, 3), np.uint8), 1, 0.0), Detections.empty(), NOTHING)


class Sink:
    def __init__(self, on_close=None):
        self.on_close = on_close
        self.closed = False

    def open(self, run):
        pass

    def write(self, result):
        raise AssertionError("nothing is written here")

    def close(self):
        self.closed = True
        if self.on_close is not None:
            raise self.on_close


def test_ctrl_c_while_a_sink_is_closed_closes_the_others_too():
    slow, other = Sink(KeyboardInterrupt()), Sink()
    with pytest.raises(KeyboardInterrupt), opened([slow, other], RUN):
        pass
    assert other.closed


class Careful(Sink):
    aborted = False

    def abort(self):
        self.aborted = True


@pytest.mark.parametrize(
    ("error", "aborted"), [(OutputError("full"), True), (ValueError("bug"), True), (KeyboardInterrupt(), False)]
)
def test_a_sink_that_can_is_told_of_a_failure_but_not_of_ctrl_c(error, aborted):
    sinks = [Careful(), Sink(), Careful()]
    with pytest.raises(type(error)), opened(sinks, RUN):
        raise error
    assert [(sink.aborted, sink.closed) for sink in sinks[::2]] == [(aborted, not aborted)] * 2
    assert sinks[1].closed


def test_of_two_sinks_that_cannot_finish_the_first_is_raised_and_names_the_second(caplog):
    sinks = [Sink(OutputError("one")), Sink(OutputError("two"))]
    with pytest.raises(OutputError, match="one") as caught, opened(sinks, RUN):
        pass
    assert caught.value.__notes__ == ["while closing Sink: two"]
    assert "while closing Sink: two" in caplog.text


def test_a_full_disk_is_told_also_where_ctrl_c_came_first(caplog):
    failed = threading.Event()

    class Full(Sink):
        def write(self, result):
            failed.set()
            raise OutputError("no space left")

    def interrupted():
        with SinkThread([Full()], 1, StageTime()) as writer:
            writer.write(RESULT)
            failed.wait(30)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        interrupted()
    assert caught.value.__notes__ == ["while writing: no space left"]
    assert "while writing: no space left" in caplog.text
