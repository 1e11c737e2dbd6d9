from __future__ import annotations

import sys

import numpy as np
import pytest

import tracker.cli.progress as progress
from tracker.cli.context import Context
from tracker.cli.progress import RunProgress
from tracker.types import Detections, Frame, FrameResult, SourceInfo, Tracks


def result(index: int, objects: int, first_id: int = 1, embedded: int = 0) -> FrameResult:
    boxes = np.zeros((objects, 4), np.float32)
    rows = np.arange(objects)
    scores = np.ones(objects, np.float32)
    tracks = Tracks(rows + first_id, boxes, scores, rows, rows, confident=objects, embedded=embedded)
    return FrameResult(Frame(np.zeros((4, 4, 3), np.uint8), index, index / 25), Detections.empty(), tracks)


def source(frames: int | None) -> SourceInfo:
    return SourceInfo("clip", 4, 4, 25.0, frames, live=frames is None)


class Clock:
    """A clock that goes on by `step_s` with every look at it."""

    def __init__(self, step_s: float) -> None:
        self.now_s = 100.0
        self.step_s = step_s

    def monotonic(self) -> float:
        self.now_s += self.step_s
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(0.5)
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_log_gets_a_line_every_few_seconds(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with RunProgress(source(100), Context()) as run:
        for index in range(1, 41):
            run(result(index, objects=1))
    lines = capsys.readouterr().err.splitlines()
    assert 3 <= len(lines) <= 5
    assert lines[-1].startswith("frame ")
    assert lines[-1].endswith(" left")
    assert "/100: 2.0 frames/s, 1 object, 1 identity, 0:" in lines[-1]
    assert (run.frames, run.identities) == (40, 1)


def test_a_live_source_has_no_time_left(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with RunProgress(source(None), Context()) as run:
        for index in range(1, 41):
            run(result(index, objects=1, first_id=index))
    last = capsys.readouterr().err.splitlines()[-1]
    assert "left" not in last
    assert "1 object," in last
    assert last.endswith("identities")


def test_the_share_embedded_is_told_where_anything_is(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with RunProgress(source(None), Context()) as run:
        for index in range(1, 41):
            run(result(index, objects=4, embedded=1))
    assert capsys.readouterr().err.splitlines()[-1].endswith("4 objects, 4 identities, 25% embedded")


def test_what_else_there_is_to_show_comes_last(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with RunProgress(source(None), Context()) as run:
        run.more = lambda: f"harvested {run.frames}"
        for index in range(1, 41):
            run(result(index, objects=1))
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith(f"1 object, 1 identity; harvested {line.split()[1].rstrip(':')}")


def test_quiet_shows_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with RunProgress(source(100), Context(quiet=True)) as run:
        for index in range(1, 41):
            run(result(index, objects=1))
    assert capsys.readouterr().err == ""
    assert run.frames == 40


def test_a_terminal_gets_a_bar(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with RunProgress(source(40), Context()) as run:
        for index in range(1, 41):
            run(result(index, objects=2))
    assert "40/40" in capsys.readouterr().err


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (61.0, "1:01"), (3723.0, "1:02:03")])
def test_durations(seconds: float, text: str) -> None:
    assert progress._duration(seconds) == text
