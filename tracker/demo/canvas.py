"""The canvas that figures are painted on: limbs, outlines and wrapped cloth in body-height coordinates.

Everything is drawn at twice the size with colour premultiplied by coverage, then averaged down, so edges blend into any
background without a halo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from tracker.demo.textures import wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.types import DoubleArray, Image

_SUPERSAMPLING = 2
_HALF_WIDTH = 0.37  # of the canvas, in body heights: the longest stride, toes included, reaches .35
_HEADROOM, _FOOTROOM = 0.06, 0.02  # above the crown for hair and hats, below the ground line for the edge's blur
_HALF_CIRCLE = np.exp(1j * np.linspace(-np.pi / 2, np.pi / 2, 9))
_ENDS = np.concatenate((_HALF_CIRCLE, -_HALF_CIRCLE))  # (18,) outline of a capsule, as complex x + iy
_WHICH_END = np.repeat([1.0, -1.0], 9)  # (18,) 1 at its far end, -1 at its near end
_LIT_SIDE = -0.28 - 0.08j  # of a limb, in radii: light comes from the upper left
_PAD_PX = 2  # on each side, for the blur of edges
_SHIFT = 4  # fractional bits of OpenCV's fixed-point coordinates


class Sprite(NamedTuple):
    """A painted figure, ready to be pasted."""

    colour: Image
    """(h, w, 3) uint8 BGR, already multiplied by coverage (black outside the figure)."""
    alpha: NDArray[np.uint8]
    """(h, w) uint8 coverage, 255 inside."""
    foot_x: float
    """Column of the point between the feet."""
    foot_y: float
    """Row of the ground line."""


class Canvas:
    """A picture with coverage in body-height coordinates: x = 0 between the feet, y = 0 crown, y = 1 ground."""

    def __init__(self, height_px: float) -> None:
        self.scale = height_px * _SUPERSAMPLING
        width = 2 * int(np.ceil(_HALF_WIDTH * height_px) + _PAD_PX) * _SUPERSAMPLING
        height = int(np.ceil((1 + _HEADROOM + _FOOTROOM) * height_px) + 2 * _PAD_PX) * _SUPERSAMPLING
        self.pixels = np.zeros((height, width, 4), np.uint8)
        self.origin = np.array([width / 2, _HEADROOM * self.scale + _PAD_PX * _SUPERSAMPLING])
        self._fixed_scale = self.scale * (1 << _SHIFT)
        self._fixed_origin = (self.origin - 0.5) * (1 << _SHIFT) + 0.5

    def _fixed(self, points: DoubleArray) -> NDArray[np.int32]:
        fixed: NDArray[np.int32] = (points * self._fixed_scale + self._fixed_origin).astype(np.int32)
        return fixed

    def polygon(self, points: DoubleArray, colour: Sequence[float]) -> None:
        """Fill the (n, 2) outline."""
        cv2.fillPoly(self.pixels, [self._fixed(points)], (*colour[:3], 255), cv2.LINE_AA, _SHIFT)

    def ellipse(self, centre: tuple[float, float], half: tuple[float, float], colour: Sequence[float]) -> None:
        """Fill an upright ellipse."""
        x, y = self._fixed(np.array(centre)).tolist()
        axes = (max(1, int(half[0] * self.scale * 16)), max(1, int(half[1] * self.scale * 16)))
        cv2.ellipse(self.pixels, (x, y), axes, 0, 0, 360, (*colour[:3], 255), -1, cv2.LINE_AA, _SHIFT)

    def limb(self, joints: DoubleArray, radii: Sequence[float], colour: Sequence[float]) -> None:
        """Round segments through (n, 2 or more) joints with a radius at each, darker away from the light."""
        points = [complex(x, y) for x, y in joints[:, :2].tolist()]
        dark, light = [], []
        shift = _LIT_SIDE * max(radii)
        for a, b, ra, rb in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True):
            along = b - a
            turn = along / abs(along) if along else 1.0
            round_ends = _ENDS * (turn * ((ra + rb) / 2 + (rb - ra) / 2 * _WHICH_END))  # (18,)
            axis = (a + b) / 2 + along / 2 * _WHICH_END
            dark.append(round_ends + axis)
            light.append(round_ends * 0.68 + (axis + shift))
        for hulls, factor in ((dark, 0.76), (light, 1.02)):
            tone = (*shade(colour, factor), 255)
            for hull in hulls:
                outline = self._fixed(hull.view(np.float64).reshape(-1, 2))
                cv2.fillConvexPoly(self.pixels, outline, tone, cv2.LINE_AA, _SHIFT)

    def textured(self, outline: DoubleArray, panorama: Image, facing_deg: float) -> None:
        """Fill the (n, 2) outline with cloth that is wrapped around it."""
        local = outline * self.scale + self.origin
        left, top = (max(0, int(v)) for v in local.min(axis=0).tolist())
        right, low = (int(v) + 2 for v in local.max(axis=0).tolist())
        target = self.pixels[top:low, left:right]
        height, width = target.shape[:2]
        inside = np.zeros((height, width), np.uint8)
        cv2.fillPoly(inside, [np.rint(local - (left, top)).astype(np.int32)], 255)
        cloth = cv2.cvtColor(wrap(panorama, facing_deg, width, height), cv2.COLOR_BGR2BGRA)
        cv2.copyTo(cloth, inside, target)

    def finish(self, folds: NDArray[np.uint8]) -> Sprite:
        """Average down and lay creases over the cloth."""
        height, width = (side // _SUPERSAMPLING for side in self.pixels.shape[:2])
        small = np.asarray(cv2.resize(self.pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        alpha = np.ascontiguousarray(small[..., 3])
        creases = cv2.cvtColor(cv2.resize(folds, (width, height), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2BGR)
        colour = np.asarray(cv2.multiply(np.ascontiguousarray(small[..., :3]), creases, scale=1 / 240), np.uint8)
        colour = np.minimum(colour, alpha[..., None])  # premultiplied colour never exceeds coverage
        origin = self.origin / _SUPERSAMPLING
        return Sprite(colour, alpha, float(origin[0]), float(origin[1] + self.scale / _SUPERSAMPLING))


def shade(colour: Sequence[float], factor: float) -> tuple[float, float, float]:
    """The colour made lighter or darker."""
    b, g, r = (min(255.0, c * factor) for c in colour[:3])
    return b, g, r
