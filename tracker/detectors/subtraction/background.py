"""A background picture that learns, one mean and one noise level a pixel, and what differs from it.

The mean follows slow changes where nothing moves, a change of light over the whole picture is taken out as a gain a
channel, and foreground is left alone until it has stood still for long. Shadows darken all channels alike and keep the
texture (Cucchiara et al. 2003, Detecting moving objects, ghosts and shadows): such pixels are taken out again.
Arrays are planar, (3, h, w): numpy is several times faster over the first axis than over a last one of 3.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.detectors.motion_config import MotionDetectorConfig
from tracker.types import BoolArray, FloatArray, Image

Mask = NDArray[np.uint8]

_NOISE_FACTOR = 4.0  # foreground differs by this many standard deviations of a pixel's noise
_FIRST_NOISE = 3.0  # grey levels, until measured
_SEED = 1.6  # a blob needs some pixels that differ this many times more than the threshold
_CONFIRMED_S = 2.0  # a pixel that looked like the background for so long is known
_UNCONFIRMED_S = 0.8  # where it never did, something still for so much longer takes its place
_SHADOW_RATIO = (0.4, 0.97)  # brightness under a shadow, as a share of that without
_SHADOW_COLOUR = 0.12  # how far the shares of the three channels may be apart
_SHADOW_TEXTURE = 5.0  # grey levels by which the texture may differ once brightness is made equal
_LIGHT_STEP = 0.01  # smaller changes of the gain are left to the slow learning
_GAIN_LIMIT = 1.6  # of one step; beyond, the picture is learnt anew
_EXPLODED = 0.65  # share of the picture that is no object but a new scene
_PATIENCE = 2  # frames for which that must last
_CROSS = np.ones((3, 3), np.uint8)


class Background:
    """What the scene looks like when nothing is there. Made of the first picture; call `apply`, then `learn`."""

    def __init__(self, first: Image, config: MotionDetectorConfig) -> None:
        self._config = config
        self._now = _planes(first)  # (3, h, w)
        self._noise = np.full(first.shape[:2], _FIRST_NOISE, np.float32)  # (h, w) grey levels
        self._begin()

    def _begin(self) -> None:
        self._mean = self._now.copy()  # (3, h, w)
        self._candidate = self._now.copy()  # (3, h, w) what stands still where the mean is not seen
        self._still_s = np.zeros_like(self._noise)  # (h, w) how long it has
        self._support_s = np.zeros_like(self._noise)  # (h, w) how long the mean was seen
        self._frames = 1
        self._exploded = 0

    @property
    def picture(self) -> Image:
        """(h, w, 3) uint8, the background as it is now."""
        return np.ascontiguousarray(np.clip(self._mean, 0, 255).astype(np.uint8).transpose(1, 2, 0))

    def apply(self, picture: Image) -> tuple[Mask, FloatArray]:
        """(h, w) foreground as 0 or 255, and (h, w) how clearly it differs: 1 at the threshold.

        Learns nothing yet: see `learn`.
        """
        self._now = _planes(picture)
        self._follow_light()
        self._difference = np.abs(self._now - self._mean).max(axis=0)  # (h, w)
        threshold = np.maximum(self._config.contrast, _NOISE_FACTOR * self._noise)  # (h, w)
        clarity: FloatArray = np.minimum(self._difference, self._off_neighbours()) / threshold
        foreground = clarity > 1
        if self._has_exploded(foreground):
            return np.zeros(foreground.shape, np.uint8), clarity
        if self._config.shadows:
            foreground &= ~self._shadow(foreground)
        return foreground.astype(np.uint8) * np.uint8(255), clarity

    def learn(self, occupied: Mask, dt_s: float) -> None:
        """Follow the last picture where `occupied` (h, w) is 0; elsewhere only what stands still for long."""
        self._frames += 1
        free = (occupied == 0).astype(np.uint8)
        rate = 1 - np.exp(-dt_s / self._config.learn_s)
        for now, mean in zip(self._now, self._mean, strict=True):
            cv2.accumulateWeighted(now, mean, float(max(rate, 1 / self._frames)), mask=free)
        # the mean absolute deviation of a normal distribution is .8 of the standard one
        target = np.minimum(self._difference / 0.8, 40)
        cv2.accumulateWeighted(target, self._noise, float(max(rate, 1 / (self._frames + 8))), mask=free)
        self._support_s = np.minimum(self._support_s + free * np.float32(dt_s), _CONFIRMED_S)
        self._absorb(free == 0, dt_s)

    def heal(self, ghost: BoolArray) -> None:
        """Take the last picture as background where `ghost` (h, w): what was there has left."""
        self._mean[:, ghost] = self._now[:, ghost]
        self._still_s[ghost] = 0
        self._support_s[ghost] = 0

    def _absorb(self, occupied: BoolArray, dt_s: float) -> None:
        still = np.abs(self._now - self._candidate).max(axis=0) < self._config.contrast
        still &= occupied
        np.copyto(self._candidate, self._now, where=~still)
        self._still_s = np.where(still, self._still_s + np.float32(dt_s), np.float32(0))
        known = self._support_s >= _CONFIRMED_S
        patience = np.where(known, np.float32(self._config.absorb_s), _UNCONFIRMED_S + self._support_s)
        done = self._still_s > patience
        if done.any():
            self.heal(done)

    def _off_neighbours(self) -> FloatArray:
        """(h, w): how far a pixel is from all that the background shows within a pixel of it.

        A camera that trembles moves edges by a fraction of a pixel: nothing new appears there.
        """
        off = np.zeros_like(self._noise)
        for now, mean in zip(self._now, self._mean, strict=True):
            above = now - cv2.dilate(mean, _CROSS)
            below = cv2.erode(mean, _CROSS) - now
            np.maximum(off, np.maximum(above, below), out=off)
        return off

    def _follow_light(self) -> None:
        """Scale the background by the gain that most of the picture shows."""
        now, mean = self._now[:, ::4, ::4].reshape(3, -1), self._mean[:, ::4, ::4].reshape(3, -1)  # (3, n)
        lit = (mean > 16).all(axis=0) & (now < 250).all(axis=0)
        if lit.sum() < 100:
            return
        ratio = now[:, lit] / mean[:, lit]  # (3, m)
        gain = np.median(ratio, axis=1)  # (3,)
        if np.abs(gain - 1).max() < _LIGHT_STEP or not (1 / _GAIN_LIMIT < gain.min() <= gain.max() < _GAIN_LIMIT):
            return
        # only where the whole picture agrees: half of it being one large object is no change of light
        agreeing = (np.abs(ratio / gain[:, None] - 1).max(axis=0) < 0.08).mean()
        unchanged = (np.abs(ratio - 1).max(axis=0) < 0.08).mean()
        if np.abs(gain - 1).max() < 0.05 or (agreeing > 0.6 and agreeing > 1.2 * unchanged):
            self._mean *= gain.astype(np.float32)[:, None, None]
            np.minimum(self._mean, 255, out=self._mean)

    def _has_exploded(self, foreground: BoolArray) -> bool:
        """Whether nearly all differs; lasts that, the scene is learnt anew."""
        if foreground.mean() < _EXPLODED:
            self._exploded = 0
            return False
        self._exploded += 1
        if self._exploded > _PATIENCE:
            self._begin()
        return True

    def _shadow(self, foreground: BoolArray) -> BoolArray:
        """(h, w) bool, of the foreground: darker than the background by one factor, with the same texture."""
        ratio = (self._now + 4) / (self._mean + 4)  # (3, h, w); the offset keeps the dark quiet
        low, high = ratio.min(axis=0), ratio.max(axis=0)
        shade = foreground & (low > _SHADOW_RATIO[0]) & (high < _SHADOW_RATIO[1]) & (high - low < _SHADOW_COLOUR)
        if not shade.any():
            return np.asarray(shade, np.bool_)
        grey, ground = self._now[1], self._mean[1]  # green is most of the brightness
        # means over the neighbours that look like shadow too, so that its edge does not count as texture
        weight = shade.astype(np.float32)
        factor = cv2.blur(ratio[1] * weight, (9, 9)) / np.maximum(cv2.blur(weight, (9, 9)), 1e-3)
        off = np.abs(grey - ground * factor) * weight
        residue = cv2.blur(off, (5, 5)) / np.maximum(cv2.blur(weight, (5, 5)), 1e-3)
        shade &= residue < _SHADOW_TEXTURE
        opened = cv2.morphologyEx(shade.astype(np.uint8), cv2.MORPH_OPEN, _CROSS)
        return np.asarray(opened, np.bool_)


def _planes(picture: Image) -> FloatArray:
    """(3, h, w) float32; a light blur takes out sensor noise and half a pixel of jitter."""
    return np.stack(cv2.split(cv2.GaussianBlur(picture, (3, 3), 0))).astype(np.float32)


def seeded(mask: Mask, clarity: FloatArray) -> Mask:
    """(h, w): the mask without components that nowhere differ clearly."""
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    if count <= 1:
        return mask
    strong = np.bincount(labels[clarity > _SEED], minlength=count)  # (count,)
    size = np.bincount(labels.reshape(-1), minlength=count)
    keep = strong > 0.15 * size
    keep[0] = False
    return np.asarray(keep[labels], np.uint8) * np.uint8(255)
