"""The camera of a rendered clip that does not stand still: where it looks, and what is seen through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracker.demo.compositing import Box, Picture
    from tracker.demo.drawing import Sprite
    from tracker.types import DoubleArray, Image

CameraKind: TypeAlias = Literal["static", "pan", "shake"]

_PAN_ZOOM, _PAN_SHARES, _PAN_PERIODS_S = 1.4, (0.135, 0.04), (5.0, 3.7)  # of width and height; across, up and down
_SHAKE_ZOOM, _SHAKE_WAVES = 1.16, 4
_SHAKE_RATES_HZ = (0.8, 5.0)  # a hand: 1 to 2 Hz of the steps, tremor above
_SHAKE_SHARE, _SHAKE_TURN, _SHAKE_ZOOMS = 0.012, 0.006, 0.004  # standard deviations: of the width, radians, factor


class CameraPath:
    """Where a moving camera looks at any time. It sees a part of the street, enlarged to the size of the picture.

    `pan` swings to and fro over a quarter of the street within five seconds; `shake` is a hand, with some turn and
    zoom. The same seed gives the same path, at any rate.
    """

    def __init__(self, kind: CameraKind, width_px: int, height_px: int, seed: int) -> None:
        rng = np.random.default_rng((seed, 1))  # beside the one that makes the story, which stays as it is
        self._kind = kind
        self._size = np.array([width_px, height_px], np.float64)
        self._phase = rng.uniform(0, 2 * np.pi, (4, _SHAKE_WAVES))  # of x, y, turn, zoom
        self._rate_hz = rng.uniform(*_SHAKE_RATES_HZ, (4, _SHAKE_WAVES))

    def view(self, time_s: float) -> DoubleArray:
        """(2, 3) affine from pixels of the street to pixels of the picture."""
        if self._kind == "pan":
            waves = np.sin(2 * np.pi * time_s / np.array(_PAN_PERIODS_S) + self._phase[:2, 0])
            return self._looking(waves * _PAN_SHARES * self._size, 0.0, _PAN_ZOOM)
        waves = np.sin(2 * np.pi * self._rate_hz * time_s + self._phase).sum(axis=1)  # (4,)
        waves *= np.sqrt(2 / _SHAKE_WAVES)  # to standard deviation 1
        zoom = _SHAKE_ZOOM * (1 + _SHAKE_ZOOMS * waves[3])
        return self._looking(_SHAKE_SHARE * self._size[0] * waves[:2], _SHAKE_TURN * waves[2], zoom)

    def _looking(self, offset_px: DoubleArray, turn: float, zoom: float) -> DoubleArray:
        """The view at the middle of the street plus an offset."""
        cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
        linear = np.array([[cos, -sin], [sin, cos]])
        middle = self._size / 2
        return np.column_stack((linear, middle - linear @ (middle + offset_px)))


class View:
    """A painted picture through a camera: asked for figures just as `Picture` is."""

    def __init__(self, picture: Picture, affine: DoubleArray) -> None:
        height, width = picture.image.shape[:2]
        self._affine, self._size = affine, (width, height)
        self.image: Image = np.asarray(
            cv2.warpAffine(
                picture.image, affine, self._size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
            ),
            np.uint8,
        )
        self._owner = self._nearest(picture.owner, affine)

    def seen(self, sprite: Sprite, left: int, top: int, label: int) -> tuple[Box, Box, float] | None:
        """As `Picture.seen`, in pixels of the view."""
        place = self._affine.copy()
        place[:, 2] += place[:, :2] @ (left, top)
        silhouette = (sprite.alpha >= 128).view(np.uint8)
        x, y, w, h = cv2.boundingRect(self._nearest(silhouette, place))
        if not w:
            return None
        box = (x, y, x + w, y + h)
        total = cv2.countNonZero(silhouette) * float(np.linalg.det(self._affine[:, :2]))
        own = np.asarray(self._owner[y : y + h, x : x + w] == label).view(np.uint8)
        count = cv2.countNonZero(own)
        if count == 0:
            return box, box, 0.0
        u, v, w, h = cv2.boundingRect(own)
        return (x + u, y + v, x + u + w, y + v + h), box, min(count / total, 1.0)

    def _nearest(self, mask: NDArray[np.uint8], affine: DoubleArray) -> NDArray[np.uint8]:
        return np.asarray(cv2.warpAffine(mask, affine, self._size, flags=cv2.INTER_NEAREST), np.uint8)
