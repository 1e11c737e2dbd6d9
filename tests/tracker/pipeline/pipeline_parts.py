"""Sources, detectors, trackers and sinks that say what was done with them."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np

from tracker.errors import OutputError
from tracker.pipeline import Pipeline, PipelineConfig
from tracker.types import Detections, Frame, SourceInfo, TrackEvent, Tracks


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
