"""What a guard over the embedder is shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracker import Detections, Frame, FrameResult, Tracks
from tracker.sinks.guard import GuardSink
from tracker.types import RunInfo, SourceInfo, TrackEvent


class Guard:
    def __init__(self) -> None:
        self.shown: list[tuple[Any, ...]] = []

    def update(self, time_s: float, model_hash: str | None, **conduct: Any) -> None:
        margins = conduct.pop("margins")
        self.shown.append((time_s, model_hash, conduct, margins.tolist()))


def test_every_detected_frame_is_shown() -> None:
    guard = Guard()
    sink = GuardSink(guard)
    sink.open(RunInfo(SourceInfo("x", 100, 100, 10.0, None, live=False), {}))
    found = Detections([[0, 0, 9, 9], [20, 0, 29, 9]], embeddings=np.eye(2))
    for k in range(3):
        events = (TrackEvent("born", 1, 0.0), TrackEvent("corrected", 2, 0.0)) if k == 0 else ()
        tracks = Tracks(np.array([1, 2]), found.boxes, found.scores, found.classes, np.arange(2), k / 10, events)
        frame = Frame(np.zeros((1, 1, 3), np.uint8), k + 1, k / 10)
        sink.write(FrameResult(frame, found, tracks, detected=k != 1, model_hash="ab"))
    sink.close()
    assert guard.shown == [
        (0.0, "ab", {"objects": 2, "births": 0, "breaks": 1}, []),
        (0.2, "ab", {"objects": 2, "births": 0, "breaks": 0}, [1.0, 1.0]),
    ]
