"""Puts figures into a picture in depth order, with soft shadows, and counts what of each can be seen."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from tracker.demo.crops import silhouette_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracker.demo.backdrop import Backdrop
    from tracker.demo.drawing import Sprite
    from tracker.types import Image

Box: TypeAlias = tuple[int, int, int, int]
_SHADOW = 0.34  # share of the light that a figure takes from the ground right below it


@lru_cache(maxsize=512)
def _shadow_light(height_px: int) -> NDArray[np.uint8]:
    """(h, w, 3) light that is left on the ground around the feet of a figure, 255 for all. Do not write to it."""
    height, width = max(3, round(0.16 * height_px)), max(5, round(0.9 * height_px))
    shade = np.zeros((height, width), np.float32)
    centre, half = (int(width * 0.56), height // 2), (max(1, int(width * 0.3)), max(1, int(height * 0.2)))
    cv2.ellipse(shade, centre, half, 0, 0, 360, _SHADOW, -1)
    shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), max(0.6, 0.03 * height_px)), np.float32)
    light: NDArray[np.uint8] = np.repeat(np.rint(255 * (1 - shade))[..., None], 3, axis=2).astype(np.uint8)
    light.setflags(write=False)
    return light


def _overlap(left: int, top: int, shape: tuple[int, ...], picture: tuple[int, ...]) -> tuple[slice, slice, int, int]:
    """Rows and columns of the picture that a patch at (left, top) covers, and where in the patch they begin."""
    y1, y2 = max(top, 0), max(min(top + shape[0], picture[0]), 0)
    x1, x2 = max(left, 0), max(min(left + shape[1], picture[1]), 0)
    return slice(y1, max(y1, y2)), slice(x1, max(x1, x2)), y1 - top, x1 - left


class Picture:
    """One frame in the making. Figures are added from back to front."""

    def __init__(self, backdrop: Backdrop) -> None:
        self.image: Image = backdrop.image.copy()
        self._before = backdrop.before
        self.owner: NDArray[np.uint8] = np.zeros_like(backdrop.before)
        """(H, W) label of whoever is seen at a pixel, 0 for nobody."""

    def cast_shadow(self, x: float, y: float, height_px: int, behind: bool) -> None:
        """Darken the ground around the foot point; `behind` leaves what stands before the back lanes as it is."""
        light = _shadow_light(height_px)
        left, top = round(x - light.shape[1] / 2), round(y - light.shape[0] / 2)
        rows, columns, y0, x0 = _overlap(left, top, light.shape, self.image.shape)
        target = self.image[rows, columns]
        if not target.size:
            return
        part = light[y0 : y0 + target.shape[0], x0 : x0 + target.shape[1]]
        if behind:
            part = np.maximum(part, self._before[rows, columns, None])
        target[:] = cv2.multiply(target, part, scale=1 / 255)

    def add(self, sprite: Sprite, left: int, top: int, label: int, behind: bool) -> None:
        """Paint a figure with its upper left corner at (left, top); `behind` hides it where something stands before."""
        rows, columns, y0, x0 = _overlap(left, top, sprite.alpha.shape, self.image.shape)
        target = self.image[rows, columns]
        if not target.size:
            return
        part = np.s_[y0 : y0 + target.shape[0], x0 : x0 + target.shape[1]]
        alpha, colour = sprite.alpha[part], sprite.colour[part]
        if behind:
            free = 255 - self._before[rows, columns]
            alpha = np.asarray(cv2.multiply(alpha, free, scale=1 / 255), np.uint8)
            colour = np.asarray(cv2.multiply(colour, cv2.cvtColor(free, cv2.COLOR_GRAY2BGR), scale=1 / 255), np.uint8)
        rest = cv2.cvtColor(255 - alpha, cv2.COLOR_GRAY2BGR)
        target[:] = cv2.add(cv2.multiply(target, rest, scale=1 / 255), colour)
        owned = self.owner[rows, columns]
        cv2.copyTo(np.full_like(owned, label), np.asarray(alpha >= 128).view(np.uint8), owned)

    def seen(self, sprite: Sprite, left: int, top: int, label: int) -> tuple[Box, Box, float] | None:
        """Box of what is seen of a figure, box of its whole silhouette inside the picture, and the visible share.

        To be asked when all figures are in. Where nothing is seen, the first box is the second; None where nothing of
        the silhouette lies inside the picture.
        """
        x1, y1, x2, y2 = silhouette_box(sprite)
        height, width = self.owner.shape
        box = (max(x1 + left, 0), max(y1 + top, 0), min(x2 + left, width), min(y2 + top, height))
        if box[0] >= box[2] or box[1] >= box[3]:
            return None
        total = cv2.countNonZero((sprite.alpha >= 128).view(np.uint8))
        own = np.asarray(self.owner[box[1] : box[3], box[0] : box[2]] == label).view(np.uint8)
        count = cv2.countNonZero(own)
        if count == 0:
            return box, box, 0.0
        x, y, w, h = cv2.boundingRect(own)
        return (box[0] + x, box[1] + y, box[0] + x + w, box[1] + y + h), box, count / total
