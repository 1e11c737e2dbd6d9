"""Detection without a model: what differs from the background, for a camera that stands still."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType

import cv2
import numpy as np

from tracker.detectors.motion_config import MotionDetectorConfig
from tracker.detectors.subtraction.background import Background, seeded
from tracker.detectors.subtraction.blobs import Blobs, clean, find_blobs
from tracker.detectors.subtraction.camera_watch import CameraWatch
from tracker.detectors.subtraction.ghosts import find_ghosts
from tracker.detectors.subtraction.objects import TrackedObject
from tracker.detectors.subtraction.separation import Separation
from tracker.image import check_image
from tracker.types import Detections, FloatArray, Frame, Image

_logger = logging.getLogger(__name__)

_NOMINAL_STEP_S = 0.04  # between frames whose times tell nothing
_LONGEST_STEP_S = 1.0
_NEW, _OLD = 0.42, 0.68  # score of a box that has just appeared, and of one that has lasted
_LASTING_S = 0.12
_WHOLE_SHARE, _LEAST_WHOLENESS = 0.4, 0.35  # of the usual area: less of it makes the score fall in proportion
_STILL_S = 4.0  # who has never moved for so long is scored lower: perhaps a ghost or a change of the scene


class MotionDetector:
    """Boxes of whatever moves before a background that stands still; class 0, `object`.

    Every box comes with a score that says how long, how clearly and how completely it was seen. People who touch are
    told apart by what they looked like when they were apart; shadows, changes of light and ghosts are taken out.
    Boxes lie inside the picture. The first frame is background by definition: nothing is found in it.

    It remembers, so frames must come in order; a frame of another size starts anew.

    Args:
        config: settings.
    """

    def __init__(self, config: MotionDetectorConfig | None = None) -> None:
        self.config = config or MotionDetectorConfig()
        self._watch = CameraWatch()
        self._warned = False
        self._background: Background | None = None
        self._separation = Separation(split=self.config.split)
        self._frame_size = (0, 0)
        self._last_s = 0.0

    @property
    def class_names(self) -> Mapping[int, str]:
        """One class."""
        return MappingProxyType({0: "object"})

    @property
    def camera_moves(self) -> bool:
        """Whether the camera was seen to move: background subtraction does not serve then."""
        return self._watch.moves

    def __call__(self, frame: Frame) -> Detections:
        """Detections of the next frame, the best first.

        Raises:
            InputError: the frame's image is not (H, W, 3) uint8.
        """
        size = check_image(frame.image)
        picture = self._reduced(frame.image)
        if self._background is None or size != self._frame_size:
            self._begin(picture, size, frame.time_s)
            return Detections(np.zeros((0, 4), np.float32), frame_size=size)
        dt_s = self._step(frame.time_s)
        self._watch_camera(picture, frame.time_s)
        boxes, scores = self._detect(picture, dt_s)
        order = np.argsort(-scores, kind="stable")
        ratio = np.tile(np.array(size, np.float32) / np.array(picture.shape[1::-1], np.float32), 2)
        limit = np.tile(np.array(size, np.float32), 2)
        full = np.clip(boxes[order] * ratio, 0, limit)
        kept = (full[:, 2:] > full[:, :2]).all(axis=1)
        return Detections(full[kept], scores[order][kept], frame_size=size)

    def _begin(self, picture: Image, size: tuple[int, int], time_s: float) -> None:
        self._background = Background(picture, self.config)
        self._separation.clear()
        self._frame_size, self._last_s = size, time_s

    def _reduced(self, image: Image) -> Image:
        scale = self.config.work_size_px / max(image.shape[:2])
        if scale >= 1:
            return image
        size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _step(self, time_s: float) -> float:
        step = time_s - self._last_s
        self._last_s = time_s
        return min(step, _LONGEST_STEP_S) if step > 0 else _NOMINAL_STEP_S

    def _watch_camera(self, picture: Image, time_s: float) -> None:
        if self._warned:
            return
        self._watch.update(picture, time_s)
        if self._watch.moves:
            self._warned = True
            _logger.warning(
                "the camera moves, and the motion detector needs one that stands still: use a detector with a model, "
                "such as --detector yolox_nano.onnx, or yolo11n.pt with the yolo extra"
            )

    def _detect(self, picture: Image, dt_s: float) -> tuple[FloatArray, FloatArray]:
        assert self._background is not None
        mask, clarity = self._background.apply(picture)
        mask = seeded(clean(mask), clarity)
        min_area = max(self.config.min_area_share * mask.size, 12.0)
        blobs = find_blobs(mask, min_area)
        ghosts = find_ghosts(blobs, picture, self._background.picture)
        if ghosts.any():
            gone = np.isin(blobs.labels, np.flatnonzero(ghosts) + 1)
            self._background.heal(gone)
            mask[gone] = 0
            blobs = find_blobs(mask, min_area)
        self._background.learn(cv2.dilate(mask, np.ones((5, 5), np.uint8)), dt_s)  # type: ignore[arg-type]
        boxes, sure = self._separation.update(blobs, picture, dt_s)
        return boxes, self._scores(blobs, boxes, sure, clarity)

    def _scores(self, blobs: Blobs, boxes: FloatArray, sure: FloatArray, clarity: FloatArray) -> FloatArray:
        """(N,) from age, fill and contrast."""
        scores = np.zeros(len(boxes), np.float32)
        shown = [o for o in self._separation.objects if o.missed_s == 0.0][: len(boxes)]
        for n, (one, box) in enumerate(zip(shown, boxes, strict=True)):
            x1, y1, x2, y2 = (max(int(v), 0) for v in np.rint(box))
            inside = blobs.labels[y1:y2, x1:x2] > 0
            fill = float(inside.mean()) if inside.size else 0.0
            contrast = float(clarity[y1:y2, x1:x2][inside].mean()) if inside.any() else 0.0
            base = _NEW + (_OLD - _NEW) * min(one.seen_s / _LASTING_S, 1.0)
            if one.seen_s > _STILL_S and one.travelled_px < 0.25 * float(one.size.max()):
                base = _NEW
            extra = 0.16 * min(fill / 0.6, 1.0) + 0.12 * min(contrast / 4, 1.0)
            scores[n] = min((base + extra) * float(sure[n]) * self._wholeness(one, box), 0.99)
        return scores

    def _wholeness(self, one: TrackedObject, box: FloatArray) -> float:
        """Low for a sliver: somebody who has only begun to come in, or has nearly left."""
        size = box[2:] - box[:2]
        usual = one.size if one.known else self._separation.sizes.expected(float(box[3]))
        if usual is None:
            return 1.0
        share = float(size[0] * size[1]) / max(float(usual[0] * usual[1]), 1.0)
        return min(max(share / _WHOLE_SHARE, _LEAST_WHOLENESS), 1.0)
