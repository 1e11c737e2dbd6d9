"""Camera motion in a pipeline: when it is estimated, what the tracker is told, where predictions are shown."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import pytest

from tracker import Detections, Frame, Pipeline, PipelineConfig, Tracker
from tracker.boxes import iou
from tracker.camera import CameraMotion
from tracker.detectors import MotionDetector
from tracker.errors import ConfigError
from tracker.motion.camera import compose, move_boxes
from tracker.types import SourceInfo

WIDTH, HEIGHT, RATE_HZ, STEP_PX = 480, 270, 10, 14


class Pan:
    """A camera that swings over a wall, before which one thing stands; the box of it in every frame."""

    def __init__(self, frames: int = 24, still: bool = False) -> None:
        rng = np.random.default_rng(2)
        coarse = rng.integers(40, 216, (30, 100, 3)).astype(np.uint8)
        self._wall = cv2.resize(coarse, (1600, HEIGHT), interpolation=cv2.INTER_CUBIC)
        self._thing = rng.integers(0, 255, (120, 50, 3)).astype(np.uint8)
        self.left = [0 if still else round(150 + 150 * np.sin(STEP_PX / 150 * i)) for i in range(frames)]
        self.info = SourceInfo("pan", WIDTH, HEIGHT, RATE_HZ, frames, live=False)

    def box(self, index: int) -> np.ndarray:
        x = 330 - self.left[index - 1]
        return np.array([[x, 100, x + 50, 220]], np.float32)

    def __iter__(self) -> Iterator[Frame]:
        wall = self._wall.copy()
        wall[100:220, 330:380] = self._thing
        for i, left in enumerate(self.left):
            yield Frame(np.ascontiguousarray(wall[:, left : left + WIDTH]), i + 1, i / RATE_HZ)

    def close(self) -> None: ...

    def __enter__(self) -> Pan:
        return self

    def __exit__(self, *_: object) -> None: ...


class Seen:
    """The true boxes as detections."""

    class_names = MappingProxyType({0: "thing"})

    def __init__(self, clip: Pan) -> None:
        self._clip = clip

    def __call__(self, frame: Frame) -> Detections:
        return Detections(self._clip.box(frame.index), frame_size=(WIDTH, HEIGHT))


class SeenByAStillCamera(Seen):
    camera_moves = False


class Told(Tracker):
    """Remembers the camera motions that it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.motions: list[Any] = []

    def update(self, *args: Any, camera_motion: Any = None, **more: Any) -> Any:
        self.motions.append(camera_motion)
        return super().update(*args, camera_motion=camera_motion, **more)


def test_the_tracker_is_told_how_the_camera_moved() -> None:
    clip, tracker = Pan(), Told()
    results = list(Pipeline(clip, Seen(clip), None, tracker))
    assert tracker.motions[0] is None
    for before, after, motion in zip(clip.left, clip.left[1:], tracker.motions[1:], strict=False):
        found = np.eye(2, 3) if motion is None else motion
        np.testing.assert_allclose(found, [[1, 0, before - after], [0, 1, 0]], atol=1.1)  # one pixel counts as standing
    assert {i for r in results for i in r.tracks.ids.tolist()} == {1}
    assert sum(len(r.tracks) for r in results) >= 22


def test_between_detections_predictions_move_along_and_the_motions_add_up() -> None:
    clip, tracker = Pan(), Told()
    pipeline = Pipeline(clip, Seen(clip), None, tracker, config=PipelineConfig(every=4))
    shown = [r for r in pipeline if len(r.tracks) and r.frame.index > 8]
    assert sum(not r.detected for r in shown) > 8
    for result in shown:
        assert iou(result.tracks.boxes, clip.box(result.frame.index))[0, 0] > 0.85
    sums = [clip.left[4 * k - 4] - clip.left[4 * k] for k in range(1, 6)]
    np.testing.assert_allclose([m[0, 2] for m in tracker.motions[1:]], sums, atol=1.5)
    assert pipeline.stages.camera.calls == 24


@pytest.mark.parametrize(
    ("mode", "detector", "calls"),
    [
        ("auto", Seen, 24),
        ("on", Seen, 24),
        ("off", Seen, 0),
        ("auto", SeenByAStillCamera, 0),
        ("on", SeenByAStillCamera, 24),
    ],
)
def test_when_it_is_estimated(mode: Any, detector: type[Seen], calls: int) -> None:
    clip, tracker = Pan(), Told()
    pipeline = Pipeline(clip, detector(clip), None, tracker, config=PipelineConfig(camera_motion=mode))
    list(pipeline)
    assert pipeline.stages.camera.calls == calls
    assert any(m is not None for m in tracker.motions) == bool(calls)


def test_what_a_long_zoom_leaves_of_the_picture_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CameraMotion, "update", lambda *_: np.array([[1.2, 0, 0], [0, 1.2, 0]]))
    tracker = Told()
    clip = Pan(still=True)
    list(Pipeline(clip, Seen(clip), None, tracker, config=PipelineConfig(every=8)))
    assert tracker.motions[1:] == [None, None], "areas grow by 1.44 to the 8th, more than 10 times"
    tracker = Told()
    list(Pipeline(clip, Seen(clip), None, tracker, config=PipelineConfig(every=6)))
    np.testing.assert_allclose([motion[0, 0] for motion in tracker.motions[1:]], 1.2**6)


def test_the_motion_detector_watches_the_camera_itself() -> None:
    clip = Pan(6)
    pipeline = Pipeline(clip, MotionDetector(), None, Tracker())
    list(pipeline)
    assert pipeline.stages.camera.calls == 0


def test_a_tracker_that_knows_no_camera_motion_serves_while_the_camera_stands() -> None:
    class Plain(Tracker):
        def update(self, detections, *, time_s=None, embed=None, include_coasted=False):  # type: ignore[override,no-untyped-def]
            return super().update(detections, time_s=time_s, embed=embed, include_coasted=include_coasted)

    clip = Pan(still=True)
    assert len(list(Pipeline(clip, Seen(clip), None, Plain()))) == 24


def test_another_mode_is_refused() -> None:
    with pytest.raises(ConfigError, match="camera_motion must be auto, on or off, got 'always'"):
        PipelineConfig(camera_motion="always")  # type: ignore[arg-type]


def test_boxes_move_as_states_do_and_motions_follow_each_other() -> None:
    quarter_turn_twice_the_size = np.array([[0.0, -2.0, 5.0], [2.0, 0.0, 7.0]])
    boxes = np.array([[8, 16, 12, 24]], np.float32)
    moved = move_boxes(boxes, quarter_turn_twice_the_size)
    np.testing.assert_allclose(moved, [[-39, 19, -31, 35]])
    assert moved.dtype == np.float32
    shift = np.array([[1.0, 0.0, 3.0], [0.0, 1.0, -4.0]])
    both = compose(quarter_turn_twice_the_size, shift)
    np.testing.assert_allclose(move_boxes(boxes, both), move_boxes(moved, shift))
