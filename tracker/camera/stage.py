"""Camera motion as a stage of the pipeline: looks at every frame, and says what happened since the tracker's last."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, runtime_checkable

from tracker.camera.config import CameraMode, CameraMotionConfig
from tracker.camera.estimator import CameraMotion
from tracker.motion.camera import compose, keeps_areas, move_boxes
from tracker.stages import StageTime
from tracker.types import DetectorLike, DoubleArray, FloatArray, Image, Tracks


@runtime_checkable
class StillCameraDetector(DetectorLike, Protocol):
    """A detector that serves only while the camera stands still, such as `MotionDetector`, and watches for that."""

    @property
    def camera_moves(self) -> bool:
        """Whether the camera was seen to move."""


class CameraStage:
    """Adds up the motion between two updates of a tracker, over the frames that are only predicted.

    Args:
        mode: whether to look at all; `auto`: unless the detector is a `StillCameraDetector`.
        config: of the estimate.
        detector: of the pipeline.
        clock: counts the time that the estimate takes.
    """

    def __init__(self, mode: CameraMode, config: CameraMotionConfig, detector: DetectorLike, clock: StageTime) -> None:
        stands = mode == "off" or (mode == "auto" and isinstance(detector, StillCameraDetector))
        self._estimator = None if stands else CameraMotion(config)
        self._clock = clock
        self._since_update: DoubleArray | None = None

    def detected(self, image: Image, boxes: FloatArray) -> DoubleArray | None:
        """The motion from the last frame that was detected on to this one, (2, 3); None where none can be told.

        `boxes` are (N, 4) those of the detections.
        """
        motion = self._look(image, boxes)
        self._since_update = None
        return motion

    def predicted(self, image: Image, tracks: Tracks) -> Tracks:
        """The tracks of a frame that was not detected on, predicted as if the camera stood, where they are seen."""
        motion = self._look(image, tracks.boxes)
        return tracks if motion is None else replace(tracks, boxes=move_boxes(tracks.boxes, motion))

    def _look(self, image: Image, boxes: FloatArray) -> DoubleArray | None:
        if self._estimator is None:
            return None
        with self._clock.measure():
            motion = self._estimator.update(image, boxes)
        if motion is not None:
            self._since_update = motion if self._since_update is None else compose(self._since_update, motion)
        if self._since_update is None or not keeps_areas(self._since_update):
            return None  # after a long zoom nothing is where it can be told
        return self._since_update
