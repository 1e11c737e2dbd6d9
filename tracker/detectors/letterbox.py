"""Fitting a picture into a model's input, and the exact way back.

Pixel coordinates are continuous: a picture of width W spans 0..W, so resizing by a factor s takes x to s * x with no
half-pixel term (this is what `cv2.resize` does to pixel areas).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np

from tracker.types import DoubleArray, FloatArray, Image

Fit: TypeAlias = Literal["letterbox", "letterbox_top_left", "stretch"]
"""`letterbox` keeps the aspect ratio and centres the picture, `letterbox_top_left` pads right and below only,
`stretch` resizes each axis on its own."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies inside a model's input: `x_input = scale_x * x_frame + left_px`, and so for y."""

    scale_x: float
    scale_y: float
    left_px: int
    top_px: int
    width_px: int
    """Width of the resized picture inside the input."""
    height_px: int
    """Height of the resized picture inside the input."""

    @classmethod
    def of(cls, frame_size: tuple[int, int], input_size: tuple[int, int], fit: Fit) -> Placement:
        """For a frame (width_px, height_px) in an input (width_px, height_px)."""
        (frame_w, frame_h), (input_w, input_h) = frame_size, input_size
        if fit == "stretch":
            return cls(input_w / frame_w, input_h / frame_h, 0, 0, input_w, input_h)
        ratio = min(input_w / frame_w, input_h / frame_h)
        width = min(max(round(frame_w * ratio), 1), input_w)
        height = min(max(round(frame_h * ratio), 1), input_h)
        centred = fit == "letterbox"
        left = (input_w - width) // 2 if centred else 0
        top = (input_h - height) // 2 if centred else 0
        # the scale is that of the rounded size: it is what the resize really did, so the inverse is exact
        return cls(width / frame_w, height / frame_h, left, top, width, height)

    def to_input(self, boxes: FloatArray) -> FloatArray:
        """(N, 4) xyxy in frame pixels -> (N, 4) in input pixels."""
        scale, offset = self._affine()
        return np.asarray(boxes * scale + offset, np.float32)

    def to_frame(self, boxes: FloatArray) -> FloatArray:
        """(N, 4) xyxy in input pixels -> (N, 4) in frame pixels; the inverse of `to_input`."""
        scale, offset = self._affine()
        return np.asarray((boxes - offset) / scale, np.float32)

    def _affine(self) -> tuple[DoubleArray, DoubleArray]:
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float64)
        offset = np.array([self.left_px, self.top_px] * 2, np.float64)
        return scale, offset


def fit_image(image: Image, placement: Placement, input_size: tuple[int, int], pad_value: int) -> Image:
    """The picture resized and padded to (input_h, input_w, 3); the given one is not changed."""
    size = (placement.width_px, placement.height_px)
    if (image.shape[1], image.shape[0]) == size:
        resized = image
    else:
        resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    if size == input_size:
        return resized
    width, height = input_size
    canvas = np.full((height, width, 3), pad_value, np.uint8)
    top, left = placement.top_px, placement.left_px
    canvas[top : top + size[1], left : left + size[0]] = resized
    return canvas
