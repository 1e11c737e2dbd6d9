"""Estimates how the camera moved from one frame to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tracker.camera.agreement import MIN_POINTS, agreed_motion, farthest
from tracker.camera.config import CameraMotionConfig
from tracker.camera.flow import Grey, coarse_shift, corners, covered, follow, outside, reduce, reduction
from tracker.camera.similarity import Similarity
from tracker.camera.stillness import StillnessProbe
from tracker.errors import InputError
from tracker.image import check_image
from tracker.types import BoolArray, DoubleArray, Image

_MIN_SIDE_PX = 32  # of the work picture: two rows of corners
_GROWN = 0.1  # boxes are grown by this share on each side: arms, legs and shadows reach over them


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """One frame as the next is compared with it."""

    shape: tuple[int, ...]
    """Of the picture itself."""
    times: int
    """How many times smaller the next two are."""
    grey: Grey
    """(h, w)."""
    free: BoolArray
    """(h, w) where no object is."""


class CameraMotion:
    """Estimates the motion of the camera between frames, for `Tracker.update(camera_motion=...)`.

    Corners of the background, outside the boxes of the frame before, are followed by sparse optical flow on a reduced
    picture, and the shift, turn and zoom that most of them agree on is the motion, as in BoT-SORT (Aharon 2022, section
    3.2) and Deep OC-SORT (Maggiolino 2023); StrongSORT (Du 2023) aligns whole pictures by ECC (Evangelidis 2008)
    instead. A motion is reported only where enough points, in several parts of the picture, agree on a possible one.
    While the camera stands, a few hundred pixels of each frame are compared with those of the frame that it came to
    stand in, and nothing else is done.

        motion = CameraMotion()
        for frame in source:
            detections = detector(frame)
            tracks = tracker.update(
                detections, time_s=frame.time_s, camera_motion=motion.update(frame.image, detections.boxes)
            )

    It remembers a frame, so frames must come in order. The same frames give the same motions. Not safe to call
    from several threads at once.

    Args:
        config: settings.
    """

    def __init__(self, config: CameraMotionConfig | None = None) -> None:
        self.config = config or CameraMotionConfig()
        self.reset()

    def reset(self) -> None:
        """Forget the last frame, as before another clip."""
        self._last: _Look | None = None
        self._probe: StillnessProbe | None = None

    def update(self, image: Image, boxes: ArrayLike | None = None) -> DoubleArray | None:
        """The motion from the last frame whose motion was told to this one.

        Args:
            image: (H, W, 3) uint8 BGR. Not changed.
            boxes: (N, 4) `x1, y1, x2, y2` in pixels: what may move by itself in this frame, such as its detections. The
                background is looked for elsewhere; a few things that move and are not among them do no harm.

        Returns:
            (2, 3) float64 affine from pixels of the last frame whose motion was told to pixels of this one; None where
            the camera stood, where its motion cannot be told, for the first frame, and for one of another size than the
            last.

        Raises:
            InputError: no picture, or boxes of another shape.
        """
        size, moving = check_image(image), _checked_boxes(boxes)
        if min(size) < _MIN_SIDE_PX * reduction(image, self.config.work_size_px):
            self.reset()
            return None
        last = self._last
        if last is None or last.shape != image.shape:
            self._last = self._look(image, moving)
            self._probe = _probe(image, self._last)
            return None
        still_px = self.config.still_share * max(last.grey.shape)
        if self._probe is not None and not self._probe.shifted(image, moving, still_px):
            return None
        look = self._look(image, moving)
        motion = self._between(last, look)
        if motion is not None and farthest(motion, look.grey.shape) > still_px:
            self._last, self._probe = look, None
            return Similarity(motion.zoom_turn, motion.shift * look.times).affine()
        # what is too little to be told from standing is not lost: the next look is compared with the same frame again
        self._last = look if motion is None else last
        self._probe = _probe(image, look)
        return None

    def _look(self, image: Image, boxes: DoubleArray) -> _Look:
        """The frame, reduced."""
        times = reduction(image, self.config.work_size_px)
        grey = reduce(image, times)
        margin = _GROWN * np.tile(boxes[:, 2:] - boxes[:, :2], 2) * (-1, -1, 1, 1)
        return _Look(image.shape, times, grey, outside((boxes + margin) / times, grey.shape))

    def _between(self, before: _Look, after: _Look) -> Similarity | None:
        """The motion in pixels of the work pictures; None where it cannot be told."""
        points = corners(before.grey, before.free)
        if len(points) < MIN_POINTS:
            return None
        for guess in (coarse_shift(before.grey, after.grey), 0j):  # the first may follow what passes before the camera
            start, end = follow(before.grey, after.grey, points, guess)
            seen = ~covered(end, after.free)
            motion = agreed_motion(start[seen], end[seen], after.grey.shape, self.config.min_support)
            if motion is not None:
                return motion
        return None


def _probe(image: Image, look: _Look) -> StillnessProbe:
    """What tells whether the next frames differ from this one."""
    return StillnessProbe(image, look.grey, look.free, look.times)


def _checked_boxes(boxes: ArrayLike | None) -> DoubleArray:
    array = np.zeros((0, 4)) if boxes is None else np.asarray(boxes, np.float64)
    if not array.size:
        return np.zeros((0, 4))
    if array.ndim != 2 or array.shape[1] != 4 or not np.isfinite(array).all():
        raise InputError(f"boxes must be finite, of shape (N, 4), got {array.shape}")
    return array
