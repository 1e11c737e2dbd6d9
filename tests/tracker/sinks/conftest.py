"""Results to write."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.types import Detections, Frame, FrameResult, RunInfo, SourceInfo, TrackEvent, Tracks


@pytest.fixture
def run():
    return RunInfo(SourceInfo("clip.mp4", 160, 120, 25.0, None, live=False), {0: "person", 2: 'a "red", car'})


@pytest.fixture
def make_result():
    """One frame: identity 1 walks right, identity 2 stands; from the third frame on it is predicted."""

    def make(index, *, detected=True, time_s=None, ids=(1, 2), boxes=None):
        image = np.full((120, 160, 3), 10 * index % 256, np.uint8)
        time_s = (index - 1) / 25 if time_s is None else time_s
        if boxes is None:
            boxes = [[10.125 + index, 20, 40 + index, 80], [100, -10, 170, 60]][: len(ids)]
        rows = np.arange(len(ids))
        if index >= 3 or not detected:
            rows[1:] = -1
        tracks = Tracks(
            np.array(ids, np.int64),
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array([0.91239, 0.5][: len(ids)], np.float32),
            np.array([0, 2][: len(ids)], np.int64),
            rows,
            time_s,
            (TrackEvent("born", 1, 0.0),) if index == 1 else (),
        )
        return FrameResult(Frame(image, index, time_s), Detections.empty(), tracks, detected)

    return make
