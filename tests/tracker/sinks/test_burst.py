"""What a recorder of bursts is shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracker import Detections, Frame, FrameResult, Tracks
from tracker.sinks.burst import BurstSink
from tracker.types import RunInfo, SourceInfo


class Recorder:
    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []
        self.closed = False

    def observe(self, image: Any, **seen: Any) -> None:
        self.shown.append({"shape": image.shape} | {name: np.asarray(of).tolist() for name, of in seen.items()})

    def close(self) -> None:
        self.closed = True


def test_all_that_the_detector_saw_is_shown() -> None:
    recorder = Recorder()
    sink = BurstSink(recorder)
    sink.open(RunInfo(SourceInfo("x", 100, 100, 10.0, None, live=False), {}))
    seen = Detections([[0, 0, 9, 9], [20, 0, 29, 9]], [1, 0.25], [3, 0])
    for k in range(2):
        tracks = Tracks(np.array([7]), seen.boxes[:1] + 1, seen.scores[:1], seen.classes[:1], np.zeros(1, int), k / 10)
        sink.write(FrameResult(Frame(np.zeros((4, 6, 3), np.uint8), k + 1, k / 10), seen, tracks, detected=k != 1))
    sink.close()
    assert recorder.closed
    assert recorder.shown == [
        {
            "shape": (4, 6, 3), "boxes": seen.boxes.tolist(), "scores": [1.0, 0.25], "time_s": 0.0,
            "classes": [3, 0], "ids": [7],
        }
    ]  # fmt: skip
