"""From a BGR picture to the tensor that a model wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.detectors.letterbox import Fit
from tracker.types import Image

ColourOrder: TypeAlias = Literal["rgb", "bgr"]
Triple: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What happens to a picture: fit into the input, reorder colours, then `(pixel * scale - mean) / std`."""

    fit: Fit = "letterbox"
    colours: ColourOrder = "rgb"
    scale: float = 1 / 255
    mean: Triple = (0.0, 0.0, 0.0)
    """In the model's colour order, after `scale`."""
    std: Triple = (1.0, 1.0, 1.0)
    """In the model's colour order, after `scale`."""
    pad_value: int = 114
    """Grey level 0..255 around the picture, before `scale`."""


IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)  # RGB, of pixels in 0..1 (torchvision)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)


def to_tensor(image: Image, how: Preprocessing, *, channels_last: bool, dtype: str) -> NDArray[Any]:
    """(H, W, 3) uint8 BGR of the input's size -> (1, 3, H, W), or (1, H, W, 3) where `channels_last`, of `dtype`."""
    rgb = how.colours == "rgb"
    if dtype == "uint8":  # such a model scales by itself
        ordered = cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if rgb else image
        tensor = ordered[None] if channels_last else np.ascontiguousarray(ordered.transpose(2, 0, 1))[None]
        return np.ascontiguousarray(tensor)
    factor = how.scale / np.asarray(how.std, np.float64)  # (3,)
    shift = np.asarray(how.mean, np.float64) / np.asarray(how.std, np.float64)  # (3,)
    uniform = bool((factor == factor[0]).all())
    # blobFromImage reorders colours, moves channels and scales in one pass
    blob: NDArray[Any] = cv2.dnn.blobFromImage(  # (1, 3, H, W) float32
        image, scalefactor=float(factor[0]) if uniform else 1.0, swapRB=rgb
    )
    if not uniform:
        blob *= factor.astype(np.float32)[None, :, None, None]
    if shift.any():
        blob -= shift.astype(np.float32)[None, :, None, None]
    if channels_last:
        blob = np.ascontiguousarray(blob.transpose(0, 2, 3, 1))
    return blob if dtype == "float32" else blob.astype(dtype)
