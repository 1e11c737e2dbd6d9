from __future__ import annotations

import numpy as np
import pytest

from tracker.sinks import VideoSink
from tracker.types import RunInfo, SourceInfo
from tracker.video import open_source
from tracker.video.drawing import identity_colour


def live(rate_hz=25.0):
    return RunInfo(SourceInfo("camera0", 160, 120, rate_hz, None, live=True), {})


def frames_of(sink):
    with open_source(sink.path) as source:
        return source.info.rate_hz, list(source)


def test_every_frame_of_a_file_is_drawn_once(tmp_path, run, make_result):
    sink = VideoSink(tmp_path / "annotated")
    sink.open(run)
    for index in range(1, 11):
        sink.write(make_result(index))
    sink.close()
    rate_hz, frames = frames_of(sink)
    assert rate_hz == 25
    assert len(frames) == 10
    left_side = frames[9].image[50, 20].astype(int)  # of the box of identity 1
    assert np.abs(left_side - identity_colour(1)).max() < 100


def test_a_rate_can_be_stated_and_an_unknown_one_is_25(tmp_path, make_result):
    for name, options, rate_hz in (("a", {"rate_hz": 10}, 10), ("b", {}, 25)):
        sink = VideoSink(tmp_path / name, **options)
        sink.open(RunInfo(SourceInfo("clip", 160, 120, None, None, live=False), {}))
        sink.write(make_result(1))
        sink.write(make_result(2))
        sink.close()
        assert frames_of(sink)[0] == pytest.approx(rate_hz)


@pytest.mark.parametrize(("source_hz", "rate_hz"), [(1 / 60, 1), (5000, 500)])
def test_a_rate_at_which_nothing_plays_is_brought_to_one_that_does(tmp_path, make_result, source_hz, rate_hz):
    sink = VideoSink(tmp_path / "annotated")
    sink.open(RunInfo(SourceInfo("shots", 160, 120, source_hz, None, live=False), {}))
    for index in (1, 2, 3):
        sink.write(make_result(index, time_s=(index - 1) / source_hz))
    sink.close()
    played_hz, frames = frames_of(sink)
    assert played_hz == pytest.approx(rate_hz, rel=0.01)
    assert len(frames) == 3


def test_a_live_video_runs_as_fast_as_the_world(tmp_path, make_result):
    sink = VideoSink(tmp_path / "annotated")
    sink.open(live())
    # a slow patch (gaps of 0.2 s), a standstill of 1 s, then a burst far above the rate
    times = [0.0, 0.2, 0.4, 1.4, 1.41, 1.42, 1.43, 1.44]
    for index, time_s in enumerate(times, 1):
        sink.write(make_result(index, time_s=time_s))
    sink.close()
    _, frames = frames_of(sink)
    assert len(frames) == round(1.44 * 25) + 1


def test_a_long_standstill_of_a_stream_does_not_fill_the_disk(tmp_path, make_result):
    sink = VideoSink(tmp_path / "annotated", rate_hz=5)
    sink.open(live())
    for index, time_s in enumerate((0.0, 3600.0, 3600.2), 1):
        sink.write(make_result(index, time_s=time_s))
    sink.close()
    assert len(frames_of(sink)[1]) == 1 + 50 + 1


def test_a_rate_that_no_camera_has_is_not_believed(tmp_path, make_result):
    sink = VideoSink(tmp_path / "annotated")
    sink.open(live(1000.0))
    sink.write(make_result(1))
    sink.write(make_result(2, time_s=0.5))
    sink.close()
    rate_hz, frames = frames_of(sink)
    assert rate_hz == pytest.approx(60, rel=0.01)
    assert len(frames) == 31
