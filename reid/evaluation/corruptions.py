"""What a camera does to a crop: shadow, motion blur, changed light, occlusion, low resolution.

Each corruption of each crop is drawn from the seed, the kind and the crop's own number, so that it does not depend on
which crops are done together. Strengths are those of a bad but ordinary moment: a person can still be recognised.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.errors import InputError

Crop: TypeAlias = NDArray[np.uint8]  # (h, w, 3) BGR

_SHADE = (0.3, 0.55)  # what remains of the light in a shadow
_BLUR_SHARE = (0.08, 0.16)  # length of the motion, of the crop's height
_GAIN = (0.45, 1.7)  # of exposure, evenly in stops
_CAST = (0.85, 1.15)  # of each channel: another white balance
_GAMMA = (0.75, 1.35)
_COVERED_SHARE = (0.3, 0.45)  # of the crop's area that an occluder hides
_LOW_HEIGHT_PX = (20, 32)  # what is left of a person far away


def corrupt(crops: NDArray[np.uint8], kind: str, numbers: Sequence[int], *, seed: int = 0) -> NDArray[np.uint8]:
    """Corrupted copies.

    `crops` (n, h, w, 3) uint8 BGR, `kind` one of `KINDS`, `numbers` (n,) of the crops, at least 0 -> the same shape.

    Raises:
        InputError: another kind, shape or number of numbers.
    """
    if kind not in KINDS:
        raise InputError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[3] != 3 or len(numbers) != len(crops):
        raise InputError(
            f"crops must be uint8 of shape (n, h, w, 3) with a number each, "
            f"got {crops.dtype} of shape {crops.shape} and {len(numbers)} numbers"
        )
    change, code = KINDS[kind], zlib.crc32(kind.encode())
    out = np.empty_like(crops)
    for row, number in enumerate(numbers):
        out[row] = change(crops[row], np.random.default_rng((seed, code, int(number))))
    return out


def _shadow(crop: Crop, rng: np.random.Generator) -> Crop:
    """The light of one side of a line through the crop falls, with a soft edge."""
    height, width = crop.shape[:2]
    angle = rng.uniform(0, 2 * np.pi)
    down, across = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")  # (h, w)
    side = across * np.cos(angle) + down * np.sin(angle) - rng.uniform(-0.3, 0.3)
    inside = 1 / (1 + np.exp(-np.clip(side / 0.06, -30, 30)))
    light = 1 - inside * (1 - rng.uniform(*_SHADE))
    return _to_pixels(crop * light[..., None])


def _motion_blur(crop: Crop, rng: np.random.Generator) -> Crop:
    """A straight motion while the shutter is open, mostly sideways."""
    length = max(3.0, crop.shape[0] * rng.uniform(*_BLUR_SHARE))
    angle = rng.normal(0, 0.35)
    size = int(np.ceil(length)) | 1
    kernel = np.zeros((size, size), np.float32)
    middle, reach = (size - 1) / 2, length / 2
    ends = [(middle + s * reach * np.cos(angle), middle + s * reach * np.sin(angle)) for s in (-1, 1)]
    points = [tuple(round(v * 256) for v in end) for end in ends]  # 8 bits of fraction
    cv2.line(kernel, points[0], points[1], 1.0, 1, cv2.LINE_AA, shift=8)
    blurred: Any = cv2.filter2D(crop, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.uint8)


def _light(crop: Crop, rng: np.random.Generator) -> Crop:
    """Another exposure, white balance and tone curve."""
    gain = np.exp(rng.uniform(*np.log(_GAIN))) * rng.uniform(*_CAST, size=3)  # (3,)
    gamma = np.exp(rng.uniform(*np.log(_GAMMA)))
    levels = np.linspace(0, 1, 256)[:, None] ** gamma * gain  # (256, 3)
    table = _to_pixels(levels * 255)
    changed: Crop = table[crop, np.arange(3)]
    return changed


def _occlusion(crop: Crop, rng: np.random.Generator) -> Crop:
    """A blotchy surface covers the lower part, or one side."""
    height, width = crop.shape[:2]
    covered = rng.uniform(*_COVERED_SHARE)
    out = crop.copy()
    side = rng.integers(3)  # 0 below, 1 left, 2 right
    place = (
        (slice(height - round(covered * height), None), slice(None)),
        (slice(None), slice(0, round(covered * width))),
        (slice(None), slice(width - round(covered * width), None)),
    )[side]
    blotches = rng.normal(0, 18, (6, 3, 3)) + rng.uniform(30, 225, 3)  # one colour, uneven
    surface = cv2.resize(blotches.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    out[place] = _to_pixels(surface)[place]
    return out


def _low_resolution(crop: Crop, rng: np.random.Generator) -> Crop:
    """As few pixels as somebody far away has, enlarged again."""
    height, width = crop.shape[:2]
    low = min(height, int(rng.integers(_LOW_HEIGHT_PX[0], _LOW_HEIGHT_PX[1] + 1)))
    size = (max(1, round(width * low / height)), low)
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _to_pixels(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


KINDS: dict[str, Callable[[Crop, np.random.Generator], Crop]] = {
    "shadow": _shadow,
    "motion_blur": _motion_blur,
    "light": _light,
    "occlusion": _occlusion,
    "low_resolution": _low_resolution,
}
"""The corruptions by name."""
