"""What everything that looks at a picture checks of it first."""

from __future__ import annotations

import numpy as np

from tracker.errors import InputError
from tracker.types import Image


def check_image(image: Image) -> tuple[int, int]:
    """(width_px, height_px) of a picture.

    Raises:
        InputError: it is not (H, W, 3) uint8 with at least one pixel.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"image must be (H, W, 3) uint8 in BGR, got {got}")
    height, width = image.shape[:2]
    if not height or not width:
        raise InputError(f"image must have at least one pixel, got shape {image.shape}")
    return width, height
