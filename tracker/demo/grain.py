"""The noise of a camera's sensor on rendered pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from tracker.types import Image

_PAD_PX = 64


class Grain:
    """Noise of `level` grey levels, drawn once, larger than the picture: each frame takes another part of it."""

    def __init__(self, level: float, width_px: int, height_px: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        shape = (height_px + _PAD_PX, width_px + _PAD_PX, 3)
        noise = np.rint(level * self._rng.standard_normal(shape, np.float32))
        self._more, self._less = np.maximum(noise, 0).astype(np.uint8), np.maximum(-noise, 0).astype(np.uint8)

    def on(self, image: Image) -> Image:
        """The next frame, with noise."""
        y, x = self._rng.integers(0, _PAD_PX, 2).tolist()
        part = np.s_[y : y + image.shape[0], x : x + image.shape[1]]
        return np.asarray(cv2.subtract(cv2.add(image, self._more[part]), self._less[part]), np.uint8)
