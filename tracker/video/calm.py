"""Repeats what has not changed, so that an encoder spends no time and no bits on the noise of a sensor."""

from __future__ import annotations

import cv2
import numpy as np

from tracker.types import Image

_LEAST_CHANGE = 4  # grey levels, as the mean of a window: two pictures with noise of deviation 3 stay below
_WINDOW_PX = 5  # side of that window


class Calmer:
    """Feed it the pictures of a video in order; each comes back with the noise of a standing camera held still.

    A pixel is taken from the new picture where its surroundings have changed since it was last taken, and stays what it
    was where they have not: differences never add up. What moves is as sharp as it came. On the rendered clips of
    `tracker.demo` (960x540, noise of 2.5 grey levels) VP8 takes half the time and a third of the bytes.
    """

    def __init__(self) -> None:
        self._shown: Image | None = None

    def __call__(self, image: Image) -> Image:
        """The (H, W, 3) uint8 picture to encode; not to be written to, and valid until the next call."""
        if self._shown is None or self._shown.shape != image.shape:
            self._shown = image.copy()
            return self._shown
        change = cv2.cvtColor(cv2.absdiff(image, self._shown), cv2.COLOR_BGR2GRAY)  # (H, W)
        around = cv2.boxFilter(change, -1, (_WINDOW_PX, _WINDOW_PX))
        _, changed = cv2.threshold(around, _LEAST_CHANGE, 255, cv2.THRESH_BINARY)
        cv2.copyTo(image, np.asarray(changed), self._shown)
        return self._shown
