"""Whether the camera still stands as it did, from a few hundred pixels: what a frame costs while nothing moves."""

from __future__ import annotations

import cv2
import numpy as np

from tracker.camera.flow import Grey, cells
from tracker.types import BoolArray, DoubleArray, FloatArray, Image, IntArray

_STEEP, _FLAT = 4.0, 2.0  # grey levels a pixel of the work picture: slopes that show a shift, and that show noise alone
_AROUND = (5, 5)  # pixels: what is flat must be so around, or a shift would change it too
_MOST_NOISE = 3.0  # grey levels in the mean of four pixels; more is a large shift, by which flat places change as well
_ENOUGH = 12
_MEAN = np.full(12, 1 / 12, np.float32)  # of four pixels of three channels


class StillnessProbe:
    """Remembers one picture at its steepest and its flattest places, and tells whether another one is shifted.

    By the constraint of optical flow (Horn and Schunck 1981) a shift d changes a pixel by |grad I . d|. Looked at are
    the steepest place across and the steepest place down of each cell: where more than half of either changed by more
    than a shift explains and by more than the noise, which the flat places tell (a flicker of the light included), the
    picture moved by more than that. Things that move by themselves cover less than half of the places, or are left out
    by their boxes.

    Args:
        image: (H, W, 3) of the picture to remember.
        grey: the same, `times` smaller.
        free: (h, w) where no object is.
        times: how many times smaller `grey` is.
    """

    def __init__(self, image: Image, grey: Grey, free: BoolArray, times: int) -> None:
        across, down = (  # (h, w) each; Scharr's kernel adds up to 32
            np.abs(cv2.Scharr(grey, cv2.CV_32F, *axis, scale=1 / 32)) for axis in ((1, 0), (0, 1))
        )
        found = [cells(np.where(free, slope, 0.0)) for slope in (across, down)]
        places = [np.stack((x, y))[:, slope > _STEEP] for x, y, slope in found]  # (2, s) each
        x, y, flatness = cells(np.where(free, -cv2.blur(across + down, _AROUND), -np.inf))
        flat = np.stack((x, y))[:, flatness > -_FLAT]
        self._across, self._steep = places[0].shape[1], places[0].shape[1] + places[1].shape[1]
        self._slope = np.concatenate([slope[slope > _STEEP] for _, _, slope in found])  # (s,) across, then down
        self._x, self._y = np.concatenate(places, axis=1)[:, :, None] * times + times / 2  # (s, 1) each
        self._pixels = _channels(np.concatenate((*places, flat), axis=1), times, image.shape[1])
        self._values = self._read(image)

    def _read(self, image: Image) -> FloatArray:
        """(s + f,) grey levels: of the steep places, then of the flat ones."""
        values: FloatArray = image.take(self._pixels).astype(np.float32) @ _MEAN
        return values

    def shifted(self, image: Image, boxes: DoubleArray, shift_px: float) -> bool:
        """Whether a picture of the same size is shifted by more than `shift_px` of the work picture, or may be.

        Args:
            image: (H, W, 3).
            boxes: (N, 4) xyxy in pixels of `image`, of things that may move by themselves.
            shift_px: across or down.
        """
        change = np.abs(self._read(image) - self._values)  # (s + f,)
        steep, flat = change[: self._steep], change[self._steep :]
        noise = min(_median(flat), _MOST_NOISE) if len(flat) >= _ENOUGH else 0.0
        changed = steep > shift_px * self._slope + 2 * noise  # (s,)
        covered = (
            (self._x >= boxes[:, 0]) & (self._x <= boxes[:, 2]) & (self._y >= boxes[:, 1]) & (self._y <= boxes[:, 3])
        )  # (s, N)
        free = ~covered.any(axis=1)
        asked = False
        for part in (slice(0, self._across), slice(self._across, None)):
            places = np.count_nonzero(free[part])
            if places >= _ENOUGH:
                asked = True
                if np.count_nonzero(changed[part] & free[part]) > places / 2:
                    return True
        return not asked  # where nothing could be asked, it may be


def _channels(places: IntArray, times: int, width_px: int) -> IntArray:
    """Of each of (2, n) places of the work picture, where two by two pixels lie in the flat (H, W, 3) one: (n, 12)."""
    taps = np.array([times // 4, (3 * times) // 4])  # of those that the work picture averages
    columns, rows = places[:, :, None] * times + np.array([taps[[0, 1, 0, 1]], taps[[0, 0, 1, 1]]])[:, None]  # (n, 4)
    channels: IntArray = (rows * width_px + columns)[:, :, None] * 3 + np.arange(3)  # (n, 4, 3)
    return channels.reshape(-1, 12)


def _median(values: FloatArray) -> float:
    """The upper one: several times as fast as NumPy's for a few hundred values."""
    return float(np.partition(values, len(values) // 2)[len(values) // 2])
