"""Whether the camera still stands as it did, from a few hundred pixels: what a frame costs while nothing moves."""

from __future__ import annotations

import cv2
import numpy as np

from tracker.camera.flow import Grey, cells
from tracker.types import BoolArray, DoubleArray, Image

_STEEP, _FLAT = 4.0, 2.0  # grey levels a pixel of the work picture: slopes that show a shift, and that show noise alone
_MOST_NOISE = 3.0  # grey levels in the mean of four pixels; more is a large shift, by which flat places change as well
_ENOUGH = 12


class StillnessProbe:
    """Remembers one picture at its steepest and its flattest places, and tells whether another one is shifted.

    By the constraint of optical flow (Horn and Schunck 1981) a shift d changes a pixel by |grad I . d| <= |grad I| |d|:
    where more than half of the steep places changed by more than that and by more than the noise, which the flat
    places tell (a flicker of the light included), the picture moved by more than |d|. Things that move by themselves
    cover less than half of the places, or are left out by their boxes.

    Args:
        image: (H, W, 3) of the picture to remember.
        grey: the same, `times` smaller.
        free: (h, w) where no object is.
        times: how many times smaller `grey` is.
    """

    def __init__(self, image: Image, grey: Grey, free: BoolArray, times: int) -> None:
        slope = cv2.magnitude(  # (h, w); Scharr's kernel adds up to 32
            cv2.Scharr(grey, cv2.CV_32F, 1, 0, scale=1 / 32), cv2.Scharr(grey, cv2.CV_32F, 0, 1, scale=1 / 32)
        )
        x, y, steep = cells(np.where(free, slope, 0.0))
        self._slope = steep[steep > _STEEP]  # (s,)
        u, v, flat = cells(np.where(free, -slope, -np.inf))
        x, y = (np.concatenate((a[steep > _STEEP], b[flat > -_FLAT])) for a, b in ((x, u), (y, v)))  # (s + f,)
        taps = np.array([times // 4, (3 * times) // 4])  # two by two pixels of each that `grey` averages
        self._columns = x[:, None] * times + taps[[0, 1, 0, 1]]  # (s + f, 4)
        self._rows = y[:, None] * times + taps[[0, 0, 1, 1]]
        self._places = np.stack((x, y), axis=1)[: len(self._slope)] * times + times / 2  # (s, 2)
        self._values = self._read(image)

    def _read(self, image: Image) -> DoubleArray:
        """(s + f,) grey levels."""
        values: DoubleArray = image[self._rows, self._columns].mean(axis=(1, 2))
        return values

    def shifted(self, image: Image, boxes: DoubleArray, shift_px: float) -> bool:
        """Whether a picture of the same size is shifted by more than `shift_px` of the work picture, or may be.

        Args:
            image: (H, W, 3).
            boxes: (N, 4) xyxy in pixels of `image`, of things that may move by themselves.
            shift_px: along the slopes.
        """
        change = np.abs(self._read(image) - self._values)  # (s + f,)
        steep, flat = change[: len(self._slope)], change[len(self._slope) :]
        x, y = self._places[:, :1], self._places[:, 1:]
        covered = (x >= boxes[:, 0]) & (y >= boxes[:, 1]) & (x <= boxes[:, 2]) & (y <= boxes[:, 3])  # (s, N)
        free = ~covered.any(axis=1)
        if np.count_nonzero(free) < _ENOUGH:
            return True  # too plain to tell so simply
        noise = min(float(np.median(flat)), _MOST_NOISE) if len(flat) >= _ENOUGH else 0.0
        return bool(np.mean((steep > shift_px * self._slope + 2 * noise)[free]) > 0.5)
