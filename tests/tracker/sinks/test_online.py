"""What an online trainer is shown by a run."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracker import Detections, Frame, FrameResult, Tracks
from tracker.sinks import online_sinks
from tracker.types import RunInfo, SourceInfo


class Trainer:
    """Takes down what it is shown."""

    def __init__(self) -> None:
        self.shown: list[Any] = []
        self.guard = self

    def observe(self, image: Any, tracks: Any, **more: Any) -> int:
        self.shown.append((image.shape, tracks, more))
        return 0

    def update(self, time_s: float, model_hash: str | None, **conduct: Any) -> None:
        self.shown.append((time_s, model_hash, conduct["objects"]))

    def end_harvest(self) -> None:
        self.shown.append("ended")


def test_frames_that_were_detected_on_are_shown_to_harvest_and_guard() -> None:
    trainer = Trainer()
    sinks = online_sinks(trainer)
    found = Detections([[0, 0, 9, 9], [20, 0, 29, 9]])
    shown: list[Any] = []
    for k in range(2):
        tracks = Tracks(np.array([7]), found.boxes[:1], found.scores[:1], found.classes[:1], np.zeros(1, int), k / 10)
        frame = Frame(np.zeros((4, 6, 3), np.uint8), k + 1, k / 10)
        for sink in sinks:
            sink.open(RunInfo(SourceInfo("x", 100, 100, 10.0, None, live=False), {}))
            sink.write(FrameResult(frame, found, tracks, detected=k == 0, model_hash="ab"))
        shown.append(tracks)
    for sink in sinks:
        sink.close()
    assert trainer.shown == [
        ((4, 6, 3), shown[0], {"time_s": 0.0, "detections": found, "frame": 1}),
        (0.0, "ab", 1),
        "ended",
    ]
