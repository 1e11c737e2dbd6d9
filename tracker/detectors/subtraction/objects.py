"""What the motion detector remembers of each object, so that blobs of several can be told apart.

While an object is alone in its blob, its box is the blob's, and its size, speed and looks are learnt. When blobs merge,
each object is looked for near where it should be, by its looks; what nothing explains becomes a new object. The memory
serves the boxes of the next moments only: it carries no identity.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.types import BoolArray, FloatArray, Image

_UPPER = 0.62  # of the height is matched: legs swing
_SIZE_TIME_S = 0.8  # time constant of the remembered size: longer than a step
_SPEED_TIME_S = 0.35  # time constant of the measured speed
_FASTEST = 3.0  # of its height or width a second
_REACH = (0.35, 0.1)  # of the patch: how far from its prediction an object is looked for
_PATCH_EVERY_S = 0.1
_HIDDEN_WIDTH = 0.55  # of its usual width: less than a walker shows with closed legs
_LONGEST_HIDING_S = 1.0
_STILL_SIDE = 0.45  # times the speed of the other side
_SIDE_TIME_S = 0.12  # time constant of the measured speed of a side
_MATURE_S = 0.3  # seen for less, an object may still be growing into the picture


@dataclass(slots=True, eq=False)
class TrackedObject:
    """One remembered object, in pixels of the working picture."""

    box: FloatArray
    """(4,) xyxy, where it was last."""
    size: FloatArray
    """(2,) width and height while it was alone."""
    seen_s: float = 0.0
    """For how long it has been seen."""
    missed_s: float = 0.0
    """How long it has not been seen."""
    speed: FloatArray = field(default_factory=lambda: np.zeros(2, np.float32))
    """(2,) pixels a second."""
    travelled_px: float = 0.0
    """How far its centre has come from where it was first seen, at most."""
    origin: FloatArray = field(default_factory=lambda: np.zeros(2, np.float32))
    """(2,) its centre when it was first seen."""
    patch: Image | None = None
    """Its upper part, (h, w, 3) uint8, as it looked when last alone."""
    patch_mask: NDArray[np.uint8] | None = None
    """(h, w) which pixels of the patch are the object's."""
    patch_offset: FloatArray = field(default_factory=lambda: np.zeros(2, np.float32))
    """(2,) of the patch's corner from the box's."""
    patch_age_s: float = 1e9
    raw: FloatArray | None = None
    """(4,) its blob when last alone."""
    side_speed: FloatArray = field(default_factory=lambda: np.zeros(2, np.float32))
    """(2,) pixels a second of the left and the right side of that blob."""
    occluded_s: float = 0.0
    """For how long something that stands still has been hiding a part of it."""
    edge: bool = False
    """Whether it touched the picture's border when last seen alone: its size is not known then."""

    @classmethod
    def at(cls, box: FloatArray) -> TrackedObject:
        """A new one."""
        one = cls(box.copy(), box[2:] - box[:2])
        one.origin = np.asarray((box[:2] + box[2:]) / 2, np.float32)
        return one

    @property
    def known(self) -> bool:
        """Whether its whole size and its looks were learnt."""
        return self.seen_s >= _MATURE_S and not self.edge and self.patch is not None

    def predicted(self, dt_s: float) -> FloatArray:
        """(4,) where it should be now."""
        return self.box + np.tile(self.speed * np.float32(dt_s), 2)

    def measured(self, box: FloatArray, dt_s: float, *, alone: bool, edge: bool) -> None:
        """Take over a box that was found for it; `edge`: it is cut off there, or its size is not to be learnt."""
        self._learn_speed(box, dt_s, steady=not (edge or self.edge))
        if alone:
            size = box[2:] - box[:2]
            if edge or self.edge or self.seen_s < _MATURE_S:  # what comes in is not whole yet: keep the largest
                self.size = np.maximum(self.size, size)
            else:
                self.size += np.float32(1 - np.exp(-dt_s / _SIZE_TIME_S)) * (size - self.size)
            self.edge = edge
            self.occluded_s = 0.0
        self.box = box.astype(np.float32)
        self.seen_s += dt_s
        self.missed_s = 0.0
        centre = (box[:2] + box[2:]) / 2
        self.travelled_px = max(self.travelled_px, float(np.abs(centre - self.origin).max()))

    def _learn_speed(self, box: FloatArray, dt_s: float, *, steady: bool) -> None:
        """Legs open and close about the middle, so that moves evenly; what comes in or goes out is told by one side."""
        shift = box - self.box  # (4,)
        if steady:
            moved = np.array([(shift[0] + shift[2]) / 2, (shift[1] + shift[3]) / 2])
        else:
            moved = np.array([_larger(shift[0], shift[2]), _larger(shift[1], shift[3]) * 0.3])
        limit = _FASTEST * float((box[2:] - box[:2]).max()) * dt_s
        gain = max(1 - np.exp(-dt_s / _SPEED_TIME_S), dt_s / (self.seen_s + dt_s))
        speed = np.clip(moved, -limit, limit) / max(dt_s, 1e-3)
        self.speed += np.float32(gain) * (speed.astype(np.float32) - self.speed)

    def restored(self, box: FloatArray, usual_width: float | None, dt_s: float) -> FloatArray | None:
        """(4,) the whole box where `box` is only what something that stands still leaves of it; else None.

        A box of less than half the usual width is not made by closed legs. If one of its sides moves and the other
        does not, that other side is where the object goes behind something, or comes out from behind it.
        """
        self._watch_sides(box, dt_s)
        width = float(box[2] - box[0])
        if usual_width is None or width > _HIDDEN_WIDTH * usual_width or self.occluded_s > _LONGEST_HIDING_S:
            return None
        left, right = (abs(float(v)) for v in self.side_speed)
        if max(left, right) < 0.25 * usual_width or self.seen_s < 2 * dt_s:
            return None
        self.occluded_s += dt_s
        whole = box.copy()
        if left < _STILL_SIDE * right:
            whole[0] = box[2] - usual_width
        elif right < _STILL_SIDE * left:
            whole[2] = box[0] + usual_width
        else:
            return None
        return whole

    def _watch_sides(self, box: FloatArray, dt_s: float) -> None:
        if self.raw is not None:
            speed = (box[[0, 2]] - self.raw[[0, 2]]) / np.float32(max(dt_s, 1e-3))
            self.side_speed += np.float32(1 - np.exp(-dt_s / _SIDE_TIME_S)) * (speed - self.side_speed)
        self.raw = box.copy()

    def remember_looks(self, picture: Image, inside: BoolArray, dt_s: float) -> None:
        """Keep the upper part as it is now; `inside` (h, w) says which pixels of the picture are the object's."""
        self.patch_age_s += dt_s
        if self.patch_age_s < _PATCH_EVERY_S:
            return
        x1, y1, x2, y2 = (int(v) for v in np.rint(self.box))
        x1, y1 = max(x1, 0), max(y1, 0)
        y2 = y1 + int((y2 - y1) * _UPPER)
        patch = picture[y1:y2, x1:x2]
        mask = inside[y1:y2, x1:x2]
        if patch.shape[0] < 6 or patch.shape[1] < 4 or mask.mean() < 0.2:
            return
        self.patch, self.patch_mask = patch.copy(), mask.astype(np.uint8)
        self.patch_offset = np.array([x1, y1], np.float32) - self.box[:2]
        self.patch_age_s = 0.0

    def look_for(self, picture: Image, foreground: BoolArray, predicted: FloatArray) -> tuple[FloatArray, float]:
        """Search near the prediction: ((2,) shift of the box, 0..1 share of the looks that is found there).

        What is not `foreground` (h, w) is never the object, however much the background looks like it.
        """
        if self.patch is None or self.patch_mask is None:
            return np.zeros(2, np.float32), 0.5
        height, width = self.patch.shape[:2]
        corner = predicted[:2] + self.patch_offset
        reach = np.array([_REACH[0] * width + 2, _REACH[1] * height + 2])  # (2,) pixels
        low = np.floor(np.maximum(corner - reach, 0)).astype(int)
        high = np.ceil(np.minimum(corner + reach + (width, height), picture.shape[1::-1])).astype(int)
        window = picture[low[1] : high[1], low[0] : high[0]]
        if window.shape[0] < height or window.shape[1] < width:
            return np.zeros(2, np.float32), 0.5
        mask = np.repeat(self.patch_mask[:, :, None], 3, axis=2)
        total = np.asarray(cv2.matchTemplate(window, self.patch, cv2.TM_SQDIFF, mask=mask), np.float64)
        error = total / max(3.0 * float(self.patch_mask.sum()), 1.0)  # (y shifts, x shifts) mean square a channel
        # far from the prediction must be much better than near it
        y, x = np.mgrid[: error.shape[0], : error.shape[1]]
        off = (((low[0] + x - corner[0]) / reach[0]) ** 2 + ((low[1] + y - corner[1]) / reach[1]) ** 2) / 2
        best = np.unravel_index(int(np.argmin(error * (1 + 0.35 * off) + 40 * off)), error.shape)
        found = window[best[0] : best[0] + height, best[1] : best[1] + width]
        alike = np.abs(found.astype(np.int16) - self.patch).max(axis=2) < 36  # (h, w)
        top, left = low[1] + best[0], low[0] + best[1]
        alike &= foreground[top : top + height, left : left + width]
        agreement = float(alike[self.patch_mask > 0].mean())
        shift = np.array([low[0] + best[1], low[1] + best[0]], np.float32) - corner.astype(np.float32)
        return shift, agreement


def _larger(one: float, other: float) -> float:
    """The larger of two movements."""
    return float(one if abs(one) > abs(other) else other)
