"""What every sink promises (`tracker.types.Sink`), and the function that opens them."""

from __future__ import annotations

import numpy as np
import pytest

from tracker import Tracker
from tracker.errors import ConfigError, OutputError
from tracker.pipeline import InteractiveSink
from tracker.sinks import SINK_KINDS, open_sinks
from tracker.types import Detections, Frame, FrameResult, RunInfo, SourceInfo, Tracks

WHY = Tracker(explain=True).update(Detections([[10, 20, 60, 100]]), time_s=0).explanation
RUN = RunInfo(SourceInfo("clip.mp4", 160, 120, 25.0, None, live=False), {0: "person"})


def result(index):
    boxes = np.array([[10 + index, 20, 60 + index, 100]], np.float32)
    one = np.ones(1, np.int64)
    tracks = Tracks(one, boxes, np.ones(1, np.float32), 0 * one, 0 * one, index / 25, explanation=WHY)
    image = np.full((120, 160, 3), 100, np.uint8)
    image.setflags(write=False)  # a sink that draws into its input would fail here
    return FrameResult(Frame(image, index, index / 25), Detections.empty(), tracks)


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", SINK_KINDS)
class TestEverySink:
    def test_writes_below_its_path_and_closes_twice(self, kind, tmp_path):
        (sink,) = open_sinks([kind], tmp_path / "deep" / "out")
        assert not (tmp_path / "deep").exists()  # nothing is touched before open
        sink.open(RUN)
        for index in range(1, 6):
            sink.write(result(index))
        sink.close()
        sink.close()
        files = contents(tmp_path)
        assert files
        assert all((tmp_path / name).is_relative_to(sink.path) for name in files)
        assert all(files.values())

    def test_closing_before_opening_is_harmless(self, kind, tmp_path):
        (sink,) = open_sinks([kind], tmp_path)
        sink.close()
        assert contents(tmp_path) == {}

    def test_earlier_results_are_not_destroyed_unless_that_is_asked_for(self, kind, tmp_path):
        self.test_writes_below_its_path_and_closes_twice(kind, tmp_path)
        before = contents(tmp_path)
        (sink,) = open_sinks([kind], tmp_path / "deep" / "out")
        with pytest.raises(OutputError, match="exists: choose another folder, or allow overwriting"):
            sink.open(RUN)
        sink.close()
        assert contents(tmp_path) == before
        (sink,) = open_sinks([kind], tmp_path / "deep" / "out", overwrite=True)
        sink.open(RUN)
        sink.write(result(9))
        sink.close()
        after = contents(tmp_path)
        assert after
        assert after != before

    def test_a_file_in_the_way_is_named(self, kind, tmp_path):
        (tmp_path / "out").mkdir()
        (sink,) = open_sinks([kind], tmp_path / "out")
        (tmp_path / "out").rmdir()
        (tmp_path / "out").write_text("in the way")
        with pytest.raises(OutputError, match=r"out.* cannot be written: (Not a directory|File exists)"):
            sink.open(RUN)
        sink.close()

    def test_a_run_without_a_frame_leaves_nothing_broken(self, kind, tmp_path):
        (sink,) = open_sinks([kind], tmp_path)
        sink.open(RUN)
        sink.close()
        assert set(contents(tmp_path)) <= {
            *("tracks.txt", "tracks.jsonl", "tracks.csv", "explain.jsonl", "tracklets/store.jsonl"),
        }

    def test_it_may_be_written_from_any_thread(self, kind, tmp_path):
        assert not isinstance(open_sinks([kind], tmp_path)[0], InteractiveSink)


def test_the_sinks_come_in_the_order_asked_for(tmp_path):
    kinds = ["csv", "video", "mot"]
    assert [type(sink).__name__ for sink in open_sinks(kinds, tmp_path)] == ["CsvSink", "VideoSink", "MotSink"]
    assert open_sinks([], tmp_path) == []


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (
            ["vidoe"],
            r"^save must be of video, mot, jsonl, csv, crops, tracklets, explain, got 'vidoe'; did you mean video\?",
        ),
        (["parquet"], r"got 'parquet'$"),
        (["mot", "csv", "mot"], r"^save must name each kind once, got mot twice"),
    ],
)
def test_unknown_kinds_are_refused(tmp_path, kinds, message):
    with pytest.raises(ConfigError, match=message):
        open_sinks(kinds, tmp_path)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match=r"out must be a folder, but is a file"):
        open_sinks(["mot"], tmp_path / "out")
